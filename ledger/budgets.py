"""Whether a budget has room for what is asked, and the sentence if it has not. Pure; no SQL."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from ledger.accounting import Amount, nanos_down, usd, usd_text, window_begins, window_ends
from ledger.chain import time_text
from ledger.protocol import Budget, BudgetExceeded, Spend, Window


@dataclass(frozen=True, slots=True)
class Balance:
    """What an account has spent in the window that `now` falls into, and holds."""

    settled: Amount
    held: Amount
    window: Window
    now: datetime

    def spend(self) -> Spend:
        """As `Accounts.spend` tells it."""
        begins, ends = window_begins(self.window, self.now), window_ends(self.window, self.now)
        settled, held = self.settled, self.held
        return Spend(usd(settled.nanos), usd(held.nanos), begins, ends, settled.tokens, held.tokens)


def refusal(budget: Budget, balance: Balance, asked: Amount) -> BudgetExceeded | None:
    """Why a budget has no room; None if it has. Raises `ValueError` for a limit that cannot be."""
    used = balance.settled.plus(balance.held)
    most = None if budget.limit_usd is None else nanos_down(budget.limit_usd, "The budget's limit_usd")
    if most is not None and asked.nanos and used.nanos + asked.nanos > most:
        return _exceeded(budget, balance, _money(budget, balance, asked))
    if budget.limit_tokens is not None and asked.tokens and used.tokens + asked.tokens > budget.limit_tokens:
        return _exceeded(budget, balance, _tokens(budget, balance, asked))
    return None


def _exceeded(budget: Budget, balance: Balance, what: str) -> BudgetExceeded:
    kind, _, name = budget.account.partition("/")
    ends = window_ends(budget.window, balance.now)
    end = f"The window ends {time_text(ends)}." if ends else "The budget has no window that ends."
    return BudgetExceeded(f"{kind.capitalize()} {name!r} may {what}. {end}", account=budget.account, window_ends=ends)


def _money(budget: Budget, balance: Balance, asked: Amount) -> str:
    settled, held, more = (usd_text(amount.nanos) for amount in (balance.settled, balance.held, asked))
    return (
        f"spend {budget.limit_usd} USD per {budget.window}: {settled} USD is settled and {held} USD is held, "
        f"so {more} USD more does not fit"
    )


def _tokens(budget: Budget, balance: Balance, asked: Amount) -> str:
    return (
        f"use {budget.limit_tokens} tokens per {budget.window}: {balance.settled.tokens} are settled and "
        f"{balance.held.tokens} are held, so {asked.tokens} more do not fit"
    )
