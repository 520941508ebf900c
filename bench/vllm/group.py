"""The groups `vllm` and `vllm-gpu`: Bailey in front of vLLM beside vLLM alone, by turns, both up, one loaded."""

from __future__ import annotations

import shutil
import statistics
from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, fields
from pathlib import Path

from bench.report import ROOT, Row, keep, put_into
from bench.vllm.client import Figures, Load, run
from bench.vllm.random_folder import TOKENIZER, write_random_folder
from bench.vllm.servers import bare, model, ours

RUNS = 3
_LEAST_THROUGHPUT, _MOST_ADDED_MS, _MOST_GAP, _MOST_MORE_BURSTS = 0.97, 5.0, 1.1, 0.01
CLIENTS = (1, 8, 32)


@dataclass(frozen=True, slots=True)
class Subject:
    """A model, and how much one client asks of it in a run."""

    name: str
    prompt_tokens: int
    answer_tokens: int
    requests: int

    def folder(self) -> Path:
        """Where it is; the random one is written once."""
        if self.name == "nano-coder":
            return TOKENIZER
        return write_random_folder(ROOT / ".setup" / "bench" / self.name)

    def load(self, clients: int) -> Load:
        """More clients ask more, but not so much more that runs get long."""
        return Load(clients, self.requests * max(1, clients // 4), self.prompt_tokens, self.answer_tokens)


@dataclass(frozen=True, slots=True)
class Machine:
    """Where a group runs, and what it asks there."""

    group: str
    gpus: int
    subjects: Sequence[Subject]


PROCESSORS = Machine("vllm", 0, (Subject("nano-coder", 128, 128, 12), Subject("random-0.5b", 128, 32, 8)))
GPU = Machine("vllm-gpu", 1, (Subject("random-0.5b", 128, 128, 12),))


@dataclass(frozen=True, slots=True)
class Compared:
    """Medians over the runs of one cell."""

    what: str
    ours: Figures
    peer: Figures
    runs: int

    def rows(self) -> list[Row]:
        """The figures that have a bar, and the others."""
        mine, theirs = self.ours, self.peer
        added = mine.first_p50 - theirs.first_p50
        ratio = mine.tokens_per_second / theirs.tokens_per_second
        more = mine.bursts - theirs.bursts
        first, gap, more_bursts = f"at most {_MOST_ADDED_MS:g} ms more", f"at most {_MOST_GAP}", "at most 0.01 more"
        smooth = mine.gap_p95 <= _MOST_GAP * theirs.gap_p95
        return [
            self._row("tokens/s", "tokens_per_second", f"at least {_LEAST_THROUGHPUT}", ratio >= _LEAST_THROUGHPUT),
            self._row("ms to the first token, p50", "first_p50", first, added <= _MOST_ADDED_MS),
            self._row("ms between chunks, p50", "gap_p50"),
            self._row("ms between chunks, p95", "gap_p95", gap, smooth),
            self._row("ms between chunks, p99", "gap_p99"),
            self._row("share of chunks less than 1 ms apart", "bursts", more_bursts, more <= _MOST_MORE_BURSTS),
        ]

    def _row(self, unit: str, name: str, bar: str = "", holds: bool | None = None) -> Row:
        mine, theirs = (round(float(getattr(each, name)), 4) for each in (self.ours, self.peer))
        return Row(f"{self.what}: {unit}", mine, theirs, bar, holds, self.runs)


async def measure() -> list[Row]:
    """All cells on this machine's processors."""
    return await measure_on(PROCESSORS)


async def measure_on_gpu() -> list[Row]:
    """All cells on a graphics processor, where there is one."""
    if shutil.which("nvidia-smi") is None:
        print("There is no graphics processor here, so the group vllm-gpu is left out.")
        return []
    return await measure_on(GPU)


async def measure_on(machine: Machine) -> list[Row]:
    """All cells, each by turns; the order changes from run to run. What there is after each model is kept."""
    compared: list[Compared] = []
    rows: list[Row] = []
    for subject in machine.subjects:
        compared += await compare(machine, subject, CLIENTS, RUNS)
        rows = [row for each in compared for row in each.rows()]
        put_into(ROOT / "bench" / "README.md", f"bench {machine.group}", _table(compared))
        keep(machine.group, rows)
    return rows


async def compare(machine: Machine, subject: Subject, numbers: Sequence[int], runs: int) -> list[Compared]:
    """One model with so many clients at a time."""
    folder = subject.folder()
    served = model(subject.name, folder, context_tokens=1024, concurrency=max(CLIENTS), gpus=machine.gpus)
    found = []
    async with AsyncExitStack() as stack:
        servers = [await stack.enter_async_context(start(served)) for start in (bare, ours)]
        for clients in numbers:
            seen: dict[str, list[Figures]] = {server.name: [] for server in servers}
            for number in range(runs):
                for server in servers if number % 2 else reversed(servers):
                    # A text of its own for each run: neither side has computed it before.
                    figures = await run(
                        server, subject.name, folder, subject.load(clients), seed=100 * clients + number
                    )
                    seen[server.name].append(figures)
            mine, theirs = (_median(seen[name]) for name in ("ours", "vLLM"))
            found.append(Compared(f"{subject.name}@{clients}", mine, theirs, runs))
            print("\n".join(_table(found[-1:])[2:]), flush=True)
    return found


def _median(figures: list[Figures]) -> Figures:
    return Figures(*(statistics.median(getattr(each, field.name) for each in figures) for field in fields(Figures)))


def _table(compared: list[Compared]) -> list[str]:
    """One line for each cell, for bench/README.md."""
    head = [
        "model@clients",
        "tokens/s",
        "vLLM",
        "ratio",
        "TTFT p50, ms",
        "vLLM",
        "gaps p50/p95/p99, ms",
        "vLLM",
        "bursts",
        "vLLM",
    ]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for each in compared:
        mine, theirs = each.ours, each.peer
        ratio = mine.tokens_per_second / theirs.tokens_per_second
        rates = f"{mine.tokens_per_second:.4g} | {theirs.tokens_per_second:.4g} | {ratio:.3f}"
        first = f"{mine.first_p50:.4g} | {theirs.first_p50:.4g}"
        gaps = " | ".join(f"{side.gap_p50:.3g} / {side.gap_p95:.3g} / {side.gap_p99:.3g}" for side in (mine, theirs))
        lines.append(f"| {each.what} | {rates} | {first} | {gaps} | {mine.bursts:.1%} | {theirs.bursts:.1%} |")
    return lines
