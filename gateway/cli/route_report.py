"""`bailey route report`: how well each workload is served, from the appliance's own ledger."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.output import out, table
from gateway.cli.period import Since, beginning
from gateway.settings import Settings

if TYPE_CHECKING:
    from router.evaluation.report import Report, Row

_COLUMNS = (
    "workload", "model", "asked", "failed", "usd", "tokens in", "out", "first p50", "p95", "total p50", "p95",
    "in level", "tests passed", "95 %", "escalated",
)  # fmt: skip


def report(
    since: Since = "7d",
    workload: Annotated[str | None, typer.Option(help="One workload alone.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="JSON with all fields.")] = False,
) -> None:
    """Say what each workload cost, how long it took, whether it kept its level and what passed its tests."""
    from gateway.config import load_config
    from gateway.stores import opened_ledger
    from router.evaluation.reading import reported

    settings = Settings()
    declared = {spec.name: spec for spec in load_config(settings.config).workloads}
    begin = beginning(since)
    if workload is not None and workload not in declared:
        valid = ", ".join(declared) or "none"
        raise typer.BadParameter(f"There is no workload {workload!r} in models.yaml; declared: {valid}.")

    async def work() -> Report:
        async with opened_ledger(settings) as ledger:
            return await reported(ledger, begin, declared, workload)

    found = asyncio.run(work())
    lost = {"calls": found.lost, "cost_usd": f"{found.lost_usd:f}"}
    if as_json:
        rows = [row.as_json() for row in found.rows()]
        typer.echo(json.dumps({"since": begin.isoformat(), "rows": rows, "lost": lost}))
        return
    out.print(table(_COLUMNS, map(_row, (row for row in found.rows() if row.model))))
    for row in found.rows():
        if row.refused:
            out.print(
                f"{row.refused} requests of {row.workload or 'no workload'} were refused before a model was asked."
            )
    if found.lost:
        out.print(f"{found.lost} calls were lost with their process and charged {found.lost_usd:f} USD.")


def _row(row: Row) -> tuple[object, ...]:
    told = row.as_json()
    seconds = ("first_token_seconds_p50", "first_token_seconds_p95", "total_seconds_p50", "total_seconds_p95")
    interval = row.tested.interval
    return (
        row.workload or "-",
        row.model,
        row.asked,
        row.failed,
        f"{row.cost_usd:f}",
        row.prompt_tokens,
        row.completion_tokens,
        *("-" if told[name] is None else f"{told[name]:g} s" for name in seconds),
        _percent(row.within_level.share),
        _percent(row.tested.share) + (f" of {row.tested.of}" if row.tested.of else ""),
        "-" if interval is None else f"{interval[0]:.0%} to {interval[1]:.0%}",
        _percent(row.escalated / row.asked if row.asked else None),
    )


def _percent(share: float | None) -> str:
    return "-" if share is None else f"{share:.1%}"
