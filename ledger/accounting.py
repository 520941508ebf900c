"""Money as whole nano-dollars, amounts of it and of tokens, and the windows they are counted in. Pure; no SQL.

A nano-dollar is 1e-9 USD. Costs are rounded up to it and limits down, so rounding never lets a
tenant spend more than the budget says. Windows are UTC days and months.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from decimal import Decimal
from typing import NamedTuple

from ledger.protocol import Window

NANOS_PER_USD = 10**9
MOST_NANOS = 2**63 - 1
MOST_TOKENS = 10**12
WINDOWS: tuple[Window, ...] = ("day", "month", "total")


class Amount(NamedTuple):
    """What is spent or held: nano-dollars and tokens."""

    nanos: int = 0
    tokens: int = 0

    def plus(self, other: Amount) -> Amount:
        """Both together."""
        return Amount(self.nanos + other.nanos, self.tokens + other.tokens)

    def minus(self, other: Amount) -> Amount:
        """Without the other."""
        return Amount(self.nanos - other.nanos, self.tokens - other.tokens)


NOTHING = Amount()


def amount_up(cost_usd: Decimal, tokens: int, what: str) -> Amount:
    """Dollars, rounded up, and tokens; `what` names the dollars in the `ValueError` of what cannot be counted."""
    if not 0 <= tokens <= MOST_TOKENS:
        raise ValueError(f"{tokens} tokens cannot be counted; the ledger counts 0 to {MOST_TOKENS} of a call.")
    return Amount(nanos_up(cost_usd, what), tokens)


def nanos_up(amount_usd: Decimal, what: str) -> int:
    """`amount_usd` in nano-dollars, rounded up; `what` names it in the `ValueError` of an amount that cannot be."""
    numerator, denominator = _ratio(amount_usd, what)
    return _countable(-(-numerator * NANOS_PER_USD // denominator), amount_usd, what)


def nanos_down(amount_usd: Decimal, what: str) -> int:
    """`amount_usd` in nano-dollars, rounded down; errors as `nanos_up`."""
    numerator, denominator = _ratio(amount_usd, what)
    return _countable(numerator * NANOS_PER_USD // denominator, amount_usd, what)


def usd(nanos: int) -> Decimal:
    """Nano-dollars as US dollars, exactly, with nine decimals."""
    return Decimal(nanos).scaleb(-9)


def usd_text(nanos: int) -> str:
    """Nano-dollars as the ledger writes them: "0.000001250"."""
    return f"{usd(nanos):.9f}"


def window_begins(window: Window, now: datetime) -> datetime | None:
    """The first moment of the window `now` falls into; None for "total". Raises `ValueError` for an unknown window."""
    if window not in WINDOWS:
        raise ValueError(f"Budget window {window!r} is unknown; the windows are {', '.join(WINDOWS)}.")
    if window == "total":
        return None
    midnight = now.astimezone(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
    return midnight if window == "day" else midnight.replace(day=1)


def window_ends(window: Window, now: datetime) -> datetime | None:
    """The first moment after the window `now` falls into; None for "total"."""
    begins = window_begins(window, now)
    if begins is None or window == "day":
        return begins and begins + timedelta(days=1)
    return (begins + timedelta(days=32)).replace(day=1)


def _ratio(amount_usd: Decimal, what: str) -> tuple[int, int]:
    if not amount_usd.is_finite() or amount_usd < 0:
        raise ValueError(f"{what} is {amount_usd} USD; it must be a finite amount that is not negative.")
    return amount_usd.as_integer_ratio()


def _countable(nanos: int, amount_usd: Decimal, what: str) -> int:
    if nanos > MOST_NANOS:
        raise ValueError(f"{what} is {amount_usd} USD; the ledger counts up to {usd(MOST_NANOS)} USD.")
    return nanos
