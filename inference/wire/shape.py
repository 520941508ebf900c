"""The base of answers: what is sent has exactly the fields that were set; what is read may have others."""

from __future__ import annotations

from pydantic import BaseModel, ConfigDict


class Shape(BaseModel):
    """Base of answer shapes."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    def json_text(self) -> str:
        """Compact JSON of the fields that were set."""
        return self.model_dump_json(exclude_unset=True)
