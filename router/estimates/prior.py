"""A hierarchical Beta prior: how often a model passes, given only its name, the task type and the tenant.

Each level's mean is shrunk towards the level above it (all models, the model, its task type, its tenant), so a level
without outcomes says what the one above says. What passed after another model failed starts at what the model passes.
"""

from __future__ import annotations

from collections.abc import Mapping

from router.estimates.outcome import NO_CONTEXT, Context

Head = tuple[str, str]
"""What is estimated: ("", model) that the model passes, (weak, strong) that `strong` passes where `weak` has failed.

(model, model): that it passes at its second draw for a request, where it has failed at the first. (WRONG, model): that
checks without tests accept what it wrote, where all checks did not.
"""
WRONG = "(wrong)"
"""No name of a model."""
Key = tuple[str, str, str, str]
"""A head, a task type and a tenant."""

# How alike a model's draws for one request are: LiveCodeBench has ten of each model and problem. Where one draw of
# DeepSeek-V3 (GPT-4o mini) fails on 50 % (65 %) of the problems, all of three fail on 46 % (61 %): 0.88 (0.90).
_CORRELATION = 0.9
# Before anything was seen: one pass and one failure (Laplace's rule of succession).
_START_MEAN, _START_STRENGTH = 0.5, 2.0
# What models.yaml declares of checks weighs as much as so many wrong answers that they judged.
_DECLARED_STRENGTH = 20.0
# So many outcomes at a level weigh as much as all that the levels above say.
_STRENGTH = 10.0


class Prior:
    """`counts` are decayed numbers of outcomes, and of those that passed, at the lowest level."""

    def __init__(self, counts: Mapping[Key, tuple[float, float]]) -> None:
        self.counts = counts
        self._sums: dict[tuple[str, ...], tuple[float, float]] = {}
        for key, (seen, passed) in counts.items():
            for depth in range(1, len(key) + 1):
                before = self._sums.get(key[:depth], (0.0, 0.0))
                self._sums[key[:depth]] = (before[0] + seen, before[1] + passed)

    def seen(self, head: Head) -> float:
        """The decayed number of outcomes of a head."""
        return self._sums.get(head, (0.0, 0.0))[0]

    def mean(self, head: Head, context: Context = NO_CONTEXT) -> float:
        """The probability that a head passes."""
        _, model = head
        mean = self._shrunk(("",), _START_MEAN, _START_STRENGTH)
        levels: list[tuple[str, ...]] = [("", model), head] if head[0] else [head]
        levels += [(*head, context.task_type), (*head, context.task_type, context.tenant)]
        for level in levels:
            mean = self._shrunk(level, mean, _STRENGTH)
        return mean

    def again(self, model: str, context: Context = NO_CONTEXT) -> float:
        """What is left of a model's chance at its second draw for a request, when the first did not pass.

        That is 1 - rho, where rho is the correlation of draws for one request: second draws that passed, by first
        draws that passed. What was seen of second draws is shrunk towards the first's chance times 0.1.
        """
        first = self.mean(("", model), context)
        second = first * (1 - _CORRELATION)
        head = (model, model)
        for level in (head, (*head, context.task_type), (*head, context.task_type, context.tenant)):
            second = self._shrunk(level, second, _STRENGTH)
        return min(1.0, second / first)

    def accepted_wrong(self, model: str, declared: float) -> float:
        """The share of a model's wrong answers that checks without tests accept; `declared` before any was seen."""
        everyones = self._shrunk((WRONG,), declared, _DECLARED_STRENGTH)
        return self._shrunk((WRONG, model), everyones, _STRENGTH)

    def _shrunk(self, level: tuple[str, ...], mean: float, strength: float) -> float:
        seen, passed = self._sums.get(level, (0.0, 0.0))
        return (passed + strength * mean) / (seen + strength)
