"""The group `ray`: the same engine through a Ray cluster and without, by turns, both up, one loaded."""

from __future__ import annotations

import statistics
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from bench.cpu.cells import SUBJECTS, Cell, Subject
from bench.cpu.compare import calibrated, check_idle
from bench.cpu.load import Answer, Load, figures, load, percentile, send
from bench.cpu.prompts import Workload
from bench.cpu.servers import Server, ours
from bench.report import ROOT, Row, keep, put_into
from bench.started import family

RUNS = 3
CLIENTS = (1, 4, 8)
_LEAST, _MOST_MS = 0.95, 10.0
_BURST_SECONDS = 0.001
_MIB = 2**20


@dataclass(frozen=True, slots=True)
class Found:
    """Medians over the runs of one cell, for one server; `bursts` is the share of pieces that came with another one."""

    load: Load
    pause_p50: float
    pause_p99: float
    bursts: float


async def measure() -> list[Row]:
    """Every cell; writes bench/results/ray.json and the table in bench/README.md."""
    rows: list[Row] = []
    for name in ("nano", "0.5b"):
        subject = SUBJECTS[name]()
        async with ours(subject.served) as plain, ours(subject.served, ("up", "--ray")) as placed:
            subject = replace(subject, author=await calibrated(subject.author, plain))
            await check_idle((plain,))
            for clients in CLIENTS:
                cell = Cell(Workload("chat", 128, 64), clients, max(2 * clients, 16 if name == "nano" else 4))
                rows += await _cell(subject, cell, (placed, plain))
            if name == "nano":
                rows.append(Row("memory of Ray's processes, MiB", _ray_mib(placed.pid), None))
    keep("ray", rows)
    put_into(ROOT / "bench" / "README.md", "bench ray", _table(rows))
    return rows


async def _cell(subject: Subject, cell: Cell, pair: tuple[Server, Server]) -> list[Row]:
    placed, plain = await _by_turns(subject, cell, pair)
    rate = placed.load.tokens_per_second / plain.load.tokens_per_second
    added = 1000 * (placed.load.first_p50 - plain.load.first_p50)
    where = f"{subject.name} {cell.name}"
    rows = [
        Row(
            f"{where}: output tokens/s",
            round(placed.load.tokens_per_second, 1),
            round(plain.load.tokens_per_second, 1),
            f"at least {_LEAST}",
            rate >= _LEAST,
            RUNS,
        ),
        Row(
            f"{where}: ms to first token, p50",
            round(1000 * placed.load.first_p50, 1),
            round(1000 * plain.load.first_p50, 1),
            f"at most {_MOST_MS:g} ms more",
            added <= _MOST_MS,
            RUNS,
        ),
        Row(
            f"{where}: ms between pieces, p99",
            round(1000 * placed.pause_p99, 2),
            round(1000 * plain.pause_p99, 2),
            runs=RUNS,
        ),
        Row(
            f"{where}: share of pieces within {1000 * _BURST_SECONDS:g} ms of another",
            round(placed.bursts, 4),
            round(plain.bursts, 4),
            "no more bursts: at most 0.05 more",
            placed.bursts <= plain.bursts + 0.05,
            RUNS,
        ),
    ]
    for row in rows:
        print(f"{row.what}: {row.ours:g} beside {row.peer:g}{'' if row.holds is not False else '  NO'}", flush=True)
    return rows


async def _by_turns(subject: Subject, cell: Cell, pair: tuple[Server, Server]) -> tuple[Found, Found]:
    runs: tuple[list[Sequence[Answer]], list[Sequence[Answer]]] = ([], [])
    for server in pair:
        await load(server.address, subject.author.requests(cell.workload, 1, "warm"), 1)
    for run in range(RUNS):
        requests = subject.author.requests(cell.workload, cell.requests, f"{cell.clients} {run}")
        turns = list(zip(pair, runs, strict=True))
        for server, answers in reversed(turns) if run % 2 else turns:
            answers.append(await send(server.address, requests, cell.clients))
    return _found(runs[0]), _found(runs[1])


def _found(runs: Sequence[Sequence[Answer]]) -> Found:
    loads = [figures(answers) for answers in runs]
    pauses = [[pause for answer in answers for pause in answer.pauses] for answers in runs]
    return Found(
        Load(
            statistics.median(item.tokens_per_second for item in loads),
            statistics.median(item.first_p50 for item in loads),
            statistics.median(item.first_p95 for item in loads),
            statistics.median(item.whole_p50 for item in loads),
        ),
        statistics.median(percentile(run, 50) for run in pauses),
        statistics.median(percentile(run, 99) for run in pauses),
        statistics.median(sum(pause < _BURST_SECONDS for pause in run) / len(run) for run in pauses),
    )


def _ray_mib(pid: int) -> float:
    """Resident memory of all processes of the appliance but itself and the engine: Ray's, the placer, the replica."""
    total = 0.0
    for child in family(pid) - {pid}:
        try:
            line = Path(f"/proc/{child}/cmdline").read_bytes()
            pages = int(Path(f"/proc/{child}/statm").read_text().split()[1])
        except (FileNotFoundError, ProcessLookupError):
            continue
        if b"inference.isolated.host" not in line and b"gateway.cli" not in line:
            total += pages * 4096 / _MIB
    return round(total)


def _table(rows: Sequence[Row]) -> list[str]:
    """One line for each row, for bench/README.md."""
    lines = ["| what | through Ray | without | ratio | bar |", "|---" * 5 + "|"]
    for row in rows:
        peer = "" if row.peer is None else f"{row.peer:g}"
        lines.append(f"| {row.what} | {row.ours:g} | {peer} | {row.ratio or ''} | {row.bar} |")
    return lines
