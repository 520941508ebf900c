"""How much of its speed a server keeps while another process burns one core: four clients, quiet and busy by turns."""

from __future__ import annotations

import statistics
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass

from bench.cpu.load import Answer, figures, send
from bench.cpu.prompts import Author, Workload
from bench.cpu.servers import Server
from bench.report import Row

_CLIENTS = 4
_LEAST_SHARE, _LONGEST_PAUSE = 0.4, 5.0
_WORKLOAD = Workload("neighbour", 128, 64)


@dataclass(frozen=True, slots=True)
class Share:
    """Of one run: the part of the quiet tokens/s that is left, and the longest pause in quiet medians."""

    rate: float
    longest_pause: float


async def measure(author: Author, servers: tuple[Server, Server], runs: int) -> list[Row]:
    """Two rows, each ours beside llama-server's, which runs once: it may take minutes. The bars are on ours."""
    ours, peer = servers
    shares = [[await _share(author, ours, f"{run}") for run in range(runs)], [await _share(author, peer, "0")]]
    rates = [round(statistics.median(share.rate for share in of_one), 2) for of_one in shares]
    pauses = [round(statistics.median(share.longest_pause for share in of_one), 2) for of_one in shares]
    what = f"{author.model} chat@{_CLIENTS} beside a process that burns a core"
    kept, short = f"ours at least {_LEAST_SHARE}", f"ours at most {_LONGEST_PAUSE}"
    return [
        Row(f"{what}: share of the quiet tokens/s", rates[0], rates[1], kept, rates[0] >= _LEAST_SHARE, runs),
        Row(f"{what}: longest pause, in quiet medians", pauses[0], pauses[1], short, pauses[0] <= _LONGEST_PAUSE, runs),
    ]


async def _share(author: Author, server: Server, seed: str) -> Share:
    quiet: list[Answer] = []
    busy: list[Answer] = []
    for burner, answers in ((nullcontext(), quiet), (burning(), busy)):
        requests = author.requests(_WORKLOAD, _CLIENTS, f"{seed} {len(quiet)}")
        with burner:
            answers += await send(server.address, requests, _CLIENTS)
    rate = figures(busy).tokens_per_second / figures(quiet).tokens_per_second
    return Share(rate, max(_pauses(busy)) / statistics.median(_pauses(quiet)))


def _pauses(answers: Sequence[Answer]) -> list[float]:
    """Between the pieces of answers when all are being written: before that, prompts are computed in between."""
    together = max(answer.first for answer in answers)
    found = []
    for answer in answers:
        moment = answer.first
        for pause in answer.pauses:
            moment += pause
            if moment - pause >= together:
                found.append(pause)
    return found


@contextmanager
def burning() -> Iterator[None]:
    """A process that uses all of a core, as a stranger would start it: in a session of its own; it ends with us."""
    program = "import os\nparent = os.getppid()\nwhile os.getppid() == parent: pass"
    burner = subprocess.Popen([sys.executable, "-c", program], start_new_session=True)
    try:
        yield
    finally:
        burner.kill()
        burner.wait()
