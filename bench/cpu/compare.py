"""Runs one cell on two servers by turns, and takes the medians."""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import Sequence
from dataclasses import dataclass

from bench.cpu.cells import Cell
from bench.cpu.load import Address, Answer, Ask, Load, ask, figures, load
from bench.cpu.prompts import Author, Workload
from bench.cpu.servers import Server
from bench.report import Row

_IDLE_SECONDS = 2.0
_IDLE_SHARE = 0.05


@dataclass(frozen=True, slots=True)
class Compared:
    """A cell's figures, each the median of several runs, and the order of magnitude of its noise."""

    model: str
    cell: str
    runs: int
    ours: Load
    peer: Load
    rates: tuple[tuple[float, ...], tuple[float, ...]]

    @property
    def ratio(self) -> float:
        """Our output tokens a second beside the peer's."""
        return self.ours.tokens_per_second / self.peer.tokens_per_second

    @property
    def rates_shown(self) -> tuple[float, float]:
        """Output tokens a second, ours and the peer's."""
        return round(self.ours.tokens_per_second, 1), round(self.peer.tokens_per_second, 1)

    def rows(self, where: str, least: float) -> list[Row]:
        """Throughput must reach `least` times the peer's; the first token may come no later."""
        pairs = (("p50", self.ours.first_p50, self.peer.first_p50), ("p95", self.ours.first_p95, self.peer.first_p95))
        bar = f"at least {least}"
        rows = [Row(f"{where}: output tokens/s", *self.rates_shown, bar, self.ratio >= least, self.runs)]
        for name, mine, theirs in pairs:
            times = (round(1000 * mine, 1), round(1000 * theirs, 1))
            rows.append(Row(f"{where}: ms to first token, {name}", *times, "at most 1.0", mine <= theirs, self.runs))
        return rows


async def calibrated(author: Author, server: Server) -> Author:
    """The author, knowing how many tokens the chat template adds: asked of a server."""
    letter = author.chat("x", Workload("one", 1, 1), None)
    answer = await ask(server.address, letter)
    return author.calibrated(answer.prompt_tokens - 1)


async def compare(author: Author, cell: Cell, servers: tuple[Server, Server], runs: int) -> Compared:
    """The two by turns, after one request each that warms them up; all runs have other texts."""
    found: tuple[list[Load], list[Load]] = ([], [])
    for server in servers:
        await load(server.address, author.requests(cell.workload, 1, "warm"), 1)
    for run in range(runs):
        requests = author.requests(cell.workload, cell.requests, f"{cell.clients} {run}")
        turns = list(zip(servers, found, strict=True))
        for server, loads in reversed(turns) if run % 2 else turns:
            loads.append(await load(server.address, requests, cell.clients))
    rates = [tuple(round(item.tokens_per_second, 1) for item in loads) for loads in found]
    return Compared(author.model, cell.name, runs, _medians(found[0]), _medians(found[1]), (rates[0], rates[1]))


def _medians(loads: Sequence[Load]) -> Load:
    return Load(
        tokens_per_second=statistics.median(item.tokens_per_second for item in loads),
        first_p50=statistics.median(item.first_p50 for item in loads),
        first_p95=statistics.median(item.first_p95 for item in loads),
        whole_p50=statistics.median(item.whole_p50 for item in loads),
    )


async def at_the_cursor(author: Author, server: Server, run: int) -> float:
    """Seconds until a middle of 32 tokens is there, median of twenty, while the server writes another answer."""
    other = author.requests(Workload("beside", 128, 512), 100, f"{run}")
    fills = author.requests(Workload("cursor", 300, 32, after_tokens=100), 20, f"{run}")
    beside = asyncio.create_task(_one_after_the_other(server.address, other))
    answers = await _one_after_the_other(server.address, fills)
    if beside.done():
        beside.result()  # says why the other stream ended; it should not have
        raise RuntimeError("The stream beside ended before the completions at the cursor.")
    beside.cancel()
    await asyncio.wait({beside})
    return figures(answers).whole_p50


async def _one_after_the_other(address: Address, requests: Sequence[Ask]) -> list[Answer]:
    return [await ask(address, request) for request in requests]


async def check_idle(servers: Sequence[Server]) -> dict[str, float]:
    """The share of a processor that each uses while nobody asks. Raises if one would disturb the others' runs."""
    before, started = [server.cpu_seconds() for server in servers], time.perf_counter()
    await asyncio.sleep(_IDLE_SECONDS)
    seconds = time.perf_counter() - started
    shares = {
        server.name: (server.cpu_seconds() - used) / seconds for server, used in zip(servers, before, strict=True)
    }
    if busy := [name for name, share in shares.items() if share > _IDLE_SHARE]:
        raise RuntimeError(f"{', '.join(busy)} uses the processor while nobody asks: {shares}")
    return {name: round(share, 3) for name, share in shares.items()}
