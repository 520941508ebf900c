"""`bailey route shadows`: a route's answers beside those of the model that is asked in its shadow."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.output import escape, out, table
from gateway.cli.period import Since, beginning
from gateway.settings import Settings

if TYPE_CHECKING:
    from router.shadows.comparison import Comparison, Estimate, Side
    from router.shadows.pairs import ShadowLog


def shadows(
    route: Annotated[str, typer.Argument(help="The route.")] = "auto",
    since: Since = "7d",
    as_json: Annotated[bool, typer.Option("--json", help="JSON with all fields.")] = False,
) -> None:
    """Compare a route with the models that shadow it, by the calls in the ledger; no model is asked."""
    from gateway.shadows import compared

    log, comparisons = asyncio.run(compared(Settings(), route, beginning(since)))
    if as_json:
        found = [asdict(comparison) for comparison in comparisons]
        typer.echo(json.dumps({"route": route, **_calls(log), "comparisons": found}))
        return
    out.print(f"{escape(route)}: {sum(log.endings.values())} calls ({_listed(log.endings) or 'none'}).")
    for model, endings in sorted(log.shadow_endings.items()):
        out.print(f"  shadows by {escape(model)}: {_listed(endings)}")
    if log.skipped:
        out.print(f"  shadows that were refused: {escape(_listed(log.skipped))}")
    for comparison in comparisons:
        out.print(f"\n{comparison.pairs} pairs of answers of {escape(route)} and {escape(comparison.model)}")
        out.print(table(["", "route", "shadow", "difference, 95 %"], _rows(comparison)))


def _calls(log: ShadowLog) -> dict[str, object]:
    return {"calls": log.endings, "shadows": log.shadow_endings, "refused": log.skipped}


def _rows(comparison: Comparison) -> list[tuple[str, ...]]:
    route, shadow = comparison.route, comparison.shadow
    return [
        ("models", _listed(route.models), _listed(shadow.models), ""),
        ("cost, USD a call", *_costs(comparison), _difference(comparison.cost_usd)),
        ("seconds, median", f"{route.seconds:.4g}", f"{shadow.seconds:.4g}", _difference(comparison.seconds)),
        ("first token, median", _first(route), _first(shadow), _difference(comparison.first_seconds)),
        ("share that failed", _share(route.failed), _share(shadow.failed), ""),
        ("finish reasons", _listed(route.finish_reasons), _listed(shadow.finish_reasons), ""),
        ("share of equal answers", "", _share(comparison.equal), ""),
    ]


def _costs(comparison: Comparison) -> tuple[str, str]:
    pairs = comparison.pairs
    return f"{comparison.route.cost_usd / pairs:.4g}", f"{comparison.shadow.cost_usd / pairs:.4g}"


def _first(side: Side) -> str:
    return "" if side.first_seconds is None else f"{side.first_seconds:.4g}"


def _difference(estimate: Estimate | None) -> str:
    if estimate is None:
        return ""
    if estimate.low is None or estimate.high is None:
        return f"{estimate.value:+.4g} (too few for an interval)"
    return f"{estimate.value:+.4g} ({estimate.low:+.4g} to {estimate.high:+.4g})"


def _share(estimate: Estimate | None) -> str:
    if estimate is None:
        return ""
    return f"{estimate.value:.3g} ({estimate.low:.3g} to {estimate.high:.3g})"


def _listed(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{number} {what}" for what, number in counts.items() if number)
