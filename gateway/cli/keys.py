"""`bailey keys`: make, list and revoke API keys, on the appliance's own machine."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from gateway.cli.output import out, table
from gateway.keys import Role
from gateway.settings import Settings

app = typer.Typer(help="Make, list and revoke API keys.", no_args_is_help=True)


@app.command()
def create(
    actor: Annotated[str, typer.Argument(help="The person or program that will use the key.")],
    role: Annotated[Role, typer.Option(help="developer: call and submit; approver: also decide.")] = "developer",
    tenant: Annotated[str, typer.Option(help="Whose budget and rules apply.")] = "default",
    days: Annotated[float | None, typer.Option(help="Days until it expires; unset: never.")] = None,
    data_class: Annotated[
        str, typer.Option(help="The least that its requests have, if stricter than the tenant's.")
    ] = "",
) -> None:
    """Make a key and print it; it is shown only this once."""
    from gateway.config import load_config
    from gateway.stores import opened_keys

    settings = Settings()
    config = load_config(settings.config)
    known = [item.name for item in config.tenants]
    if tenant not in known:
        raise typer.BadParameter(f"There is no tenant {tenant!r}; declared: {', '.join(known)}.")

    if data_class and data_class not in config.data_classes:
        raise typer.BadParameter(f"There is no data class {data_class!r}; declared: {', '.join(config.data_classes)}.")

    async def work() -> str:
        async with opened_keys(settings) as keys:
            return (await keys.create(actor, tenant=tenant, role=role, days=days, data_class=data_class))[0]

    typer.echo(asyncio.run(work()))


@app.command(name="list")
def list_keys() -> None:
    """Show all keys (never the tokens)."""
    from gateway.stores import opened_keys

    async def work() -> list[tuple[object, ...]]:
        async with opened_keys(Settings()) as keys:
            return [
                (
                    *(key.id, key.actor, key.role, key.tenant, key.data_class or "the tenant's"),
                    *(key.expires or "never", "revoked" if key.revoked else ""),
                )
                for key in await keys.all()
            ]

    out.print(table(["id", "actor", "role", "tenant", "data class", "expires", ""], asyncio.run(work())))


@app.command()
def revoke(key_id: Annotated[str, typer.Argument(help="As `bailey keys list` shows it.")]) -> None:
    """Take a key out of use; a running appliance refuses it within a second."""
    from gateway.stores import opened_keys

    async def work() -> str:
        async with opened_keys(Settings()) as keys:
            return (await keys.revoke(key_id)).actor

    out.print(f"The key of {asyncio.run(work())} is revoked.")
