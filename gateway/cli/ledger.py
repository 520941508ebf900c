"""`bailey ledger`: look at what happened, verify that it is true, take it elsewhere, let go of what had its time."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.output import err, out, table
from gateway.settings import Settings
from ledger.protocol import Entry, Verification
from ledger.retention import LetGo, Swept

app = typer.Typer(help="Show, verify and export the ledger.", no_args_is_help=True)


@app.command()
def show(
    stream: Annotated[str | None, typer.Option(help='One stream, or "task/" for all below.')] = None,
    last: Annotated[int, typer.Option(min=1, help="How many of the newest entries.")] = 30,
    as_json: Annotated[bool, typer.Option("--json", help="JSON lines with all fields.")] = False,
) -> None:
    """Show entries, oldest first."""
    from gateway.stores import opened_ledger

    async def work() -> tuple[list[Entry], Mapping[str, LetGo]]:
        async with opened_ledger(Settings()) as ledger:
            entries = (await ledger.read(stream=stream))[-last:]
            return entries, await ledger.let_go([digest for entry in entries for digest in _digests(entry)])

    entries, went = asyncio.run(work())
    if as_json:
        for entry in entries:
            typer.echo(json.dumps({**as_dict(entry), "let_go": _gone(entry, went)}))
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
            ", ".join(f"{what}: entry {seq}" for what, seq in _gone(entry, went).items()),
        )
        for entry in entries
    ]
    out.print(table(["seq", "time (UTC)", "stream", "type", "actor", "usd", "hash", "bodies let go"], rows))


@app.command()
def verify(
    exported: Annotated[
        Path | None,
        typer.Argument(exists=True, dir_okay=False, help="An exported file; without it, the appliance's own."),
    ] = None,
) -> None:
    """Recompute every hash, link, body and total; exit code 1 when anything does not hold."""
    from gateway.stores import opened_ledger
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
    if found.let_go:
        out.print(f"{found.let_go} bodies were let go under retention; their entries hold.")


@app.command()
def sweep(
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what would go.")] = False,
) -> None:
    """Let go of bodies that are kept longer than models.yaml says; `bailey serve` does it every hour."""
    from gateway.config import load_config
    from gateway.retention import in_words, retention_of
    from gateway.stores import opened_ledger

    settings = Settings()
    rules = retention_of(load_config(settings.config))

    async def work() -> Swept:
        async with opened_ledger(settings) as ledger:
            return await ledger.sweep(rules, dry_run=dry_run)

    if not rules.periods:
        out.print("models.yaml says nothing about retention_days: everything is kept.")
        return
    swept = asyncio.run(work())
    if dry_run:
        out.print(f"{swept.bodies} bodies ({swept.content_bytes} bytes) would be let go.")
    else:
        out.print(in_words(swept))


@app.command()
def export(
    target: Annotated[Path, typer.Argument(help="File of JSON lines to write.")],
    bodies: Annotated[bool, typer.Option(help="Include the bodies (prompts, answers, patches).")] = False,
) -> None:
    """Write all entries as JSON lines, for an auditor; `--bodies` with what they refer to."""
    from gateway.stores import opened_ledger

    async def work() -> int:
        lines = 0
        async with opened_ledger(Settings()) as ledger:
            with target.open("w", encoding="utf-8") as file:
                async for line in ledger.export(bodies=bodies):
                    file.write(json.dumps(line) + "\n")
                    lines += 1
        return lines

    out.print(f"{asyncio.run(work())} lines written to {target}.")


def _digests(entry: Entry) -> list[str]:
    return [digest for digest in (entry.input_digest, entry.output_digest) if digest]


def _gone(entry: Entry, went: Mapping[str, LetGo]) -> dict[str, int]:
    """Which of its bodies went under retention, and the entries that say so."""
    named = {"input": entry.input_digest or "", "output": entry.output_digest or ""}
    return {what: went[digest].seq for what, digest in named.items() if digest in went}


def as_dict(entry: Entry) -> dict[str, object]:
    """All fields of an entry, as JSON can carry them."""
    return {
        **{name: getattr(entry, name) for name in Entry.__slots__},
        "time": entry.time.isoformat(),
        "cost_usd": f"{entry.cost_usd:f}",
    }
