"""Which model a request starts with whose answer will be checked: the cheapest that is worth a try. Pure.

A weak model passes with probability p; a verifier accepts what is right with t and what is wrong with f, so it accepts
with a = p t + (1 - p) f. Trying the weak model first costs c_weak + c_verify + (1 - a) c_strong, so it is worth it
exactly if a > (c_weak + c_verify) / c_strong. That inequality, with its numbers, is what the record says. With a share
for exploring, chance starts with another model that may answer, and the record has the probability of that.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import pairwise

from inference.catalog import Catalog, ModelBase
from ledger.protocol import JsonValue
from router.estimates.exploration import explore
from router.policy import Feasible, PassedOver
from router.spec import PlanSpec


@dataclass(frozen=True, slots=True)
class Trial:
    """Trying `weak` before `strong`; probabilities, and dollars of one call each."""

    weak: str
    strong: str
    pass_probability: float
    accepted: float
    weak_usd: float
    verify_usd: float
    strong_usd: float

    @property
    def worth_it(self) -> bool:
        """The inequality. Where both are free nothing is lost by trying."""
        return self.accepted * self.strong_usd > self.weak_usd + self.verify_usd or self.strong_usd == 0

    def line(self) -> str:
        """The inequality in numbers."""
        sign = ">" if self.worth_it else "<="
        needed = f"({self.weak_usd:.3g} + {self.verify_usd:.3g}) / {self.strong_usd:.3g} USD"
        return f"{self.weak} before {self.strong}: accepted {self.accepted:.3f} {sign} {needed}"


@dataclass(frozen=True, slots=True)
class Plan:
    """Trials from the cheapest up, the model to start with, and the probability with which it was going to be.

    `estimates` is the digest of what was known then (router/estimates/artefact.py); by it the plan can be made again.
    """

    trials: tuple[Trial, ...]
    start: str
    propensity: float
    explored: bool = False
    estimates: str = ""

    def line(self) -> str:
        """Why it starts there."""
        return "; ".join(trial.line() for trial in self.trials) + ("; exploring" if self.explored else "")


@dataclass(frozen=True, slots=True)
class Prospects:
    """What is expected of models for one request, by name: that checks pass, and dollars of a call; and by whom."""

    pass_probability: Mapping[str, float]
    usd: Callable[[ModelBase], float]
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
    return Plan(tuple(trials), chosen.model, chosen.propensity, chosen.explored, prospects.estimates)


def _trial(spec: PlanSpec, weak: ModelBase, strong: ModelBase, prospects: Prospects) -> Trial:
    likely = prospects.pass_probability[weak.name]
    accepted = likely * spec.true_accept + (1 - likely) * spec.false_accept
    return Trial(
        weak.name,
        strong.name,
        round(likely, 4),
        round(accepted, 4),
        prospects.usd(weak),
        float(spec.verify_usd),
        prospects.usd(strong),
    )


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
    trials: list[JsonValue] = [{**asdict(trial), "worth_it": trial.worth_it} for trial in made.trials]
    facts = {name: getattr(made, name) for name in ("start", "explored", "propensity", "estimates")}
    return {**facts, "trials": trials}
