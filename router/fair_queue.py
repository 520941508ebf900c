"""A queue in which tenants take turns by weight, and each tenant's items keep their order.

Start-time fair queueing (Goyal, Vin and Cheng, SIGCOMM 1996) where every turn costs the same. It knows nothing of
slots, sizes or clocks: what waits are any hashable items. Who calls it: the slots in front of a model.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from typing import Generic, TypeVar

T = TypeVar("T")


class FairQueue(Generic[T]):
    """Each tenant has a virtual time at which its next turn starts, and a turn takes `1 / weight` of that time.

    The earliest start is next, and is the time from then on; who had nothing waiting starts no earlier than that. So
    all starts are within one turn of the time, and of two tenants that wait all the while the turns `a` and `b` differ
    by no more than `|a / weight_a - b / weight_b| <= 1 / weight_a + 1 / weight_b`. A turn is found among the tenants
    that wait, however much they have waiting.
    """

    def __init__(self, weights: Mapping[str, float]) -> None:
        """Nothing waits. Who is not in `weights` has the weight 1."""
        self._weights = weights
        self._now = 0.0
        self._starts: dict[str, float] = {}
        self._waiting: dict[str, OrderedDict[T, None]] = {}

    def __len__(self) -> int:
        return sum(map(len, self._waiting.values()))

    def counts(self) -> dict[str, int]:
        """How much each tenant has waiting that has anything."""
        return {tenant: len(items) for tenant, items in self._waiting.items()}

    def add(self, tenant: str, item: T) -> None:
        """Put an item behind all others of its tenant."""
        self._waiting.setdefault(tenant, OrderedDict())[item] = None

    def discard(self, tenant: str, item: T) -> None:
        """Take an item out, if it still waits; that is no turn."""
        if item in self._waiting.get(tenant, ()):
            del self._waiting[tenant][item]
            self._forget_if_empty(tenant)

    def pop(self) -> T:
        """The item whose turn it is; there must be one."""
        tenant = min(self._waiting, key=self._turn)
        self.take_turn(tenant)
        return self._popped(tenant, last=False)

    def take_turn(self, tenant: str) -> None:
        """Count a turn of a tenant; who need not wait for one calls this when nobody waits."""
        self._now, _ = self._turn(tenant)
        self._starts[tenant] = self._now + 1 / self._weight(tenant)

    def is_before_last(self, tenant: str) -> bool:
        """Whether another item of the tenant would have its turn before the last of those that wait."""
        before = len(self._waiting.get(tenant, ()))
        return bool(self._waiting) and self._turn(tenant, before) < self._last_turn(self._last())

    def pop_last(self) -> tuple[str, T]:
        """The item whose turn would come last, and its tenant; there must be one.

        It is the newest of the tenant that, up to one turn, has the most waiting for its weight.
        """
        tenant = self._last()
        return tenant, self._popped(tenant, last=True)

    def _last(self) -> str:
        return max(self._waiting, key=self._last_turn)

    def _last_turn(self, tenant: str) -> tuple[float, int]:
        return self._turn(tenant, len(self._waiting[tenant]) - 1)

    def _turn(self, tenant: str, before: int = 0) -> tuple[float, int]:
        """When a turn of a tenant starts that has so many before it; at the same time, fewer of its own go first."""
        return max(self._starts.get(tenant, 0.0), self._now) + before / self._weight(tenant), before

    def _weight(self, tenant: str) -> float:
        return self._weights.get(tenant, 1.0)

    def _popped(self, tenant: str, *, last: bool) -> T:
        item, _ = self._waiting[tenant].popitem(last=last)
        self._forget_if_empty(tenant)
        return item

    def _forget_if_empty(self, tenant: str) -> None:
        if not self._waiting[tenant]:
            del self._waiting[tenant]
