"""A task's events as lines for people: one function per kind of event, used by `bailey task` and the demo."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from gateway.cli.output import escape

Data = Mapping[str, Any]
Event = Mapping[str, Any]
_MARK = {"pass": "[green]✓[/]", "fail": "[red]✗[/]", "inconclusive": "[yellow]?[/]"}
_DOING = {
    "plan": "planning",
    "baseline": "running the tests as they are",
    "context": "choosing the context",
    "draft": "drafting",
    "verify": "verifying in the sandbox",
    "verdict": "deciding by policy",
    "propose": "proposing the change",
    "merge": "merging",
    "rollback": "rolling back",
}


def doing(event: Event) -> str | None:
    """What has begun, for a progress display; None for events that begin nothing."""
    if event["type"] != "step.started":
        return None
    return _DOING.get(_step(event["data"]), "working")


def lines(event: Event) -> list[str]:
    """What the event says, as lines of rich markup; none for what only a progress display shows."""
    data = event["data"]
    if event["type"] == "step.finished":
        heading = str(data["step"]).replace("/", " ")
        first, *rest = _STEPS[_step(data)](data)
        return [f"[bold]{heading:<10}[/] {first}", *(f"{'':<10} {line}" for line in rest)]
    if event["type"] in _TASK:
        word, text = _TASK[event["type"]](event, data)
        return [f"[bold]{word:<10}[/] {text}"]
    return []


def _step(data: Data) -> str:
    return str(data["step"]).split("/")[0]


def _text(value: object) -> str:
    return escape(str(value))


def _plan(data: Data) -> list[str]:
    if data["refusal"]:
        return [f"[red]{_text(data['refusal'])}[/]"]
    steps = " → ".join(data["steps"])
    limits = f"at most {data['attempts_per_tier']} answers a tier and {data['budget_usd']} USD"
    return [f"change {_text(', '.join(data['files']))}; {limits}; policy will say {data['expected_decision']}", steps]


def _baseline(data: Data) -> list[str]:
    red = f", red: {_text(', '.join(data['failed']))}" if data["failed"] else ", none red"
    return [f"{data['passed']} tests pass{red}"]


def _context(data: Data) -> list[str]:
    found = f"{len(data['passages'])} of {data['considered']} passages, about {data['tokens']} tokens"
    return [found, *(_text(passage) for passage in data["passages"])]


def _draft(data: Data) -> list[str]:
    tokens = f"{data['prompt_tokens']} + {data['completion_tokens']} tokens, {data['cost_usd']} USD"
    said = _text(data["problem"]) if data["problem"] else f"changes {_text(', '.join(data['changes']))}"
    return [f"[cyan]{_text(data['model'])}[/] {said}; {tokens}", f"[dim]route: {_text(data['route'])}[/]"]


def _verify(data: Data) -> list[str]:
    marks = "  ".join(
        f"{rung['rung']} {_MARK[rung['outcome']]}{' (cached)' if rung['cached'] else ''}" for rung in data["rungs"]
    )
    findings = [
        f"[red]{_text(line)}[/]"
        for rung in data["rungs"]
        if rung["outcome"] != "pass"
        for line in rung["summary"].splitlines()[:4]
    ]
    return [marks, *findings]


def _verdict(data: Data) -> list[str]:
    return [f"[yellow]{data['decision']}[/]", *(_text(reason) for reason in data["reasons"])]


def _propose(data: Data) -> list[str]:
    return [f"branch {_text(data['branch'])} at {data['commit'][:12]}"]


def _merge(data: Data) -> list[str]:
    where = "pushed to the repository" if data["delivered"] else f"fetch it with: {_text(data['pull_command'])}"
    return [f"merge commit {data['merge_commit'][:12]}", where]


def _rollback(data: Data) -> list[str]:
    return [f"revert commit {data['commit'][:12]}"]


_STEPS: Mapping[str, Callable[[Data], list[str]]] = {
    "plan": _plan,
    "baseline": _baseline,
    "context": _context,
    "draft": _draft,
    "verify": _verify,
    "verdict": _verdict,
    "propose": _propose,
    "merge": _merge,
    "rollback": _rollback,
}
_TASK: Mapping[str, Callable[[Event, Data], tuple[str, str]]] = {
    "task.submitted": lambda event, data: ("task", f"{_text(data['instruction'])} ({_text(data['repository'])})"),
    "task.waiting": lambda event, data: ("waiting", "for the approval of somebody else than the requester"),
    "task.approved": lambda event, data: ("approved", f"by {_text(event['actor'])}"),
    "task.rejected": lambda event, data: ("rejected", f"by {_text(event['actor'])}: {_text(data['reason'])}"),
    "task.merged": lambda event, data: (
        "merged",
        f"[green]{data['merge_commit'][:12]}[/] after {data['attempts']} attempts, {data['cost_usd']} USD",
    ),
    "task.refused": lambda event, data: ("refused", f"[red]{_text(data['reason'])}[/]"),
    "task.failed": lambda event, data: ("failed", f"[red]{_text(data['reason'])}[/]"),
    "task.cancelled": lambda event, data: ("cancelled", _text(data["reason"])),
    "task.rolled_back": lambda event, data: ("rolled back", f"by {_text(data['actor'])}: {data['commit'][:12]}"),
    "task.rollback_failed": lambda event, data: ("not undone", f"[red]{_text(data['reason'])}[/]"),
}
