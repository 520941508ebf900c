"""The group `sandbox`: `python -c pass` and a run of two tests, from request to result, by every way that is here.

Warm ones also from the request to the first output. The ways take turns, so that what else the machine does meets all
of them. A warm jail is asked for when one stands ready; the closed loop takes what there is.
"""

from __future__ import annotations

import asyncio
import statistics
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bench.report import ROOT, Row, keep, put_into
from bench.sandbox.ways import PYTHON, SITE, Way, control_groups_for_nsjail, peers
from sandbox.nsjail import NsjailSandbox
from sandbox.protocol import Command, Limits, Piece, Progress
from sandbox.spec import SandboxSpec

_ROUNDS, _SECONDS, _WORKERS = 40, 4.0, (1, 2, 8)
_REFILLED_SECONDS = 0.3
_MOST_WARM_MS, _MOST_WARM_PYTEST, _MOST_COLD, _LEAST_SUSTAINED = 2.5, 0.6, 1.3, 3.0
_TEST = b"def test_one():\n    assert 2 * 2 == 4\n\n\ndef test_two():\n    assert 2 * 0 == 0\n"
_PYTEST = ("python", "-B", "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_it.py")
_COLD = SandboxSpec(slots=8)
_WARM = SandboxSpec(slots=8, first_uid=_COLD.first_uid + 1000, warm={"python": 2, "pytest": 1})
PASS, TESTS = Command(("python", "-c", "pass")), Command(_PYTEST, "pytest", files={"test_it.py": _TEST})
_SPEAKING = Command(("python", "-c", "print(1, flush=True)"))
Seen = dict[str, list[float]]
"""Seconds of each run, by way."""
_GIBIBYTE = Command(("python", "-c", "import os\nfor _ in range(1 << 14): os.write(1, bytes(1 << 16))"))
_CAP = Command(("python", "-c", "import os\nfor _ in range(1 << 4): os.write(1, bytes(1 << 16))"))


