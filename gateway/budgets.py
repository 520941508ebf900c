"""What is left to spend: the budgets of a caller or of everybody, with what the ledger has of each."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from gateway.config import Config
from gateway.keys import Key
from inference.protocol import Caller
from ledger.protocol import Accounts, Budget, Spend
from router.budgets import budgets_of


@dataclass(frozen=True, slots=True)
class BudgetView:
    """A budget and what its account has in the current window."""

    budget: Budget
    spend: Spend

    def as_json(self) -> dict[str, object]:
        """All of it; dollars as decimal text, times in ISO 8601."""
        ends = self.spend.window_ends
        return {
            "account": self.budget.account,
            "window": self.budget.window,
            "window_ends": ends.isoformat() if ends else None,
            "limit_usd": None if self.budget.limit_usd is None else f"{self.budget.limit_usd:f}",
            "settled_usd": f"{self.spend.settled_usd:f}",
            "held_usd": f"{self.spend.held_usd:f}",
            "limit_tokens": self.budget.limit_tokens,
            "settled_tokens": self.spend.settled_tokens,
            "held_tokens": self.spend.held_tokens,
        }


def of_caller(config: Config, caller: Caller) -> list[Budget]:
    """What binds calls of a caller, to whatever model."""
    tenant = next(tenant for tenant in config.tenants if tenant.name == caller.tenant)
    models = [None, *(model.name for model in config.models)]
    return _once(budget for model in models for budget, _ in budgets_of(tenant, config.model_budgets, caller, model))


def of_everybody(config: Config, keys: Sequence[Key]) -> list[Budget]:
    """What binds calls of any tenant with any of these keys; budgets of single tasks are left out."""
    names = {tenant.name for tenant in config.tenants}
    callers = [Caller(tenant=name) for name in names]
    callers += [Caller(key.tenant, key.actor, key=key.id) for key in keys if key.tenant in names and not key.revoked]
    return sorted(_once(budget for caller in callers for budget in of_caller(config, caller)), key=_name)


async def viewed(accounts: Accounts, budgets: Iterable[Budget]) -> list[BudgetView]:
    """Each with what its account has now."""
    return [BudgetView(budget, await accounts.spend(budget.account, budget.window)) for budget in budgets]


def _once(budgets: Iterable[Budget]) -> list[Budget]:
    return list(dict.fromkeys(budgets))


def _name(budget: Budget) -> str:
    return budget.account
