"""The main job, once, from outside: `make demo`.

A chat through the official OpenAI client, then a code task on a small repository from its submission to
its merge commit. Ends with exit code 0 only if every step of `EXPECTED` was seen to happen.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import openai
from rich.console import Console
from rich.markup import escape
from rich.panel import Panel
from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

from examples.running import ROOT, DemoFailure, Place, appliance
from gateway.cli import task_events
from gateway.client import ApplianceError, Client

FOLDER = ROOT / ".bailey-demo"
PROJECT = ROOT / "examples" / "inventory"
QUESTION = "Write a function `safe_divide(a, b)` that divides `a` by `b`. If `b` is 0, return None."
CHANGED = "inventory/labels.py"
INSTRUCTION = (
    "The function `group_words(strings)` should return a dict that maps each first letter to the list of words in "
    "`strings` that begin with it. Skip words of one or two letters."
)

EXPECTED = {
    "chat": "the streamed chat was answered and priced",
    "plan": "the plan was checked before anything acted",
    "context": "context was chosen from the repository",
    "cheap draft": "the draft tier answered first",
    "red": "its tests were red in the sandbox",
    "evidence": "the evidence went back to it",
    "escalation": "the router escalated, with its reason and price",
    "green": "the next tier's tests were green in the sandbox",
    "ask": "policy's verdict was to ask a person",
    "own approval refused": "the requester could not approve their own change",
    "approval": "a second key approved",
    "merge": "the merge commit is in the repository",
    "ledger": "the ledger's chain verifies",
    "cost": "the task's cost is known",
}
Seen = dict[str, bool]

console = Console(soft_wrap=True, highlight=False)


def main() -> int:
    """Run the demo; 0 only if all of `EXPECTED` happened."""
    seen: Seen = dict.fromkeys(EXPECTED, False)
    try:
        run(seen)
    except (DemoFailure, ApplianceError, openai.OpenAIError) as failure:
        console.print(f"[red]{escape(str(failure))}[/]")
    missing = [EXPECTED[name] for name, happened in seen.items() if not happened]
    for name, happened in seen.items():
        console.print(f"{'[green]✓[/]' if happened else '[red]✗[/]'} {EXPECTED[name]}")
    if missing:
        console.print(
            f"\n[red]The demo did not do its job: {len(missing)} of {len(EXPECTED)} things did not happen.[/]"
        )
        return 1
    console.print(farewell())
    return 0


def run(seen: Seen) -> None:
    """Everything, in order; each stage marks what it saw."""
    checkout = fresh_checkout()
    place = Place(FOLDER / "data")
    console.print("Making keys for ada, who asks, and grace, who approves.")
    # ada's key is an approver's, so that only the rule against approving one's own change stands in her way.
    keys = {actor: place.bailey("keys", "create", actor, "--role", "approver") for actor in ("ada", "grace")}
    with appliance(place.data) as running:
        console.print(f"The appliance answers on {running.url}/v1\n")
        chat_cost = chat(running, keys["ada"], seen)
        clients = {actor: Client(running.url, key) for actor, key in keys.items()}
        try:
            task_cost = code_task(clients["ada"], clients["grace"], checkout, seen)
        finally:
            for client in clients.values():
                client.close()
        heading("The ledger, and the cost of it all")
        console.print(escape(running.bailey("ledger", "verify")))
        seen["ledger"] = True
        total = chat_cost + task_cost
        console.print(f"chat {chat_cost} USD + task {task_cost} USD = {total} USD at the prices in models.yaml\n")
        seen["cost"] = total > 0


def fresh_checkout() -> Path:
    """A small project as a git repository of its own, in the demo's folder."""
    shutil.rmtree(FOLDER, ignore_errors=True)
    checkout = FOLDER / "inventory"
    shutil.copytree(PROJECT, checkout, ignore=shutil.ignore_patterns("__pycache__"))
    (FOLDER / "data").mkdir()
    git(checkout, "init", "--quiet", "--initial-branch", "main")
    git(checkout, "add", "--all")
    git(checkout, "commit", "--quiet", "--message", "An inventory, with a test for what it lacks")
    return checkout


