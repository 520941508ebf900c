"""`bailey budgets`: what everybody has spent and may still spend, on the appliance's own machine."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.output import out, table
from gateway.settings import Settings

if TYPE_CHECKING:
    from gateway.budgets import BudgetView


def budgets(as_json: Annotated[bool, typer.Option("--json", help="JSON lines with all fields.")] = False) -> None:
    """Show every budget of tenants, keys and models, with what is spent and held in its window."""
    from gateway.budgets import of_everybody, viewed
    from gateway.config import load_config
    from gateway.keys import Keys
    from gateway.stores import opened_ledger
    from ledger.sql_ledger import utc_now

    settings = Settings()
    declared = load_config(settings.config)

    async def work() -> list[BudgetView]:
        async with opened_ledger(settings) as ledger:
            keys = await Keys(ledger, utc_now).all()
            return await viewed(ledger, of_everybody(declared, keys))

    views = asyncio.run(work())
    if as_json:
        for view in views:
            typer.echo(json.dumps(view.as_json()))
        return
    columns = ["account", "window", "limit usd", "settled", "held", "limit tokens", "settled", "held", "ends (UTC)"]
    out.print(table(columns, [_row(view) for view in views]))


def _row(view: BudgetView) -> tuple[object, ...]:
    budget, spend = view.budget, view.spend
    ends = f"{spend.window_ends:%Y-%m-%d %H:%M}" if spend.window_ends else "never"
    usd = ("-" if budget.limit_usd is None else budget.limit_usd, spend.settled_usd, spend.held_usd)
    tokens = ("-" if budget.limit_tokens is None else budget.limit_tokens, spend.settled_tokens, spend.held_tokens)
    return (budget.account, budget.window, *usd, *tokens, ends)
