"""A canary beside the stable version: what is counted of both, and when the canary has proved worse.

Three kinds of bad answers are counted (errors, slow ones, failed checks). The canary is worse when, with the declared
confidence, its rate of one kind exceeds the stable version's by more than the margin; `bounds` says why that may be
asked after every observation. And it must be so without the two worst stretches of the time that is forgiven, too: what
broke for a moment is no worse version. Pure; times are handed in, in seconds.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from typing import Any, Literal, get_args

from inference.rollout import RollbackSpec
from router.versions.bounds import lower_bound, upper_bound

Criterion = Literal["errors", "slow", "failed_checks"]
CRITERIA: tuple[Criterion, ...] = get_args(Criterion)
Arm = Literal["stable", "canary"]


@dataclass(slots=True)
class Tally:
    """How many answers were looked at and how many were bad: in all, in the worst two stretches, in this and the last.

    Stretches are those of a clock, numbered; whatever goes wrong for the length of one lies in two of them.
    """

    seen: int = 0
    bad: int = 0
    worst_seen: int = 0
    worst_bad: int = 0
    stretch: int = 0
    stretch_seen: int = 0
    stretch_bad: int = 0
    last_seen: int = 0
    last_bad: int = 0

    def add(self, bad: bool, stretch: int) -> None:
        """Count one."""
        if stretch != self.stretch:
            follows = stretch == self.stretch + 1
            self.last_seen, self.last_bad = (self.stretch_seen, self.stretch_bad) if follows else (0, 0)
            self.stretch, self.stretch_seen, self.stretch_bad = stretch, 0, 0
        self.seen, self.stretch_seen = self.seen + 1, self.stretch_seen + 1
        self.bad, self.stretch_bad = self.bad + bad, self.stretch_bad + bad
        if self.last_bad + self.stretch_bad >= self.worst_bad:
            self.worst_seen, self.worst_bad = self.last_seen + self.stretch_seen, self.last_bad + self.stretch_bad

    @property
    def rate(self) -> float:
        """The share of bad ones."""
        return self.bad / self.seen if self.seen else 0.0

    def without_worst(self) -> Tally:
        """The same without the two stretches that had the most bad ones."""
        return Tally(self.seen - self.worst_seen, self.bad - self.worst_bad)


@dataclass(frozen=True, slots=True)
class Finding:
    """Why the canary has proved worse: figures that the decision can be checked with.

    `canary_at_least` and `stable_at_most` bound the rates; each is ever wrong with the probability `alpha` at most.
    """

    criterion: Criterion
    canary_seen: int
    canary_bad: int
    canary_at_least: float
    stable_seen: int
    stable_bad: int
    stable_at_most: float
    margin: float
    confidence: float
    alpha: float

    def sentence(self) -> str:
        """For a person."""
        return (
            f"{self.criterion.replace('_', ' ')}: {self.canary_bad} of {self.canary_seen}, at least "
            f"{self.canary_at_least:.1%}, against {self.stable_bad} of {self.stable_seen}, at most "
            f"{self.stable_at_most:.1%}, with a margin of {self.margin:.1%} and a confidence of {self.confidence:.2%}"
        )


def _tallies() -> dict[Criterion, Tally]:
    return {criterion: Tally() for criterion in CRITERIA}


@dataclass(slots=True)
class Trial:
    """The counts of both versions since the canary began."""

    rules: RollbackSpec
    stable: dict[Criterion, Tally] = field(default_factory=_tallies)
    canary: dict[Criterion, Tally] = field(default_factory=_tallies)

    def add(self, arm: Arm, criterion: Criterion, *, bad: bool, at: float) -> Finding | None:
        """Count one answer of a version; the finding, if the canary has now proved worse."""
        tallies = self.canary if arm == "canary" else self.stable
        tallies[criterion].add(bad, int(at // self.rules.forgiven_seconds))
        # Only a bad answer of the canary can be the last straw that is worth the arithmetic.
        return self._worse(criterion) if arm == "canary" and bad else None

    @property
    def alpha(self) -> float:
        """The probability of being wrong that each bound gets: two for each criterion share it."""
        return (1 - self.rules.confidence) / (2 * len(CRITERIA))

    def margin(self, criterion: Criterion) -> float:
        """By how much the canary's rate may exceed the stable version's."""
        return float(getattr(self.rules, criterion))

    def _worse(self, criterion: Criterion) -> Finding | None:
        canary, stable, margin = self.canary[criterion], self.stable[criterion], self.margin(criterion)
        if not stable.seen or canary.rate <= stable.rate + margin:
            return None
        limit = upper_bound(stable.seen, stable.bad, self.alpha) + margin
        if self._at_least(canary.without_worst()) <= limit or (least := self._at_least(canary)) <= limit:
            return None
        return Finding(
            criterion,
            canary.seen, canary.bad, least,
            stable.seen, stable.bad, limit - margin,
            margin, self.rules.confidence, self.alpha,
        )  # fmt: skip

    def _at_least(self, tally: Tally) -> float:
        return lower_bound(tally.seen, tally.bad, self.alpha)

    def no_worse(self) -> bool:
        """Whether the canary has proved to be no worse in errors and speed, and in checks if there were any."""
        judged = [criterion for criterion in CRITERIA if criterion != "failed_checks" or self.canary[criterion].seen]
        return all(self._no_worse(criterion) for criterion in judged)

    def _no_worse(self, criterion: Criterion) -> bool:
        canary, stable = self.canary[criterion], self.stable[criterion]
        if not canary.seen or not stable.seen:
            return False
        most = upper_bound(canary.seen, canary.bad, self.alpha)
        return most < lower_bound(stable.seen, stable.bad, self.alpha) + self.margin(criterion)

    def counts(self) -> dict[str, dict[str, dict[str, int]]]:
        """All figures, to be kept."""
        return {
            arm: {criterion: asdict(tally) for criterion, tally in tallies.items()}
            for arm, tallies in (("stable", self.stable), ("canary", self.canary))
        }

    @classmethod
    def restored(cls, rules: RollbackSpec, counts: Mapping[str, Any]) -> Trial:
        """A trial that goes on from kept figures."""
        arms = {arm: {name: Tally(**tally) for name, tally in tallies.items()} for arm, tallies in counts.items()}
        return cls(rules, {**_tallies(), **arms["stable"]}, {**_tallies(), **arms["canary"]})
