"""A command that has been checked, with its place: what `run.py` needs to know. `nsjail.py` makes it."""

from __future__ import annotations

from dataclasses import dataclass

from sandbox.files.collect import Caps
from sandbox.files.remains import Remains
from sandbox.identity import Identity
from sandbox.profile import Profile
from sandbox.protocol import Command, Limits, OnProgress, Progress


def nobody_listens(_: Progress) -> None:
    """The progress of a command that nobody watches."""


@dataclass(frozen=True, slots=True)
class Order:
    """`identity` is unknown only while the host is being proven; such a run leaves no record.

    With `remains` the workspace begins with what is left there, and is left there afterwards.
    """

    command: Command
    profile: Profile
    limits: Limits
    caps: Caps
    slot: int
    identity: Identity | None = None
    queue_seconds: float = 0.0
    on_progress: OnProgress = nobody_listens
    remains: Remains | None = None

    @property
    def environment_digest(self) -> str:
        """See `Result.environment_digest`."""
        return self.identity.environments[self.profile.name] if self.identity is not None else ""
