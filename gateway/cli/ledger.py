"""`bailey ledger`: look at what happened, verify that it is the truth, take it elsewhere."""

from __future__ import annotations

import asyncio
import json
import sys
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.output import err, out, table
from gateway.settings import Settings
from ledger.protocol import Entry, Verification

app = typer.Typer(help="Show, verify and export the ledger.", no_args_is_help=True)


@app.command()
def show(
    stream: Annotated[str | None, typer.Option(help='One stream, or "task/" for all below.')] = None,
    last: Annotated[int, typer.Option(min=1, help="How many of the newest entries.")] = 30,
    as_json: Annotated[bool, typer.Option("--json", help="JSON lines with all fields.")] = False,
) -> None:
    """Show entries, oldest first."""
    from gateway.assemble import opened_ledger

    async def work() -> list[Entry]:
        async with opened_ledger(Settings()) as ledger:
            return (await ledger.read(stream=stream))[-last:]

    entries = asyncio.run(work())
    if as_json:
        for entry in entries:
            typer.echo(json.dumps(as_dict(entry)))
        return
    rows = [
        (
            entry.seq,
            f"{entry.time:%Y-%m-%d %H:%M:%S}",
            entry.stream,
            entry.type,
            entry.actor,
            entry.cost_usd,
            entry.hash[:12],
        )
        for entry in entries
    ]
    out.print(table(["seq", "time (UTC)", "stream", "type", "actor", "usd", "hash"], rows))


@app.command()
def verify(
    exported: Annotated[
        Path | None,
        typer.Argument(exists=True, dir_okay=False, help="An exported file; without it, the appliance's own."),
    ] = None,
) -> None:
    """Recompute every hash, link, body and total; exit code 1 when anything does not hold."""
    from gateway.assemble import opened_ledger
    from ledger.export import verify_export

    async def work() -> Verification:
        async with opened_ledger(Settings()) as ledger:
            return await ledger.verify()

    if exported is None:
        found = asyncio.run(work())
    else:
        with exported.open(encoding="utf-8", errors="replace") as lines:  # what is no text does not hold either
            found = verify_export(lines)
    if not found.ok:
        err.print(f"[bold red]The ledger does not hold:[/] {found.problem}")
        sys.exit(1)
    out.print(f"The ledger holds: {found.entries} entries, {found.bodies} bodies, head {found.head_hash}.")


@app.command()
def export(
    target: Annotated[Path, typer.Argument(help="File of JSON lines to write.")],
    bodies: Annotated[bool, typer.Option(help="Include the bodies (prompts, answers, patches).")] = False,
) -> None:
    """Write all entries as JSON lines, for an auditor; `--bodies` with what they refer to."""
    from gateway.assemble import opened_ledger

    async def work() -> int:
        lines = 0
        async with opened_ledger(Settings()) as ledger:
            with target.open("w", encoding="utf-8") as file:
                async for line in ledger.export(bodies=bodies):
                    file.write(json.dumps(line) + "\n")
                    lines += 1
        return lines

    out.print(f"{asyncio.run(work())} lines written to {target}.")


def as_dict(entry: Entry) -> dict[str, object]:
    """All fields of an entry, as JSON can carry them."""
    return {
        **{name: getattr(entry, name) for name in Entry.__slots__},
        "time": entry.time.isoformat(),
        "cost_usd": f"{entry.cost_usd:f}",
    }
