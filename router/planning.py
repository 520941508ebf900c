"""Plans for requests whose answer will be checked, by what this appliance has learnt so far. Called by the decision.

As long as nothing was learnt, or too little, nothing is planned: the request's difficulty decides, as for all others.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import replace

from inference.catalog import Catalog, ModelBase
from inference.protocol import ChatRequest
from inference.verification import CheckKind, Verified
from router.estimates.estimator import Estimate, Estimates, Estimator
from router.estimates.features import of_request
from router.estimates.outcome import Context
from router.plans import Plan, Prospects, one_for_each_tier, plan, starting_with
from router.policy import Feasible
from router.route import Route, expected_cost
from router.spec import PlanSpec, RouteSpec


class Planner:
    """`estimators` are what was learnt, by workload; whoever assembles the router hands them over."""

    def __init__(self, catalog: Catalog) -> None:
        self._catalog = catalog
        self.estimators: Mapping[str, Estimator] = {}

    def plan(self, spec: RouteSpec, allowed: Feasible, request: ChatRequest) -> Plan | None:
        """Where to start, or None where difficulty decides: unchecked, tried before, or not enough learnt."""
        if spec.plan is None or request.checking is None or request.tried:
            return None
        names = [model.name for model in allowed.models]
        if request.checking.again in names:
            return Plan((), request.checking.again, 1.0, draw=request.checking.draw)
        estimator = self.estimators.get(request.caller.workload)
        if estimator is None:
            return None
        estimates = estimator.estimate(of_request(request), names, Context.of(request))

        def usd(model: ModelBase) -> float:
            seen = estimates[model.name].cost_usd
            return seen.p50 if seen else float(expected_cost(model.price, request))

        ranked = one_for_each_tier(allowed.models, self._catalog, usd)
        if len(ranked) < 2 or not all(_is_known(spec.plan, estimates[model.name]) for model in ranked[:-1]):
            return None
        prospects = _prospects(estimates, usd, spec.plan, request.checking.kind, estimator.digest)
        return plan(spec.plan, ranked, prospects, _draw(request.request_id))

    def restrict(self, made: Plan | None, spec: RouteSpec, allowed: Feasible) -> tuple[RouteSpec, Feasible]:
        """The route and its candidates under a plan, which then stands for the thresholds of difficulty."""
        if made is None:
            return spec, allowed
        return spec.model_copy(update={"thresholds": ()}), starting_with(made, allowed, self._catalog)


def under(made: Plan | None, route: Route) -> Route:
    """The route with the plan that it follows, as its reason; the model that it starts with is asked first."""
    if made is None:
        return route
    candidates = tuple(sorted(route.candidates, key=lambda model: model.name != made.start))
    chance = route.propensity * made.propensity
    return replace(route, candidates=candidates, reason=made.line(), plan=made, propensity=chance)


def told(route: Route, model: ModelBase) -> Verified | None:
    """What whoever checks is told with the answer of a model: how many draws the plan gives it, if it does."""
    made = route.plan
    return Verified("", samples=made.samples) if made and made.samples and made.start == model.name else None


def _is_known(spec: PlanSpec, estimate: Estimate) -> bool:
    return estimate.outcomes >= spec.least_outcomes


def _prospects(
    estimates: Estimates, usd: Callable[[ModelBase], float], spec: PlanSpec, kind: CheckKind, digest: str
) -> Prospects:
    """What checks without tests accept of wrong answers was learnt where tests followed; of tests nobody knows it."""

    def false_accept(model: str) -> float:
        declared = spec.false_accept
        return estimates.accepted_wrong(model, declared) if kind == "checks" else declared

    return Prospects(
        {model: estimate.pass_probability for model, estimate in estimates.items()},
        {model: estimates.second_draw(model) for model in estimates},
        usd,
        estimates.rescue,
        false_accept,
        digest,
    )


def _draw(request_id: str) -> float:
    """A number in [0, 1) that a request keeps, however often it is decided."""
    return int.from_bytes(hashlib.blake2b(request_id.encode(), digest_size=8).digest()) / 2**64