def git(checkout: Path, *arguments: str) -> str:
    """What a git command prints, as a developer's own git would in that checkout."""
    command = ["git", "-C", str(checkout), "-c", "user.name=ada", "-c", "user.email=ada@example.com", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if done.returncode:
        raise DemoFailure(f"`git {' '.join(arguments)}` failed: {done.stderr.strip()}")
    return done.stdout.strip()


def heading(text: str) -> None:
    """A line between two stages."""
    console.rule(f"[bold]{text}", align="left")


def chat(running: Place, key: str, seen: Seen) -> Decimal:
    """A streamed chat with the official client; its price in dollars."""
    heading("A chat, streamed, with the openai client")
    console.print(f"[dim]ada:[/] {escape(QUESTION)}")
    with openai.OpenAI(base_url=f"{running.url}/v1", api_key=key) as client:
        raw = client.chat.completions.with_raw_response.create(
            model="auto",
            messages=[{"role": "user", "content": QUESTION}],
            stream=True,
            stream_options={"include_usage": True},
            temperature=0,
        )
        answer, tokens = "", 0
        for chunk in raw.parse():
            for choice in chunk.choices:
                piece = choice.delta.content or ""
                answer += piece
                console.print(escape(piece), end="")
            tokens = chunk.usage.total_tokens if chunk.usage else tokens
    spent = latest_call_cost(running)
    console.print(f"\n[dim]{tokens} tokens, {spent} USD; route: {escape(raw.headers['x-bailey-route'])}[/]\n")
    seen["chat"] = "def safe_divide" in answer and tokens > 0
    return spent


def latest_call_cost(running: Place) -> Decimal:
    """What the ledger says that the last model call cost."""
    entry = running.bailey("ledger", "show", "--stream", "calls", "--last", "1", "--json")
    return Decimal(str(json.loads(entry)["cost_usd"]))


def code_task(ada: Client, grace: Client, checkout: Path, seen: Seen) -> Decimal:
    """From ada's submission to the merge that grace let happen; the task's price in dollars."""
    heading("A code task")
    console.print(f"[dim]ada:[/] {escape(INSTRUCTION)}")
    task = ada.post("/v1/tasks", {"repository": str(checkout), "instruction": INSTRUCTION, "files": [CHANGED]})
    steps = watch(ada, task["id"], "task.waiting")
    judge(steps, seen)
    console.print()
    console.print(Panel(escape(ada.text(f"/v1/tasks/{task['id']}/diff").rstrip()), title="The proposed change"))
    try:
        ada.post(f"/v1/tasks/{task['id']}/approve")
    except ApplianceError as refusal:
        console.print(f"[dim]ada approves:[/] [yellow]{escape(str(refusal))}[/]")
        seen["own approval refused"] = refusal.code == "approval_refused"
    console.print("[dim]grace approves:[/]")
    approved = grace.post(f"/v1/tasks/{task['id']}/approve")
    merge = watch(grace, task["id"], "task.merged", after=approved["last_seq"] - 1)["merge"]
    ended = ada.get(f"/v1/tasks/{task['id']}")
    seen["approval"] = ended["status"] == "merged" and ended["decided_by"] == "grace"
    seen["merge"] = pulled(checkout, merge["pull_command"]) == ended["merge_commit"]
    return Decimal(ended["cost_usd"])


def watch(client: Client, task_id: str, last: str, after: int = 0) -> Mapping[str, Any]:
    """Show a task's events as they come; the steps' outcomes by step. Raises `DemoFailure` if it ends before `last`."""
    steps: dict[str, Any] = {}
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}"),
        TimeElapsedColumn(),
    )
    with Progress(*columns, console=console, transient=True) as progress:
        bar = progress.add_task("starting", total=None)
        for event in client.events(f"/v1/tasks/{task_id}/events", after=after):
            if begun := task_events.doing(event):
                progress.update(bar, description=begun)
            for line in task_events.lines(event):
                progress.console.print(line)
            if event["type"] == "step.finished":
                steps[event["data"]["step"]] = event["data"]
            if event["type"] == last:
                return steps
    raise DemoFailure(f"The task ended without {last}: {client.get(f'/v1/tasks/{task_id}')['reason']}")


def judge(steps: Mapping[str, Any], seen: Seen) -> None:
    """Mark what the steps of a task show."""
    drafts = [steps[name] for name in sorted(steps) if name.startswith("draft/")]
    checks = [steps[name] for name in sorted(steps) if name.startswith("verify/")]
    cheap, strong = drafts[0]["model"], drafts[-1]["model"]
    repaired = [draft for draft in drafts[1:] if draft["model"] == cheap]
    seen["plan"] = bool(steps["plan"]["files"]) and not steps["plan"]["refusal"]
    seen["context"] = bool(steps["context"]["passages"])
    seen["cheap draft"] = cheap == "pico-coder"
    seen["red"] = not checks[0]["green"] and checks[0]["rungs"][-1]["rung"] == "tests"
    seen["evidence"] = bool(repaired)
    route = drafts[-1]["route"]
    seen["escalation"] = strong == "nano-coder" and f"{cheap} failed verification" in route and "expected_usd=" in route
    seen["green"] = bool(checks[-1]["green"])
    seen["ask"] = steps["verdict"]["decision"] == "ask"


def pulled(checkout: Path, command: str) -> str:
    """Take the merge into ada's checkout, as she would, and show it; the commit's id if it is a merge, else nothing."""
    git(checkout, *command.removeprefix("git ").split())
    console.print(f"[dim]ada: {escape(command)}[/]")
    console.print(escape(git(checkout, "log", "--graph", "--oneline", "--max-count=3")) + "\n")
    commit, *parents = git(checkout, "log", "-1", "--format=%H %P").split()
    return commit if len(parents) == 2 else ""


def farewell() -> Panel:
    """How to go on."""
    text = f"""It all happened on this machine, without a network; look at it again in {FOLDER.relative_to(ROOT)}/.

[bold]make serve[/]            keeps an appliance running on http://127.0.0.1:8400 and prints a first key

Point an IDE, or any OpenAI client, at it:
  base URL             http://127.0.0.1:8400/v1
  API key              the one that `make serve` printed, or `.venv/bin/bailey keys create NAME`
  model                auto

docs/ide.md has the settings of common editors, docs/models.md says how to put a real model in."""
    return Panel(text, title="Bailey works here", border_style="green")


if __name__ == "__main__":
    sys.exit(main())
