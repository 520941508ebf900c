"""`cpu_fallback`: the declared model that answers while another one has nothing that would. Pure.

It stands in every route right behind the model that it is for, so that it takes over before the first piece of an
answer; and where that model is known to be down, in its place. It is bound by the same policy as every candidate.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace

from inference.catalog import Catalog, LocalModel, ModelBase
from inference.errors import EngineError
from router.policy import Needs, PassedOver, feasible
from router.route import Route


def with_fallbacks(route: Route, catalog: Catalog, needs: Needs, *, air_gapped: bool) -> Route:
    """The route with the fallback of each candidate behind it, if that may answer; if not, with the reason."""
    candidates: list[ModelBase] = []
    passed_over: list[PassedOver] = []
    stands_in: dict[str, str] = {}
    for model in route.candidates:
        candidates.append(model)
        fallback = _fallback(model, catalog)
        if fallback is None or fallback in route.candidates or fallback in candidates:
            continue
        try:
            feasible([fallback], needs, air_gapped=air_gapped)
        except EngineError as error:
            passed_over.append(PassedOver(fallback.name, f"cpu_fallback of {model.name}: {error.message}"))
        else:
            candidates.append(fallback)
            stands_in[fallback.name] = model.name
    return replace(
        route,
        candidates=tuple(candidates),
        passed_over=(*route.passed_over, *passed_over),
        stands_in=stands_in,
    )


def may_be_replaced(route: Route) -> Sequence[ModelBase]:
    """The candidates of whom one should know whether they are down, because another one could answer instead."""
    return [model for model in route.candidates if model.name in route.stands_in.values()]


def without(route: Route, down: Collection[str]) -> Route:
    """The route without candidates that are down and have somebody who stands in."""
    if not down:
        return route
    gone = [
        PassedOver(model, f"it has no healthy replica; its cpu_fallback {fallback} answers")
        for fallback, model in route.stands_in.items()
        if model in down
    ]
    names = {passed.model for passed in gone}
    candidates = tuple(model for model in route.candidates if model.name not in names)
    first = candidates[0].name
    reason = f"cpu_fallback of {route.stands_in[first]}" if route.stands_in.get(first) in names else route.reason
    return replace(route, candidates=candidates, passed_over=(*route.passed_over, *gone), reason=reason)


def _fallback(model: ModelBase, catalog: Catalog) -> ModelBase | None:
    return catalog.get(model.cpu_fallback) if isinstance(model, LocalModel) and model.cpu_fallback else None
