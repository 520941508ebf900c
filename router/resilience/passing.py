"""A route without the upstreams that are left alone just now. Who calls it: the decision, as its last step."""

from __future__ import annotations

from collections.abc import Callable

from inference.catalog import ModelBase
from inference.protocol import ChatRequest
from router.policy import PassedOver
from router.resilience.guard import Guard
from router.route import Route


def without_ejected(
    route: Route, request: ChatRequest, guard_of: Callable[[ModelBase], Guard], spared: ModelBase | None = None
) -> Route:
    """The route's candidates that may be asked now, and why not the others.

    If that is none, the one that may be asked soonest stays: its guard refuses, and says when to come back. The same
    goes for one that is `spared`.
    """
    guards = [(model, guard_of(model).ejection()) for model in route.candidates]
    seen = [(model, None if model is spared else ejection) for model, ejection in guards]
    ejected = [(model, ejection) for model, ejection in seen if ejection]
    if not ejected:
        return route
    soonest, _ = min(ejected, key=lambda each: each[1].seconds)
    asked = tuple(model for model, ejection in seen if not ejection) or (soonest,)
    gone = [PassedOver(model.name, ejection.reason) for model, ejection in ejected if model is not asked[0]]
    return route.of(asked, gone, request)