async def measure() -> list[Row]:
    """Writes bench/results/sandbox.json and the table in bench/README.md."""
    with control_groups_for_nsjail():
        async with (
            _sandbox(_COLD) as cold,
            _sandbox(_WARM) as warm,
        ):
            ways = {**peers(), "ours, cold": _asking(cold), "ours, warm": _asking(warm)}
            short, long = await _latencies(ways, PASS, _ROUNDS), await _latencies(ways, TESTS, _ROUNDS // 2)
            heard = [await _first_output(warm) for _ in range(_ROUNDS)]
            rates = await _rates(ways)
            flood, cap = [await _latencies({"ours": _running(cold)}, job, 5) for job in (_GIBIBYTE, _CAP)]
    rows = [_bar_of_first_output(heard, short), *_bars(short, long, rates), _bar_of_output(flood["ours"], cap["ours"])]
    keep("sandbox", rows, {"python -c pass": _told(short), "pytest": _told(long), "runs/s": rates})
    put_into(ROOT / "bench" / "README.md", "bench sandbox", _table(short, long, rates))
    return rows


@asynccontextmanager
async def _sandbox(spec: SandboxSpec) -> AsyncIterator[NsjailSandbox]:
    sandbox = NsjailSandbox(spec, python=PYTHON, site=SITE)
    try:
        await sandbox.check()
        yield sandbox
    finally:
        await sandbox.close()


def _asking(sandbox: NsjailSandbox) -> Way:
    async def run(job: Command) -> None:
        result = await sandbox.run(job)
        assert result.ok, result

    return run


def _running(sandbox: NsjailSandbox) -> Way:
    async def run(job: Command) -> None:
        await sandbox.run(job)  # whatever comes of it

    return run


async def _latencies(ways: dict[str, Way], job: Command, rounds: int) -> Seen:
    """Seconds of each run, by way."""
    seen: Seen = {name: [] for name in ways}
    order = list(ways.items())
    for _ in range(rounds):
        order.append(order.pop(0))  # what a way leaves the kernel to do meets each of the others
        for name, way in order:
            await asyncio.sleep(_REFILLED_SECONDS if name == "ours, warm" else 0)
            started = time.perf_counter()
            await way(job)
            seen[name].append(time.perf_counter() - started)
    return seen


async def _rates(ways: dict[str, Way]) -> dict[str, dict[int, float]]:
    """Runs of `python -c pass` a second in a closed loop, by way and workers."""
    return {name: {workers: await _rate(way, workers) for workers in _WORKERS} for name, way in ways.items()}


async def _rate(way: Way, workers: int) -> float:
    until, count = time.perf_counter() + _SECONDS, 0

    async def work() -> None:
        nonlocal count
        while time.perf_counter() < until:
            await way(PASS)
            count += 1

    started = time.perf_counter()
    await asyncio.gather(*(work() for _ in range(workers)))
    return round(count / (time.perf_counter() - started), 1)


def _milliseconds(seen: Seen, name: str) -> float:
    return round(1e3 * statistics.median(seen[name]), 2)


def _bars(short: Seen, long: Seen, rates: dict[str, dict[int, float]]) -> list[Row]:
    warm, cold, raw, plain = (
        _milliseconds(short, name) for name in ("ours, warm", "ours, cold", "raw", "plain nsjail")
    )
    tests, raw_tests = _milliseconds(long, "ours, warm"), _milliseconds(long, "raw")
    sustained, of_nsjail = rates["ours, warm"][2], rates["plain nsjail"][2]
    return [
        Row(
            "ms of a warm python -c pass until its jail is gone, p50, beside a raw one",
            *(warm, raw, "under raw", warm < raw, _ROUNDS),
        ),
        Row(
            "ms of a warm pytest, p50, beside a raw one",
            *(tests, raw_tests, f"at most {_MOST_WARM_PYTEST:g} times", tests <= _MOST_WARM_PYTEST * raw_tests),
            runs=len(long["raw"]),
        ),
        Row(
            "ms of a cold python -c pass, p50, beside plain nsjail",
            *(cold, plain, f"at most {_MOST_COLD:g} times", cold <= _MOST_COLD * plain, _ROUNDS),
        ),
        Row(
            "warm runs/s of two in a closed loop, beside plain nsjail",
            *(sustained, of_nsjail, f"at least {_LEAST_SUSTAINED:g} times", sustained >= _LEAST_SUSTAINED * of_nsjail),
        ),
    ]


async def _first_output(sandbox: NsjailSandbox) -> float:
    """Seconds until a program in a warm jail is heard."""
    heard: list[float] = []

    def listen(progress: Progress) -> None:
        if isinstance(progress, Piece):
            heard.append(time.perf_counter())

    await asyncio.sleep(_REFILLED_SECONDS)
    started = time.perf_counter()
    result = await sandbox.run(_SPEAKING, listen)
    assert result.facts["warm"], result
    return heard[0] - started


def _bar_of_first_output(heard: list[float], short: Seen) -> Row:
    ours, raw = round(1e3 * statistics.median(heard), 2), _milliseconds(short, "raw")
    what = "ms from request to the first output of a warm python, p50, beside a raw python -c pass"
    return Row(
        what, ours, raw, f"at most {_MOST_WARM_MS:g}, and under raw", ours <= _MOST_WARM_MS and ours < raw, _ROUNDS
    )


def _bar_of_output(flood: list[float], cap: list[float]) -> Row:
    ours, peer = (round(1e3 * statistics.median(seen), 1) for seen in (flood, cap))
    most = Limits().output_bytes
    what = f"ms of a job that writes a gibibyte, beside one that writes the {most} bytes it may"
    return Row(what, ours, peer, "no more than noise (1.5 times)", ours <= 1.5 * peer, len(flood))


def _told(seen: Seen) -> dict[str, tuple[float, float]]:
    """Milliseconds, p50 and p95."""
    return {name: (_milliseconds(seen, name), _p95(seen[name])) for name in seen}


def _p95(values: list[float]) -> float:
    return round(1e3 * sorted(values)[int(0.95 * len(values))], 2)


def _table(short: Seen, long: Seen, rates: dict[str, dict[int, float]]) -> list[str]:
    head = ["way", "python, p50 ms", "p95", "pytest, p50 ms", "p95", *(f"runs/s, {count}" for count in _WORKERS)]
    lines = [f"| {' | '.join(head)} |", "|---" * len(head) + "|"]
    for name in short:
        times = [_milliseconds(short, name), _p95(short[name]), _milliseconds(long, name), _p95(long[name])]
        lines.append(f"| {name} | {' | '.join(f'{cell:g}' for cell in (*times, *rates[name].values()))} |")
    return lines
