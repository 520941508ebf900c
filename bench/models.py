"""pass@1 of the bundled models and of their cascade on the held-out tasks, with cost at the declared prices.

Greedy answers, each run against its task's own tests in the sandbox. The tests are split in two: the
cascade's verifier sees the first half, and an answer counts as right only if it passes both.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from rich.progress import track

from bench.report import ROOT, Row, keep, put_into
from codegen import prompts
from codegen.edit import MalformedAnswer, Target, patch_from_answer
from gateway.assemble import opened_engine
from gateway.config import load_config
from gateway.sandboxes import opened_sandbox
from gateway.settings import Settings
from inference.collect import complete
from inference.protocol import Caller, ChatRequest, Engine, Sampling
from router.versions.bounds import upper_bound
from sandbox.protocol import Command, Sandbox
from training.evaluate import Exam, read_exams

WEAK, STRONG = "pico-coder", "nano-coder"
_CONCURRENCY = 4
_VISIBLE_RED, _HIDDEN_RED = 10, 11
_JUDGE = f"""
import sys
for name, code in (("visible", {_VISIBLE_RED}), ("hidden", {_HIDDEN_RED})):
    try:
        __import__(name)
    except BaseException:
        sys.exit(code)
"""


@dataclass(frozen=True)
class Answer:
    """What a model's answer came to: `accepted` by the visible tests, `right` by all of them."""

    accepted: bool
    right: bool
    cost_usd: Decimal


async def answer(engine: Engine, sandbox: Sandbox, model: str, task: Exam) -> Answer:
    """Ask once, greedily, and run what came."""
    request = ChatRequest(
        model=model,
        messages=prompts.draft(task.instruction),
        sampling=Sampling(temperature=0.0, max_tokens=400),
        caller=Caller("default", "bench", "internal"),
    )
    completion = await complete(engine, request)
    cost = completion.usage.cost_usd
    try:
        code = patch_from_answer(completion.text, Target(("answer.py",), {})).changes["answer.py"] or ""
    except MalformedAnswer:
        return Answer(False, False, cost)
    files = {
        "answer.py": code,
        "visible.py": task.module(0, 2),
        "hidden.py": task.module(1, 2),
        "judge.py": _JUDGE,
    }
    contents = {name: text.encode() for name, text in files.items()}
    result = await sandbox.run(Command(("python", "judge.py"), files=contents))
    ended = result.outcome == "exited"
    return Answer(ended and result.exit_code in {0, _HIDDEN_RED}, result.ok, cost)


async def answers(engine: Engine, sandbox: Sandbox, model: str, tasks: Sequence[Exam]) -> list[Answer]:
    """All tasks, a few at a time, in order."""
    found: dict[int, Answer] = {}
    queue = iter(track(list(enumerate(tasks)), description=model))

    async def worker() -> None:
        for number, task in queue:
            found[number] = await answer(engine, sandbox, model, task)

    await asyncio.gather(*(worker() for _ in range(_CONCURRENCY)))
    return [found[number] for number in range(len(tasks))]


def cascade(weak: Answer, strong: Answer) -> Answer:
    """Draft on the weak tier; when its visible tests are red, ask the strong one; both are paid for."""
    if weak.accepted:
        return weak
    return Answer(strong.accepted, strong.right, weak.cost_usd + strong.cost_usd)


def share(found: Sequence[Answer]) -> float:
    """pass@1."""
    return round(sum(item.right for item in found) / len(found), 4)


def usd_per_thousand(found: Sequence[Answer]) -> float:
    """Dollars for a thousand tasks."""
    return float(1000 * sum(item.cost_usd for item in found) / len(found))


