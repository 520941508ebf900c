"""The `ledger:` section of models.yaml: what the operator may decide. Values only; `gateway` parses it."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Days = Annotated[int, Field(ge=1, le=36_500)]


class LedgerSpec(BaseModel):
    """How long the ledger keeps what was said; that it was said is kept for good."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    retention_days: Days | None = Field(
        default=None,
        description="How long bodies (prompts, answers, patches) are kept; for good if left out. Entries stay.",
    )
