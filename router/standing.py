"""How accounts stand with their budgets, as their last reservations told: the price of money, soft limits, alerts.

Nothing here refuses anything: hard limits are the ledger's, in the transaction that reserves. Who calls it: the
decision, for how dear money is just now, and the router, for alerts that are due.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from ledger.protocol import Budget, Draft, Reserved, Spend
from router.route import Route
from router.spec import BudgetSpec, RouteSpec

BUDGETS_STREAM = "budgets"
_HIGHEST_PRICE = 1000.0
_MOST_REMEMBERED = 10_000


@dataclass(frozen=True, slots=True)
class Pressure:
    """`price`: what a dollar counts for, 1 or more; `soft_limit_of`: an account that is over its soft limit, or ""."""

    price: float = 1.0
    soft_limit_of: str = ""


NO_PRESSURE = Pressure()


class Standing:
    """What was seen last of each account."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        """Nothing is known before the first reservation."""
        self._clock = clock
        self._seen: dict[Budget, Spend] = {}
        self._announced: set[str] = set()

    def remember(self, reserved: Reserved) -> None:
        """What accounts have with a reservation."""
        if len(self._seen) > _MOST_REMEMBERED:  # keys and tasks that came once; those in use come again
            self._seen.clear()
        self._seen.update(reserved.spends)

    def pressure(self, budgets: Iterable[tuple[Budget, BudgetSpec]]) -> Pressure:
        """The highest price among budgets, and the first of them that is over its soft limit."""
        now = self._clock()
        current = [(budget, spec, spend) for budget, spec in budgets if (spend := self._current(budget))]
        price = max((price_of(budget, spend, now) for budget, _, spend in current), default=1.0)
        soft = (budget.account for budget, spec, spend in current if used_share(budget, spend) >= spec.soft_limit)
        return Pressure(price, next(soft, ""))

    def alerts(self, budgets: Iterable[tuple[Budget, BudgetSpec]]) -> Iterator[Draft]:
        """An entry for each share of a budget that was reached for the first time in its window."""
        for budget, spec in budgets:
            spend = self._current(budget)
            for share in spec.alert_at if spend else ():
                if spend and used_share(budget, spend) >= share:
                    yield from self._once(_alert(budget, spend, share))

    def shares(self) -> Mapping[str, float]:
        """How much of its budget each account that is no key and no task has used, held money included."""
        current = {budget: spend for budget in self._seen if (spend := self._current(budget))}
        return {
            budget.account: used_share(budget, spend)
            for budget, spend in current.items()
            if not budget.account.startswith(("key/", "task/"))
        }

    def _current(self, budget: Budget) -> Spend | None:
        spend = self._seen.get(budget)
        return None if spend is None or (spend.window_ends and spend.window_ends <= self._clock()) else spend

    def _once(self, alert: Draft) -> Iterator[Draft]:
        if alert.key not in self._announced:
            if len(self._announced) > _MOST_REMEMBERED:  # the ledger knows them by their keys
                self._announced.clear()
            self._announced.add(str(alert.key))
            yield alert


def used_share(budget: Budget, spend: Spend) -> float:
    """How much of a budget is settled or held: of its dollars or its tokens, whichever is more."""
    usd, tokens = spend.settled_usd + spend.held_usd, spend.settled_tokens + spend.held_tokens
    shares = [(usd, budget.limit_usd), (Decimal(tokens), budget.limit_tokens)]
    return max((_share(used, Decimal(limit)) for used, limit in shares if limit is not None), default=0.0)


def price_of(budget: Budget, spend: Spend, now: datetime) -> float:
    """What a dollar counts for: the share of time that is left over the share of money that is left, at least 1.

    As long as money is not spent faster than time passes the price is 1. A budget without a window has no pace.
    """
    if spend.window_begins is None or spend.window_ends is None:
        return 1.0
    time_left = (spend.window_ends - now) / (spend.window_ends - spend.window_begins)
    money_left = 1 - used_share(budget, spend)
    if money_left <= time_left / _HIGHEST_PRICE:
        return _HIGHEST_PRICE
    return max(1.0, time_left / money_left)


def paced(spec: RouteSpec, pressure: Pressure) -> RouteSpec:
    """The route under pressure: difficulties must be nearer to 1 to skip a tier, and over a soft limit none is skipped.

    At price 1 a route is what it was; at twice the price half as much is left between a threshold and 1.
    """
    if pressure.soft_limit_of:
        return spec.model_copy(update={"thresholds": ()})
    raised = tuple(1 - (1 - threshold) / pressure.price for threshold in spec.thresholds)
    return spec.model_copy(update={"thresholds": raised}) if pressure.price > 1 else spec


def explained(route: Route, pressure: Pressure) -> Route:
    """The route with the pressure under which it was chosen."""
    if pressure == NO_PRESSURE:
        return route
    why = f"{pressure.soft_limit_of} is over its soft limit" if pressure.soft_limit_of else "money runs out early"
    reason = f"{route.reason}; {why}, a dollar counts for {pressure.price:.2f}"
    return replace(route, reason=reason, budget_price=pressure.price)


def _share(used: Decimal, limit: Decimal) -> float:
    return float(used / limit) if limit else 1.0


def _alert(budget: Budget, spend: Spend, share: float) -> Draft:
    begins = spend.window_begins.date().isoformat() if spend.window_begins else "always"
    return Draft(
        BUDGETS_STREAM,
        "budget.alert",
        actor="router",
        data={
            "account": budget.account,
            "reached": share,
            "window": budget.window,
            "window_begins": begins,
            "limit_usd": None if budget.limit_usd is None else f"{budget.limit_usd:f}",
            "limit_tokens": budget.limit_tokens,
            "settled_usd": f"{spend.settled_usd:f}",
            "held_usd": f"{spend.held_usd:f}",
            "settled_tokens": spend.settled_tokens,
            "held_tokens": spend.held_tokens,
        },
        key=f"budget/{budget.account}/{budget.window}/{begins}/{share:g}",
    )