async def measure() -> list[Row]:
    """Ask both models everything; compare the cascade with always asking the strong one."""
    tasks = read_exams(ROOT / "training" / "heldout.jsonl")
    with tempfile.TemporaryDirectory(prefix="bailey-bench-") as data:
        settings = Settings(config=ROOT / "models.yaml", data=Path(data), sandbox_site=ROOT / ".sandbox-site")
        config = load_config(settings.config)
        async with opened_engine(config, settings) as engine, opened_sandbox(config.sandbox, settings) as sandbox:
            weak = await answers(engine, sandbox, WEAK, tasks)
            strong = await answers(engine, sandbox, STRONG, tasks)
    both = [cascade(*pair) for pair in zip(weak, strong, strict=True)]
    rows = rows_of(weak, strong, both)
    measured = {f"`{WEAK}`": weak, f"`{STRONG}`": strong, "cascade of the two": both}
    notes: dict[str, Any] = {
        "tasks": len(tasks),
        "families": len({task.family for task in tasks}),
        "table": {name: figures(found) for name, found in measured.items()},
        "at random for the same money": at_random(weak, strong, both),
    }
    keep("models", rows, notes)
    put_into(ROOT / "README.md", "bench models", readme_table(notes))
    return rows


def rows_of(weak: Sequence[Answer], strong: Sequence[Answer], both: Sequence[Answer]) -> list[Row]:
    """The comparison; the bars are the recipe's aims and the cascade's reason to exist."""
    weak_share, strong_share, both_share = share(weak), share(strong), share(both)
    return [
        Row(f"pass@1 {WEAK}", weak_share, None, "0.3 to 0.7", 0.3 <= weak_share <= 0.7),
        Row(f"pass@1 {STRONG}", strong_share, None, "at least 0.85", strong_share >= 0.85),
        Row(
            f"pass@1 cascade, beside {STRONG} alone",
            both_share,
            strong_share,
            "at least 1.0",
            both_share >= strong_share,
        ),
        Row(
            f"USD per 1,000 tasks, cascade beside {STRONG} alone",
            usd_per_thousand(both),
            usd_per_thousand(strong),
            "at most 0.6",
            usd_per_thousand(both) <= 0.6 * usd_per_thousand(strong),
        ),
        Row(
            "pass@1 cascade, beside models chosen at random for the same money",
            both_share,
            at_random(weak, strong, both),
        ),
        Row("wrong among the answers that the cascade accepts", wrong_share(both), None),
        Row("the same, upper 95 % bound", wrong_bound(both), None),
    ]


def at_random(weak: Sequence[Answer], strong: Sequence[Answer], both: Sequence[Answer]) -> float:
    """pass@1 when chance gives as many tasks to the strong model as the cascade's money pays for."""
    cheap, dear, spent = usd_per_thousand(weak), usd_per_thousand(strong), usd_per_thousand(both)
    portion = min(1.0, max(0.0, (spent - cheap) / (dear - cheap)))
    return round((1 - portion) * share(weak) + portion * share(strong), 4)


def wrong_bound(found: Sequence[Answer]) -> float:
    """A share of wrong answers among the accepted that the true one is above with a chance of 5 % at most."""
    accepted = [item for item in found if item.accepted]
    return round(upper_bound(len(accepted), sum(not item.right for item in accepted), 0.05), 4)


def wrong_share(found: Sequence[Answer]) -> float:
    """Of the accepted answers, those that fail the tests the verifier did not see."""
    accepted = [item for item in found if item.accepted]
    return round(sum(not item.right for item in accepted) / max(1, len(accepted)), 4)


def figures(found: Sequence[Answer]) -> dict[str, float]:
    """One line of the README's table."""
    return {
        "pass@1": share(found),
        "accepted but wrong": wrong_share(found),
        "at most (95 %)": wrong_bound(found),
        "USD per 1,000 tasks": round(usd_per_thousand(found), 4),
    }


def readme_table(notes: Mapping[str, Any]) -> list[str]:
    """The README's table, from the notes of bench/results/models.json."""
    table: Mapping[str, Mapping[str, float]] = notes["table"]
    columns = list(next(iter(table.values())))
    head = f"| {notes['tasks']} held-out tasks | {' | '.join(columns)} |"
    body = [f"| {name} | {' | '.join(f'{line[column]:g}' for column in columns)} |" for name, line in table.items()]
    blank = " |" * (len(columns) - 1)
    random = f"| the two at random, for the cascade's money | {notes['at random for the same money']:g} |{blank}"
    return [head, "|---" * (len(columns) + 1) + "|", *body, random]
