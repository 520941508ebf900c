"""Which model a request starts with whose answer will be checked, and how many draws it gets. Pure.

A weak model passes with probability p; a verifier accepts what is right with t and what is wrong with f, so it accepts
with a = p t + (1 - p) f. Trying the weak model first costs c_weak + c_verify + (1 - a) c_strong, so it is worth it
exactly if a > (c_weak + c_verify) / c_strong; a further draw, by the same for what is left of a. The cheapest that is
worth it starts. That inequality, with its numbers, is what the record says. With a share for exploring, chance starts
with another model that may answer, and the record has the probability of that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise, takewhile

from inference.catalog import Catalog, ModelBase
from ledger.protocol import JsonValue
from router.estimates.exploration import explore
from router.policy import Feasible, PassedOver
from router.spec import PlanSpec


@dataclass(frozen=True, slots=True)
class Trial:
    """Trying `weak` before `strong`; probabilities, and dollars of one call each.

    `redraws`: that the second, third, ... draw is accepted, where all before were not. They descend. `rescue`: that
    `strong` passes where `weak` failed, and not what it passes at large. The last two say what comes of the draws that
    are worth it: that a right answer is given, and that a wrong one is.
    """

    weak: str
    strong: str
    pass_probability: float
    accepted: float
    weak_usd: float
    verify_usd: float
    strong_usd: float
    redraws: tuple[float, ...] = ()
    true_accept: float = 1.0
    false_accept: float = 0.0
    rescue: float = 0.0
    given_right: float = 0.0
    given_wrong: float = 0.0

    @property
    def worth_it(self) -> bool:
        """The inequality. Where both are free nothing is lost by trying."""
        return self._pays(self.accepted) or self.strong_usd == 0

    @property
    def samples(self) -> int:
        """Draws that are worth it; since acceptance descends, no other number has a lower expected cost."""
        return 1 + sum(1 for _ in takewhile(self._pays, self.redraws)) if self.worth_it else 0

    def expected_usd(self, samples: int) -> float:
        """Of so many draws, each checked, until one is accepted, and of `strong` if none is."""
        usd, left = 0.0, 1.0
        for accepted in (self.accepted, *self.redraws)[:samples]:
            usd += left * (self.weak_usd + self.verify_usd)
            left *= 1 - accepted
        return usd + left * self.strong_usd

    def _pays(self, accepted: float) -> bool:
        return accepted * self.strong_usd > self.weak_usd + self.verify_usd

    def line(self) -> str:
        """The inequality in numbers."""
        sign = ">" if self.worth_it else "<="
        needed = f"({self.weak_usd:.3g} + {self.verify_usd:.3g}) / {self.strong_usd:.3g} USD"
        later = "".join(f", then {accepted:.3f}" for accepted in self.redraws)
        draws = f", so up to {self.samples} draw{'s' * (self.samples > 1)}" if later and self.worth_it else ""
        return f"{self.weak} before {self.strong}: accepted {self.accepted:.3f} {sign} {needed}{later}{draws}"


@dataclass(frozen=True, slots=True)
class Plan:
    """Trials from the cheapest up, the model to start with, and the probability with which it was going to be.

    `estimates` is the digest of what was known then (router/estimates/artefact.py); by it the plan can be made again.
    `samples`: draws that the first model gets, 0 where that is not planned. A later `draw` only follows its plan.
    """

    trials: tuple[Trial, ...]
    start: str
    propensity: float
    explored: bool = False
    estimates: str = ""
    samples: int = 0
    draw: int = 1

    def line(self) -> str:
        """Why it starts there."""
        if self.draw > 1:
            return f"draw {self.draw} from {self.start}, as planned"
        return "; ".join(trial.line() for trial in self.trials) + ("; exploring" if self.explored else "")


@dataclass(frozen=True, slots=True)
class Prospects:
    """What is expected of models for one request, by name: that checks pass, and dollars of a call; and by whom.

    `second_draw`: that they pass at the second draw, where they did not at the first. `rescue` (weak, strong): that the
    latter passes where the former failed. `false_accept`: what of their wrong answers is accepted.
    """

    pass_probability: Mapping[str, float]
    second_draw: Mapping[str, float]
    usd: Callable[[ModelBase], float]
    rescue: Callable[[str, str], float]
    false_accept: Callable[[str], float]
    estimates: str = ""


def plan(spec: PlanSpec, ranked: Sequence[ModelBase], prospects: Prospects, draw: float) -> Plan:
    """`ranked`: candidates, cheapest first, one for each tier; `draw` is uniform in [0, 1)."""
    trials: list[Trial] = []
    best = ranked[-1]
    for weak, strong in pairwise(ranked):
        trials.append(_trial(spec, weak, strong, prospects))
        if trials[-1].worth_it:
            best = weak
            break
    names = [model.name for model in ranked]
    chosen = explore(names, best.name, spec.explore, draw)
    exploring = draw < spec.explore
    planned = spec.most_samples > 1 and chosen.model != names[-1]  # nobody could be asked after the strongest
    samples = _samples(spec, trials, chosen.model, exploring=exploring) if planned else 0
    return Plan(tuple(trials), chosen.model, chosen.propensity, chosen.explored, prospects.estimates, samples)


def _samples(spec: PlanSpec, trials: Sequence[Trial], start: str, *, exploring: bool) -> int:
    """Those that are worth it; who explores takes all, so that it is learnt what further ones bring."""
    if exploring:
        return spec.most_samples
    return next(trial.samples for trial in trials if trial.weak == start)


def passes_at(draw: int, first: float, second: float) -> float:
    """P(a draw passes | all before it failed), from that of the first and of the second draw.

    A model's chance for one request is taken as a draw from a beta distribution (Skellam 1948, beta-binomial): with
    mean p and strength M, p M / (M + n) is left after n failures. M = second / (first - second).
    """
    second = min(first, second)
    if draw == 1 or first == second:
        return first
    return first * second / (second + (draw - 1) * (first - second))


def _trial(spec: PlanSpec, weak: ModelBase, strong: ModelBase, prospects: Prospects) -> Trial:
    first, second = prospects.pass_probability[weak.name], prospects.second_draw[weak.name]
    likely = [passes_at(number + 1, first, second) for number in range(spec.most_samples)]
    t, f = spec.true_accept, min(spec.true_accept, prospects.false_accept(weak.name))
    accepted, *redraws = (round(each * t + (1 - each) * f, 4) for each in likely)
    trial = Trial(
        weak.name,
        strong.name,
        round(first, 4),
        accepted,
        prospects.usd(weak),
        float(spec.verify_usd),
        prospects.usd(strong),
        tuple(redraws),
        t,
        round(f, 4),
        round(prospects.rescue(weak.name, strong.name), 4),
    )
    last = trial.rescue if trial.samples else prospects.pass_probability[strong.name]
    right, wrong = _given(trial, [*likely[: trial.samples], last])
    return replace(trial, given_right=round(right, 4), given_wrong=round(wrong, 4))


def _given(trial: Trial, passes: Sequence[float]) -> tuple[float, float]:
    """The probability that a right, and that a wrong answer is given: of each draw, where none before was accepted.

    The last is the stronger model's. Where it is asked, it is taken to pass as it does after a failure, also after a
    right answer that was not accepted: a little too seldom.
    """
    right, wrong, left = 0.0, 0.0, 1.0
    for each in passes:
        right += left * each * trial.true_accept
        wrong += left * (1 - each) * trial.false_accept
        left *= 1 - each * trial.true_accept - (1 - each) * trial.false_accept
    return right, wrong


def starting_with(made: Plan, feasible: Feasible, catalog: Catalog) -> Feasible:
    """The candidates from the plan's first model's tier up; the others are passed over with the numbers."""
    start = next(model for model in feasible.models if model.name == made.start)
    rank = catalog.tier_rank(start)
    why = {trial.weak: trial.line() for trial in made.trials}
    gone = [model for model in feasible.models if catalog.tier_rank(model) < rank]
    passed = [PassedOver(model.name, why.get(model.name, f"the plan starts with {made.start}")) for model in gone]
    return replace(
        feasible,
        models=tuple(model for model in feasible.models if model not in gone),
        passed_over=(*feasible.passed_over, *passed),
    )


def one_for_each_tier(
    models: Sequence[ModelBase], catalog: Catalog, usd: Callable[[ModelBase], float]
) -> list[ModelBase]:
    """The cheapest candidate of each tier, in the order of tiers."""
    cheapest: dict[int, ModelBase] = {}
    for model in sorted(models, key=usd):
        cheapest.setdefault(catalog.tier_rank(model), model)
    return [cheapest[rank] for rank in sorted(cheapest)]


def as_json(made: Plan) -> Mapping[str, JsonValue]:
    """For the record and for people."""
    trials: list[JsonValue] = [
        {
            **asdict(trial),
            "redraws": list(trial.redraws),
            "worth_it": trial.worth_it,
            "expected_usd": trial.expected_usd(trial.samples),
        }
        for trial in made.trials
    ]
    facts = {name: getattr(made, name) for name in ("start", "samples", "draw", "explored", "propensity", "estimates")}
    return {**facts, "trials": trials}
