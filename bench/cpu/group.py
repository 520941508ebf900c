"""The group `cpu`: every cell on our server and on llama-server by turns, both up, one loaded; then the other peers."""

from __future__ import annotations

import fcntl
import statistics
import time
from collections.abc import Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from dataclasses import dataclass, field, replace
from typing import Any

from bench.cpu import guesses, neighbour, servers
from bench.cpu.cells import SUBJECTS, Cell, Subject, cells
from bench.cpu.compare import Compared, at_the_cursor, calibrated, check_idle, compare
from bench.cpu.load import load
from bench.cpu.prompts import Workload
from bench.cpu.servers import Server
from bench.report import ROOT, Row, keep, put_into
from inference.llamacpp.threads import usable_cores

RUNS = 5
_LEAST, _LEAST_SHARED, _LEAST_PYTHON = 1.0, 1.2, 4.0
_CURSOR_MS = 200
OTHER_PEERS = ("default", "python", "cursor", "neighbour", "guesses")


@dataclass(frozen=True, slots=True)
class Choice:
    """What is measured; empty means everything."""

    models: Sequence[str] = tuple(SUBJECTS)
    cells: Sequence[str] = ()
    others: Sequence[str] = OTHER_PEERS
    runs: int = RUNS


@dataclass(slots=True)
class Findings:
    """What a whole measurement came to."""

    rows: list[Row] = field(default_factory=list)
    beside: list[Row] = field(default_factory=list)  # those that are no cell's
    compared: list[Compared] = field(default_factory=list)
    idle: dict[str, dict[str, float]] = field(default_factory=dict)
    threads: dict[str, dict[int, float]] = field(default_factory=dict)

    def table(self) -> list[str]:
        """One line for each cell, for bench/README.md."""
        head = ["model, workload@clients", "ours, tokens/s", "llama-server", "ratio", "TTFT p50", "TTFT p95"]
        lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
        for item in self.compared:
            rates = f"{item.ours.tokens_per_second:.4g} | {item.peer.tokens_per_second:.4g} | {item.ratio:.2f}"
            first = f"{item.ours.first_p50 / item.peer.first_p50:.2f} | {item.ours.first_p95 / item.peer.first_p95:.2f}"
            lines.append(f"| {item.model}, {item.cell} | {rates} | {first} |")
        lines += ["", "| beside the cells | ours | peer | ratio | bar |", "|---" * 5 + "|"]
        lines += [f"| {row.what} | {row.ours:g} | {row.peer or 0:g} | {row.ratio} | {row.bar} |" for row in self.beside]
        return lines

    def notes(self, seconds: float) -> dict[str, Any]:
        """What bench/results/cpu.json has beside the rows."""
        rates = {f"{item.model} {item.cell}": item.rates for item in self.compared}
        return {
            "seconds": round(seconds),
            "idle processor shares": self.idle,
            "llama-server's tokens/s by its number of threads, before the runs": self.threads,
            "tokens/s of all runs": rates,
        }


async def measure() -> list[Row]:
    """Everything; writes bench/results/cpu.json and the table in bench/README.md."""
    started = time.monotonic()
    found = await measure_chosen(Choice())
    keep("cpu", found.rows, found.notes(time.monotonic() - started))
    put_into(ROOT / "bench" / "README.md", "bench cpu", found.table())
    return found.rows


async def measure_chosen(choice: Choice) -> Findings:
    """The chosen cells; prints each as soon as it is known."""
    found = Findings()
    with _alone():
        for name in choice.models:
            await _measure_model(SUBJECTS[name](), choice, found)
    return found


@contextmanager
def _alone() -> Iterator[None]:
    """Two measurements at once would measure each other, and write to the same logs."""
    lock = ROOT / ".setup" / "bench" / "lock"
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("w") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise SystemExit("Another measurement of this group is running in this checkout; wait for it.") from None
        yield


async def _measure_model(subject: Subject, choice: Choice, found: Findings) -> None:
    chosen = [cell for cell in cells(subject) if not choice.cells or cell.name in choice.cells]
    async with AsyncExitStack() as stack:
        ours = await stack.enter_async_context(servers.ours(subject.served))
        subject = replace(subject, author=await calibrated(subject.author, ours))
        found.threads[subject.name] = speeds = await _speed_by_threads(subject)
        threads = max(speeds, key=lambda count: speeds[count])
        if chosen or {"cursor", "neighbour"} & set(choice.others):
            async with servers.llama_server(subject.served, threads) as peer:
                await _beside_llama_server(subject, chosen, (ours, peer), choice, found)
        if "default" in choice.others:
            await _beside_defaults(subject, ours, choice, found)
        if "python" in choice.others:
            await _beside_python(subject, ours, threads, choice, found)
    if "guesses" in choice.others and subject.name == "nano-coder":
        _tell(found, await guesses.measure(subject.served, choice.runs), beside=True)


