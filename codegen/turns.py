"""Whose turn it is: how many answers a model gives before a stronger one is asked, and what each of them is asked.

Where a router's plan gives a model samples, they are all its turns, and each is asked the same afresh. Any other model
has `per_tier` turns, and after the first it is shown what the checks found. Used for answers and for code tasks.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from inference.protocol import Completion
from inference.verification import Checking, CheckKind


@dataclass(slots=True)
class Turns:
    """`tried` have had theirs; `again` is the model that draws once more, if one does."""

    per_tier: int
    tried: list[str] = field(default_factory=list)
    again: str = ""
    _taken: Counter[str] = field(default_factory=Counter)
    _samples: dict[str, int] = field(default_factory=dict)

    def took(self, model: str, samples: int = 0, *, repeated: bool = False) -> None:
        """A model's answer did not pass; `samples` are those of a plan, and who `repeated` itself has no more turns."""
        self._taken[model] += 1
        if samples:
            self._samples[model] = samples
        over = repeated or self._taken[model] >= self._samples.get(model, self.per_tier)
        if over and model not in self.tried:
            self.tried.append(model)
        self.again = model if model in self._samples and model not in self.tried else ""

    @property
    def repairing(self) -> bool:
        """Whether the next answer is asked for with what the checks found in a model's last one."""
        return not self.again and any(model not in self.tried for model in self._taken)

    def checking(self, kind: CheckKind) -> Checking:
        """What the router is told of the next answer."""
        return Checking(kind, self._taken[self.again] + 1, self.again) if self.again else Checking(kind)


def samples_of(completion: Completion) -> int:
    """How many draws a plan gives the model that answered; 0 where none says so."""
    return completion.verified.samples if completion.verified else 0
