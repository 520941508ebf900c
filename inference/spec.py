"""What every part of models.yaml is made of: the base of its sections, and kinds of values that several of them use."""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Name = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]*$", max_length=100)]
Seconds = Annotated[float, Field(gt=0, le=86_400)]


class Spec(BaseModel):
    """Base of everything in models.yaml: frozen, finite, and unknown keys are refused."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
