"""`bailey route`: where a request would go, and where one went, each with the reasons."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from gateway.cli.connection import connected
from gateway.cli.output import escape, out, table
from gateway.cli.period import Since, beginning
from gateway.cli.route_report import report
from gateway.cli.shadows import shadows
from gateway.settings import Settings

if TYPE_CHECKING:
    from router.estimates.artefact import Artefact
    from router.replay.whatif import Comparison, Figure

app = typer.Typer(help="See where requests go, and why.", no_args_is_help=True)
app.command()(report)
app.command()(shadows)
AsJson = Annotated[bool, typer.Option("--json", help="JSON with all fields.")]


@app.command()
def explain(
    prompt: Annotated[str, typer.Argument(help="What would be asked.")],
    model: Annotated[str, typer.Option(help="A model or a route.")] = "auto",
    tests: Annotated[Path | None, typer.Option(exists=True, dir_okay=False, help="Tests of a verified answer.")] = None,
    as_json: AsJson = False,
) -> None:
    """Say which models would be asked, in order, which would not, and why. Nothing is sent."""
    body: dict[str, object] = {"model": model, "messages": [{"role": "user", "content": prompt}]}
    if tests:
        body["verify"] = {"tests": tests.read_text()}
    with connected() as client:
        decision = client.post("/v1/routes/explain", body)
    if as_json:
        typer.echo(json.dumps(decision))
        return
    out.print(f"{escape(decision['asked'])}: {escape(decision['reason'])}")
    _print_plan(decision)
    features = ", ".join(f"{name} {value:g}" for name, value in decision["features"].items() if value)
    out.print(f"difficulty {decision['difficulty']:g} ({features or 'nothing that makes it hard'})")
    columns = ["candidate", "version", "tier", "where", "expected usd", "at worst"]
    fields = ("model", "version", "tier", "location", "expected_usd", "worst_usd")
    out.print(table(columns, [[each[field] for field in fields] for each in decision["candidates"]]))
    _print_passed_over(decision)


@app.command()
def show(
    request_id: Annotated[str, typer.Argument(help="As in `x-request-id`.")],
    as_json: AsJson = False,
) -> None:
    """Say where a request went, why, and what came of it."""
    with connected() as client:
        route = client.get(f"/v1/routes/{request_id}")
    if as_json:
        typer.echo(json.dumps(route))
        return
    for call in route["calls"]:
        _print_call(call)


@app.command()
def replay(
    other: Annotated[Path, typer.Option("--with", exists=True, dir_okay=False, help="Another models.yaml.")],
    since: Since = "7d",
    as_json: AsJson = False,
) -> None:
    """Say what another models.yaml would have meant for the calls in the ledger; no model is asked."""
    from gateway.replay import replayed

    comparison, left_out = asyncio.run(replayed(Settings(), other, beginning(since)))
    if as_json:
        typer.echo(json.dumps({**asdict(comparison), "changed": _changes(comparison), "left_out": left_out}))
        return
    out.print(f"{comparison.calls} calls decided again; {sum(comparison.changed.values())} would go elsewhere.")
    for told in (*_changes(comparison), *_gaps(comparison, left_out)):
        out.print(f"  {told['calls']} {escape(str(told['what']))}")
    out.print(table(["", "was", "would be", "difference, 95 %"], map(_difference, comparison.figures)))
    out.print(f"Effective sample size {comparison.effective:.0f}: calls that say what the other rules' choice does.")


@app.command()
def train() -> None:
    """Learn from answers whose tests ran which model passes what; running appliances take it up at once."""
    from gateway.config import load_config
    from gateway.learning import learn
    from gateway.stores import opened_ledger
    from router.estimates.informing import informed_by

    settings = Settings()
    workloads = {spec.name: spec for spec in load_config(settings.config).workloads}

    async def work() -> dict[tuple[str, ...], Artefact]:
        async with opened_ledger(settings) as ledger:
            return await learn(ledger, "operator", workloads)

    for sources, artefact in asyncio.run(work()).items():
        if workloads:
            learners = (name for name, informed in informed_by(workloads).items() if informed == sources)
            out.print(f"{_named(learners)}, from {_named(sources)}:")
        rows = sorted(artefact.facts.outcomes.items())
        out.print(table(["model", "tested answers"], rows) if rows else "No answer was tested yet; nothing was learnt.")
        out.print(f"Learnt from {artefact.facts.requests} requests: artefact {artefact.digest}.")


def _named(workloads: Iterable[str]) -> str:
    return ", ".join(name or "no workload" for name in workloads)


def _changes(comparison: Comparison) -> list[dict[str, object]]:
    ranked = sorted(comparison.changed.items(), key=lambda change: -change[1])
    return [{"calls": calls, "what": f"from {before} to {after}"} for (before, after), calls in ranked]


def _gaps(comparison: Comparison, left_out: Mapping[str, int]) -> list[dict[str, object]]:
    unknown = "would go to {}, which never answered: they count in the cost alone"
    return [
        *({"calls": calls, "what": f"would be refused: {code}"} for code, calls in comparison.refused.items()),
        *({"calls": calls, "what": unknown.format(name)} for name, calls in comparison.without_record.items()),
        *({"calls": calls, "what": f"left out: {why}"} for why, calls in left_out.items()),
    ]


def _difference(figure: Figure) -> tuple[str, ...]:
    return (figure.name, f"{figure.was:.4g}", f"{figure.would_be:.4g}", f"{figure.low:+.4g} to {figure.high:+.4g}")


def _print_call(call: Mapping[str, Any]) -> None:
    if call["ending"] == "refused":
        out.print(f"{call['time']}  {escape(call['asked'])}: refused: {escape(call['error'])}")
        return
    verified = {True: ", verified", False: ", failed verification", None: ""}[call["verified"]]
    out.print(f"{call['time']}  {escape(call['asked'])}: {call['ending']}{verified}")
    out.print(f"  {escape(call['model'])}@{escape(call['version'])} ({call['tier']}): {escape(call['reason'])}")
    _print_plan(call)
    cached = f" ({call['cached_tokens']} cached)" if call.get("cached_tokens") else ""
    tokens = f"{call['prompt_tokens']}{cached} + {call['completion_tokens']} tokens"
    waited = f", {call['waited_seconds']:g} of them for a slot" if call.get("waited_seconds") else ""
    out.print(f"  {tokens}, {call['cost_usd']} USD, {call['total_seconds']:g} s{waited}; ledger entry {call['seq']}")
    if shadowed := call.get("shadow_of"):
        out.print(f"  a shadow of {escape(shadowed)}, whose answer nobody saw")
    if shared := call.get("answer_of"):
        out.print(f"  the answer of {escape(shared)}")
    for what, went in call["let_go"].items():
        out.print(f"  its {what} was {went}")
    for other in call["taken_over"]:
        out.print(f"  taken over from {escape(other['model'])}: {escape(other['error'])}")
    _print_passed_over(call)


def _print_plan(decision: Mapping[str, Any]) -> None:
    """By what was known: the artefact's digest, under which the ledger keeps it."""
    if plan := decision.get("plan"):
        for trial in plan["trials"]:
            _print_trial(trial)
        if estimates := plan.get("estimates"):
            out.print(f"  planned by estimates {escape(estimates)}")


def _print_trial(trial: Mapping[str, Any]) -> None:
    """What checks let through, and what comes of it; records of before these were estimated have none of it."""
    if "given_right" not in trial:
        return
    weak, strong = escape(trial["weak"]), escape(trial["strong"])
    accepts = f"{trial['true_accept']:.3g} of right and {trial['false_accept']:.3g} of wrong answers"
    out.print(f"  of {weak}, checks accept {accepts}; {strong} passes {trial['rescue']:.3g} of what it fails")
    out.print(
        f"  so a right answer is given with {trial['given_right']:.3g}, a wrong one with {trial['given_wrong']:.3g}"
    )


def _print_passed_over(decision: Mapping[str, Any]) -> None:
    for passed in decision["passed_over"]:
        out.print(f"  not {escape(passed['model'])}: {escape(passed['reason'])}")
