"""Starts the servers that are compared, waits until they answer, and ends them in any case, with all their children.

All get the same batches, the same context for each of the same number of slots, and the same kind of attention; peers
get the number of threads that they are told. What they print goes to .setup/bench/logs.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from bench.cpu import peers
from bench.cpu.load import Address
from inference.child import Child, free_port
from inference.llamacpp.loading import BATCH_TOKENS

_START_SECONDS = 300.0
_LOOK_AGAIN_SECONDS = 0.2


@dataclass(frozen=True, slots=True)
class Served:
    """What every server is to serve, under the same name."""

    name: str
    weights: Path
    context_tokens: int
    slots: int
    flash_attention: bool  # what our engine chooses; peers get the same


@dataclass(frozen=True, slots=True)
class Server:
    """One that answers requests."""

    name: str
    address: Address
    pid: int

    def cpu_seconds(self) -> float:
        """Processor time used so far by the server and its children."""
        return sum(map(_cpu_seconds, family(self.pid)))


@asynccontextmanager
async def ours(served: Served, start: Sequence[str] = ("serve",)) -> AsyncGenerator[Server, None]:
    """`bailey serve` as in production, with the model in models.yaml and its first key; threads are its own choice.

    `start` is another command than `serve`.
    """
    with tempfile.TemporaryDirectory(prefix="bailey-bench-") as folder:
        config = _write_config(Path(folder), served)
        variables = (f"BAILEY_CONFIG={config}", f"BAILEY_DATA={folder}/data", "BAILEY_LOG_LEVEL=WARNING")
        command = ("env", *variables, sys.executable, "-m", "gateway.cli", *start, "--port", "0")
        log = peers.LOGS / f"ours-{served.name}-{start[0]}.log"
        async with _running(command, log) as (child, pid):
            said: dict[str, str] = {}

            async def ready() -> bool:
                text = log.read_text()
                for name, pattern in (("port", r"http://[^:]+:(\d+)/v1"), ("key", r"First key .*: (\S+)")):
                    if found := re.search(pattern, text):
                        said[name] = found[1]
                return len(said) == 2 and await asyncio.to_thread(_answers, int(said["port"]), "/readyz")

            await _until(ready, child, log)
            yield Server(f"ours, {start[0]}", Address(int(said["port"]), said["key"]), pid)


@asynccontextmanager
async def llama_server(served: Served, threads: int | None) -> AsyncGenerator[Server, None]:
    """llama.cpp's own server, with the settings that ours has; without `threads` with those it chooses itself."""
    program = await asyncio.to_thread(peers.llama_server)
    flash = "on" if served.flash_attention else "off"
    same = ("--threads", f"{threads}", "--threads-batch", f"{threads}", "--flash-attn", flash, "--no-kv-unified")
    batches = ("--batch-size", f"{BATCH_TOKENS}", "--ubatch-size", f"{BATCH_TOKENS}")
    port = free_port()
    command = (
        str(program), "--model", str(served.weights), "--alias", served.name, "--port", f"{port}",
        "--parallel", f"{served.slots}", "--ctx-size", f"{served.slots * served.context_tokens}",
        "--no-webui", "--offline", *((*same, *batches) if threads else ()),
    )  # fmt: skip
    log = peers.LOGS / f"llama-server-{threads or 'default'}-{served.name}.log"
    async with _peer("llama-server", command, log, (port, "/health")) as server:
        yield server


@asynccontextmanager
async def python_server(served: Served, threads: int) -> AsyncGenerator[Server, None]:
    """llama-cpp-python's server, which answers one request after the other."""
    python = await asyncio.to_thread(peers.python_server)
    port = free_port()
    settings = {
        "model": served.weights, "model_alias": served.name, "n_ctx": served.context_tokens, "port": port,
        "n_threads": threads, "n_threads_batch": threads, "n_batch": BATCH_TOKENS, "interrupt_requests": False,
        "flash_attn": served.flash_attention, "verbose": False,
    }  # fmt: skip
    options = [text for name, value in settings.items() for text in (f"--{name}", f"{value}")]
    log = peers.LOGS / f"llama-cpp-python-{served.name}.log"
    command = (str(python), "-m", "llama_cpp.server", *options)
    async with _peer("llama-cpp-python", command, log, (port, "/v1/models")) as server:
        yield server


def _write_config(folder: Path, served: Served) -> Path:
    """A models.yaml (JSON is YAML) with one model on one thread and one tenant without limits that would be felt."""
    model = {
        "name": served.name,
        "engine": "llama.cpp",
        "source": f"path:{served.weights}",
        "tier": "draft",
        "context_tokens": served.context_tokens,
        "capabilities": ["chat", "completion", "infill"],
        "concurrency": served.slots,
    }
    tenant = {"name": "default", "data_class": "internal", "budget": {"limit_usd": 1_000_000}}
    path = folder / "models.yaml"
    path.write_text(json.dumps({"version": 1, "tiers": ["draft"], "models": [model], "tenants": [tenant]}))
    return path


@asynccontextmanager
async def _peer(name: str, command: Sequence[str], log: Path, ready: tuple[int, str]) -> AsyncGenerator[Server, None]:
    async with _running(command, log) as (child, pid):
        await _until(lambda: asyncio.to_thread(_answers, *ready), child, log)
        yield Server(name, Address(ready[0]), pid)


@asynccontextmanager
async def _running(command: Sequence[str], log: Path) -> AsyncGenerator[tuple[Child, int], None]:
    """The command as a child that cannot outlive us, and its process id."""
    before = {*family(os.getpid())}
    child = await Child.spawn(command, log)
    (pid,) = (pid for pid in {*family(os.getpid())} - before if _parent(pid) == os.getpid())
    try:
        yield child, pid
    finally:
        await child.stop()


async def _until(ready: Callable[[], Awaitable[bool]], child: Child, log: Path) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while not await ready():
        if not child.running or time.monotonic() > deadline:
            raise RuntimeError(f"A server did not start: {child.tail(8)} (all of it: {log})")
        await asyncio.sleep(_LOOK_AGAIN_SECONDS)


def _answers(port: int, path: str) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()


def _status(pid: int) -> list[str]:
    """The fields of /proc/PID/stat from the third on; none if the process is gone."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return []


def _parent(pid: int) -> int:
    status = _status(pid)
    return int(status[1]) if status else 0


def _cpu_seconds(pid: int) -> float:
    status = _status(pid)
    return (int(status[11]) + int(status[12])) / os.sysconf("SC_CLK_TCK") if status else 0.0


def family(pid: int) -> set[int]:
    """The ids of a process and all its descendants."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            children.setdefault(_parent(int(entry.name)), []).append(int(entry.name))
    found, new = {pid}, [pid]
    while new:
        born = children.get(new.pop(), [])
        found.update(born)
        new.extend(born)
    return found