async def _speed_by_threads(subject: Subject) -> dict[int, float]:
    """What llama-server does with a thread for each core, and with one less: it is measured with the better number."""
    requests = 4 if subject.name == "random-0.5b" else 64  # some seconds
    cell, cores = Cell(Workload("pilot", 128, 64), 4, requests), usable_cores()
    speeds = {}
    for threads in {cores, max(1, cores - 1)}:
        async with servers.llama_server(subject.served, threads) as peer:
            await load(peer.address, subject.author.requests(cell.workload, 1, "warm"), 1)
            run = await load(peer.address, subject.author.requests(cell.workload, cell.requests, "pilot"), cell.clients)
            speeds[threads] = round(run.tokens_per_second, 1)
    return speeds


async def _beside_llama_server(
    subject: Subject, chosen: Sequence[Cell], pair: tuple[Server, Server], choice: Choice, found: Findings
) -> None:
    found.idle[subject.name] = await check_idle(pair)
    for cell in chosen:
        item = await compare(subject.author, cell, pair, choice.runs)
        found.compared.append(item)
        least = _LEAST_SHARED if cell.workload.shared else _LEAST
        _tell(found, item.rows(f"{subject.name} {cell.name}", least))
    if "cursor" in choice.others and subject.name == "nano-coder":
        times = [[await at_the_cursor(subject.author, server, run) for server in pair] for run in range(choice.runs)]
        mine, theirs = (round(1000 * statistics.median(column), 1) for column in zip(*times, strict=True))
        what = f"{subject.name} ms to fill in 32 tokens beside another stream, p50"
        _tell(found, [Row(what, mine, theirs, f"ours under {_CURSOR_MS}", mine < _CURSOR_MS, choice.runs)], beside=True)
    if "neighbour" in choice.others and subject.name == "random-0.5b":
        _tell(found, await neighbour.measure(subject.author, pair, choice.runs), beside=True)


async def _beside_defaults(subject: Subject, ours: Server, choice: Choice, found: Findings) -> None:
    """llama-server as it sets itself up, for information."""
    chosen = {"random-0.5b": {"chat@4"}, "nano-coder": {"chat@4", "long@4", "fim@4"}}[subject.name]
    async with servers.llama_server(subject.served, None) as peer:
        for cell in (cell for cell in cells(subject) if cell.name in chosen):
            item = await compare(subject.author, cell, (ours, peer), choice.runs)
            rows = item.rows(f"{subject.name} {cell.name}, llama-server with its own defaults", _LEAST)
            _tell(found, [replace(row, bar="", holds=None) for row in rows], beside=True)


async def _beside_python(subject: Subject, ours: Server, threads: int, choice: Choice, found: Findings) -> None:
    """llama-cpp-python's server."""
    # Not streamed: its streams do not count tokens. Every bias costs it a pass over the vocabulary in Python; of the
    # small one that is little, and without it answers would end.
    whole = Cell(Workload("whole", 128, 64, stream=False), 8, 16)
    author = replace(subject.author, end_tokens=()) if subject.name == "random-0.5b" else subject.author
    async with servers.python_server(subject.served, threads) as peer:
        item = await compare(author, whole, (ours, peer), choice.runs)
    what = f"{subject.name} chat@8 not streamed: output tokens/s, llama-cpp-python's server"
    bar, holds = f"at least {_LEAST_PYTHON}", item.ratio >= _LEAST_PYTHON
    _tell(found, [Row(what, *item.rates_shown, bar, holds, item.runs)], beside=True)


def _tell(found: Findings, rows: Sequence[Row], *, beside: bool = False) -> None:
    found.rows.extend(rows)
    found.beside.extend(rows if beside else ())
    for row in rows:
        verdict = "" if row.holds is None else "  yes" if row.holds else "  NO"
        print(f"{row.what}: {row.ours:g} beside {row.peer or 0:g}, ratio {row.ratio or 0:.3f}{verdict}", flush=True)
