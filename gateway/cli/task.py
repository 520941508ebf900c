"""`bailey task`: submit a code task, watch it, decide on it."""

from __future__ import annotations

import math
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from gateway.cli import task_events
from gateway.cli.connection import connected
from gateway.cli.output import err, escape, out, table, visible
from gateway.client import Client

app = typer.Typer(help="Submit code tasks, watch them, decide on them.", no_args_is_help=True)

TaskId = Annotated[str, typer.Argument(help="As `bailey task list` shows it.")]
_GOOD_ENDS = {"merged", "waiting", "rolled_back"}


def _finite(dollars: float | None) -> float | None:
    """What is no number passes no range, and JSON cannot carry it."""
    if dollars is not None and not math.isfinite(dollars):
        raise typer.BadParameter("It must be a number of dollars.")
    return dollars


@app.command()
def submit(
    instruction: Annotated[str, typer.Argument(help="What the code should do, in a sentence or more.")],
    repository: Annotated[
        Path, typer.Option("--repository", "-r", resolve_path=True, help="A checkout or a bare repository.")
    ] = Path(),
    branch: Annotated[str, typer.Option(help="The branch to start from and to merge into.")] = "main",
    file: Annotated[list[str] | None, typer.Option(help="A path that may change; may be given again.")] = None,
    test: Annotated[
        list[str] | None, typer.Option(help="An acceptance test of yours, PATH=FILE; may be given again.")
    ] = None,
    model: Annotated[str, typer.Option(help="A model or a route.")] = "auto",
    budget: Annotated[float | None, typer.Option(callback=_finite, help="Most dollars for this task.")] = None,
    allow_dirty: Annotated[bool, typer.Option(help="Work from the last commit of a checkout with changes.")] = False,
    detach: Annotated[bool, typer.Option("--detach", "-d", help="Print the id and do not watch.")] = False,
) -> None:
    """Submit a task and watch it until it ends or waits for a decision."""
    body = {
        "repository": str(repository),
        "instruction": instruction,
        "branch": branch,
        "files": file or [],
        "tests": dict(_acceptance_test(item) for item in test or []),
        "model": model,
        "budget_usd": budget,
        "allow_dirty": allow_dirty,
    }
    with connected() as client:
        task = client.post("/v1/tasks", body)
        if detach:
            typer.echo(task["id"])
            return
        err.print(f"[dim]{task['id']}[/]")
        _watch(client, task["id"])


def _acceptance_test(option: str) -> tuple[str, str]:
    path, _, file = option.partition("=")
    try:
        return path, Path(file or path).read_text(encoding="utf-8")
    except OSError as error:
        raise typer.BadParameter(f"{file or path} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise typer.BadParameter(f"{file or path} is not UTF-8 text.") from None


@app.command()
def watch(task_id: TaskId) -> None:
    """Show what happened and what happens, until the task ends or waits for a decision."""
    with connected() as client:
        _watch(client, task_id)


def _watch(client: Client, task_id: str, after: int = 0) -> None:
    with err.status("starting") as status:
        for event in client.events(f"/v1/tasks/{task_id}/events", after=after):
            if begun := task_events.doing(event):
                status.update(begun)
            for line in task_events.lines(event):
                out.print(line)
            if event["type"] == "task.waiting":
                break
    task = client.get(f"/v1/tasks/{task_id}")
    if task["status"] == "waiting":
        out.print(f"Look at it with `bailey task diff {task_id}`; decide with `bailey task approve {task_id}`.")
    sys.exit(0 if task["status"] in _GOOD_ENDS else 1)


@app.command(name="list")
def list_tasks() -> None:
    """Show the tenant's tasks, newest first."""
    with connected() as client:
        tasks = client.get("/v1/tasks")
    rows = [(t["id"], t["status"], t["requester"], t["attempts"], t["cost_usd"], t["instruction"][:60]) for t in tasks]
    out.print(table(["id", "status", "requester", "attempts", "usd", "instruction"], rows))


@app.command()
def show(task_id: TaskId) -> None:
    """Show one task."""
    with connected() as client:
        _print(client.get(f"/v1/tasks/{task_id}"))


@app.command()
def diff(task_id: TaskId) -> None:
    """Show the proposed change."""
    with connected() as client:
        typer.echo(visible(client.text(f"/v1/tasks/{task_id}/diff")), nl=False)


@app.command()
def approve(task_id: TaskId) -> None:
    """Let a waiting change be merged, and watch the merge; the requester cannot approve it."""
    with connected() as client:
        approved = client.post(f"/v1/tasks/{task_id}/approve")
        _watch(client, task_id, after=approved["last_seq"] - 1)


@app.command()
def reject(task_id: TaskId, reason: Annotated[str, typer.Option(help="Shown to the requester.")] = "") -> None:
    """Turn a waiting change down."""
    with connected() as client:
        _print(client.post(f"/v1/tasks/{task_id}/reject", {"reason": reason}))


@app.command()
def cancel(task_id: TaskId) -> None:
    """Stop a task that has not ended."""
    with connected() as client:
        _print(client.post(f"/v1/tasks/{task_id}/cancel"))


@app.command()
def rollback(task_id: TaskId) -> None:
    """Undo a merged change by a recorded revert."""
    with connected() as client:
        _print(client.post(f"/v1/tasks/{task_id}/rollback"))


def _print(task: dict[str, Any]) -> None:
    out.print(table(["", ""], [(name, value) for name, value in task.items() if value not in (None, "", [])]))
    if task["status"] == "failed":
        err.print(escape(task["reason"]))
