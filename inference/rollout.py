"""What a model's entry in models.yaml says about its versions: further ones, which is tried, when that ends badly.

Pure data with validation. How a version becomes a whole model is `versions.py`'s; who answers is the router's.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any

from pydantic import ConfigDict, Field

from inference.spec import Seconds, Spec

VersionName = Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", max_length=60)]
Percent = Annotated[float, Field(ge=0, le=100)]
Share = Annotated[float, Field(ge=0, le=1)]

FIRST_VERSION = "v1"


class VersionSpec(Spec):
    """A further version of a model: its name, and the keys in which it differs from the model's own entry."""

    model_config = ConfigDict(extra="allow")

    version: VersionName

    @property
    def changes(self) -> Mapping[str, Any]:
        """What differs, as it was written."""
        return self.model_extra or {}


class CanarySpec(Spec):
    """A version that answers some conversations, to be compared with the one that answers the others."""

    version: VersionName
    percent: Percent = Field(description="Of all conversations; 0: only those that ask for the version by name.")


class RollbackSpec(Spec):
    """When a canary is rolled back by itself: its share of bad answers exceeds the stable version's by a margin."""

    errors: Share = Field(default=0.02, description="Margin for calls that fail.")
    slow: Share = Field(default=0.10, description="Margin for answers that are slow.")
    failed_checks: Share = Field(default=0.05, description="Margin for answers that fail verification.")
    slow_factor: Annotated[float, Field(gt=1, le=100)] = Field(
        default=2.0, description="Slow is an answer that takes this many times the stable version's median."
    )
    confidence: Annotated[float, Field(ge=0.5, lt=1)] = Field(
        default=0.99, description="How sure a rollback must be, however long and often the figures are looked at."
    )
    forgiven_seconds: Seconds = Field(
        default=60.0,
        description="What goes wrong for no longer than this rolls nothing back; a client's retries in "
        "this time count once.",
    )
