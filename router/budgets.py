"""Which accounts a call counts for, and which budgets and rates bind it: of tenant, key, task and model. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from inference.protocol import Caller, Usage
from ledger.protocol import Budget, tenant_account
from router.rates import Rate
from router.spec import BudgetSpec, TenantSpec


def tokens_of(usage: Usage) -> int:
    """What budgets and rates in tokens count: prompt and answer together."""
    return usage.prompt_tokens + usage.completion_tokens


def model_account(model: str) -> str:
    """What everybody spends on a model."""
    return f"model/{model}"


def tenant_model_account(tenant: str, model: str) -> str:
    """What a tenant spends on a model."""
    return f"tenant-model/{tenant}/{model}"


def key_account(key: str) -> str:
    """What is spent with an API key; `key` is its id."""
    return f"key/{key}"


def task_account(tenant: str, task: str) -> str:
    """What a tenant's task costs, all its calls together."""
    return f"task/{tenant}/{task}"


def accounts_of(caller: Caller, model: str) -> tuple[str, ...]:
    """All accounts that a call counts for, beside its tenant's."""
    return (
        model_account(model),
        tenant_model_account(caller.tenant, model),
        *([key_account(caller.key)] if caller.key else []),
        *([task_account(caller.tenant, caller.task)] if caller.task else []),
    )


def budgets_of(
    tenant: TenantSpec, models: Mapping[str, BudgetSpec], caller: Caller, model: str | None
) -> list[tuple[Budget, BudgetSpec]]:
    """The budgets that bind a call to `model`, or any call of the caller if None; each with how it was declared."""
    return [(spec.budget(account), spec) for account, spec in _declared(tenant, models, caller, model) if spec]


def rates_of(tenant: TenantSpec, caller: Caller) -> list[Rate]:
    """How much a tenant and a key may ask for."""
    own = tenant.key_rate.rates(key_account(caller.key)) if caller.key else []
    return [*tenant.rate.rates(tenant_account(tenant.name)), *own]


def _declared(
    tenant: TenantSpec, models: Mapping[str, BudgetSpec], caller: Caller, model: str | None
) -> Iterator[tuple[str, BudgetSpec | None]]:
    yield tenant_account(tenant.name), tenant.budget
    if caller.key:
        yield key_account(caller.key), tenant.key_budget
    if caller.task:
        yield task_account(tenant.name, caller.task), tenant.task_budget
    if model is not None:
        yield tenant_model_account(tenant.name, model), tenant.model_budgets.get(model)
        yield model_account(model), models.get(model)
