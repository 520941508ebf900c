"""Starts a server that is measured, waits until it answers, and ends it in any case; `bailey serve` first of all."""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import Any

from bench.report import ROOT
from inference.child import Child

LOGS = ROOT / ".setup" / "bench" / "logs"
_START_SECONDS = 600.0
_LOOK_AGAIN_SECONDS = 0.2

Where = Callable[[str], tuple[int, str]]
"""Which port and path tell that a server is up, from what it has printed; port 0 while that is not known."""


@asynccontextmanager
async def started(command: Sequence[str], log: Path, where: Where) -> AsyncGenerator[tuple[Child, int], None]:
    """The process and its port. Raises `RuntimeError` with the end of what it printed when it does not start."""
    LOGS.mkdir(parents=True, exist_ok=True)
    child = await Child.spawn(command, log)
    try:
        deadline = time.monotonic() + _START_SECONDS
        while not await asyncio.to_thread(lambda: _answers(*where(log.read_text()))):
            if not child.running or time.monotonic() > deadline:
                raise RuntimeError(f"A server did not start: {child.tail(8)} (all of it: {log})")
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)
        yield child, where(await asyncio.to_thread(log.read_text))[0]
    finally:
        await child.stop()


@asynccontextmanager
async def bailey(
    model: Mapping[str, Any], log: Path, start: Sequence[str] = ("serve",), before: Sequence[str] = ()
) -> AsyncGenerator[tuple[Child, int, str], None]:
    """`bailey serve` as in production with one model in models.yaml: the process, its port and its first key.

    `start` is another command than `serve`; `before` stands before it all, such as what ties it to a core.
    """
    with tempfile.TemporaryDirectory(prefix="bailey-bench-") as name:
        folder = Path(name)
        tenant = {"name": "default", "data_class": "internal", "budget": {"limit_usd": 1_000_000}}
        config = {"version": 1, "tiers": ["draft"], "models": [model], "tenants": [tenant]}
        (folder / "models.yaml").write_text(json.dumps(config))  # JSON is YAML
        variables = (f"BAILEY_CONFIG={folder}/models.yaml", f"BAILEY_DATA={folder}/data", "BAILEY_LOG_LEVEL=WARNING")
        command = (*before, "env", *variables, sys.executable, "-m", "gateway.cli", *start, "--port", "0")
        async with started(command, log, _announced) as (child, port):
            key = re.search(r"First key .*: (\S+)", await asyncio.to_thread(log.read_text))
            assert key, f"There is no key in {log}."
            yield child, port, key[1]


def resident_mib(pid: int) -> float:
    """What is resident of a process and all its descendants; memory that they share counts for each."""
    pages = (Path(f"/proc/{each}/statm").read_text().split()[1] for each in family(pid))
    return sum(map(int, pages)) * os.sysconf("SC_PAGE_SIZE") / 2**20


def cpu_seconds(pid: int) -> float:
    """Processor time used so far by a process and all its descendants."""
    ticks = (sum(map(int, status[11:13])) for each in family(pid) if (status := _status(each)))
    return sum(ticks) / os.sysconf("SC_CLK_TCK")


def family(pid: int) -> set[int]:
    """The ids of a process and all its descendants."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (status := _status(int(entry.name))):
            children.setdefault(int(status[1]), []).append(int(entry.name))
    found, new = {pid}, [pid]
    while new:
        born = children.get(new.pop(), [])
        found.update(born)
        new.extend(born)
    return found


def _status(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the third on; none if the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def _announced(said: str) -> tuple[int, str]:
    found = re.search(r"http://[^:]+:(\d+)/v1", said)
    return (int(found[1]) if found else 0, "/readyz")


def _answers(port: int, path: str) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return port > 0 and connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
