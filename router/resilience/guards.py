"""The guards of all upstreams, by the names of their engines. Who calls it: the router; metrics read the states."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from inference.resilience import ResilienceSpec
from router.resilience.guard import Guard, UpstreamState


class Guards:
    """Makes a guard when it is first needed, by `make`; there are as many as engines."""

    def __init__(self, make: Callable[[str, ResilienceSpec], Guard] = Guard) -> None:
        self._make = make
        self._guards: dict[str, Guard] = {}

    def of(self, key: str, spec: ResilienceSpec) -> Guard:
        """The guard of an engine. Under another spec it is another engine, of which nothing is known yet."""
        guard = self._guards.get(key)
        if guard is None or guard.spec != spec:
            guard = self._guards[key] = self._make(key, spec)
        return guard

    def states(self) -> Sequence[UpstreamState]:
        """How all that were asked are doing."""
        return [guard.state() for guard in self._guards.values()]
