"""What the gateway and the placer tell each other, a line of JSON each: how things should be, and how they are.

Both messages are whole states and not changes, so that a line more or less, or a placer that starts anew, does no harm.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

from inference.catalog import LlamaCppModel, VllmModel

Placed = Annotated[LlamaCppModel | VllmModel, Field(discriminator="engine")]
"""Models that take a machine's room. All others are addresses or scripts, and stay in the gateway."""


class _Message(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")

    def line(self) -> bytes:
        """The message as it is sent."""
        return self.model_dump_json().encode() + b"\n"


class Surroundings(_Message):
    """What every replica is started with beside its model; the first thing that the gateway says.

    `weights` and `logs` are folders of the replica's machine, `offline` forbids downloads, `token` is what the gateway
    shows at a replica's door.
    """

    weights: str
    logs: str
    offline: bool
    token: str = Field(repr=False)


class Wanted(_Message):
    """The models that are to be placed, and how many replicas each is to have."""

    models: tuple[Placed, ...]
    counts: Mapping[str, int]


class Replica(_Message):
    """One replica, as it last said itself; `url` is where it answers, empty before it listens.

    `ready` says whether it would answer now, `draining` that it takes nothing new and will leave; `age_seconds` how
    long ago it last said anything.
    """

    model: str
    id: str
    url: str = ""
    ready: bool = False
    draining: bool = False
    detail: str = ""
    in_flight: int = 0
    node: str = ""
    age_seconds: float = 0.0


class Seen(_Message):
    """All replicas there are, and what stands in the way of more: model -> sentence."""

    replicas: tuple[Replica, ...] = ()
    problems: Mapping[str, str] = {}
