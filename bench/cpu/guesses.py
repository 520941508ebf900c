"""What guessing ahead is worth: nano-coder's answers to held-out tasks, with guesses and without, in one process each.

Three kinds of question as the workflow asks them: write something new, change a file that is shown, and repair one's
own answer. The last two are edits: what is written stands in the prompt, for the most part.
"""

from __future__ import annotations

import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import aclosing
from pathlib import Path

from bench.cpu.servers import Served
from bench.report import ROOT, Row
from codegen.prompts import code_block, draft, excerpt, repair
from inference.catalog import LlamaCppModel
from inference.isolated.engine import IsolatedEngine
from inference.protocol import ChatRequest, Engine, Message, Sampling

_TASKS = 64
_CLIENTS = 4
_LEAST_FOR_EDITS = 1.0

Conversation = tuple[Message, ...]


async def measure(served: Served, runs: int) -> list[Row]:
    """Output tokens a second of each kind, ours with guesses and as peer without; a bar on the edits."""
    rows = []
    with tempfile.TemporaryDirectory(prefix="bailey-bench-") as folder:
        engines = [IsolatedEngine(_spec(served, guesses), served.weights, Path(folder)) for guesses in (True, False)]
        try:
            for engine in engines:
                await engine.start()
            for kind, conversations in _questions().items():
                rates = [[await _rate(engine, conversations) for engine in engines] for _ in range(runs)]
                ours, peer = (round(statistics.median(column), 1) for column in zip(*rates, strict=True))
                what = f"{served.name}, {_CLIENTS} clients, {kind}: output tokens/s with guesses, and without"
                bar = "" if kind == "write" else f"at least {_LEAST_FOR_EDITS}"
                rows.append(Row(what, ours, peer, bar, ours >= _LEAST_FOR_EDITS * peer if bar else None, runs))
        finally:
            for engine in engines:
                await engine.close()
    return rows


def _spec(served: Served, guesses: bool) -> LlamaCppModel:
    return LlamaCppModel(
        name=served.name,
        engine="llama.cpp",
        source=f"path:{served.weights}",
        tier="draft",
        context_tokens=served.context_tokens,
        capabilities=frozenset({"chat"}),
        concurrency=served.slots,
        guesses=guesses,
    )


def _questions() -> dict[str, list[Conversation]]:
    """Tasks of all families, evenly picked."""
    lines = (ROOT / "training" / "heldout.jsonl").read_text().splitlines()
    tasks = [json.loads(line) for line in lines[:: len(lines) // _TASKS][:_TASKS]]
    failure = "tests/test_it.py::test_it failed: assert 1 == 2"
    return {
        "write": [draft(task["instruction"]) for task in tasks],
        "change": [draft(task["instruction"], [excerpt("it.py", 1, 20, task["reference"])]) for task in tasks],
        "repair": [repair(draft(task["instruction"]), code_block(task["reference"]), failure) for task in tasks],
    }


async def _rate(engine: Engine, conversations: Sequence[Conversation]) -> float:
    """Output tokens a second of all answers, from so many clients at once."""
    waiting = iter(conversations)
    started = time.perf_counter()
    counts = await asyncio.gather(*(_client(engine, waiting) for _ in range(_CLIENTS)))
    return sum(counts) / (time.perf_counter() - started)


async def _client(engine: Engine, waiting: Iterator[Conversation]) -> int:
    tokens = 0
    for messages in waiting:
        request = ChatRequest(engine.models()[0].id, messages, sampling=Sampling(max_tokens=200, temperature=0.0))
        async with aclosing(engine.stream(request)) as chunks:
            async for chunk in chunks:
                tokens += chunk.usage.completion_tokens if chunk.usage else 0
    return tokens
