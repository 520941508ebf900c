"""Starts the servers that are compared, waits until they answer, and ends them in any case, with all their children.

All get the same batches, the same context for each of the same number of slots, and the same kind of attention; peers
get the number of threads that they are told. What they print goes to .setup/bench/logs.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.cpu import peers
from bench.cpu.load import Address
from bench.started import LOGS, bailey, cpu_seconds, started
from inference.child import free_port
from inference.llamacpp.loading import BATCH_TOKENS


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
        return cpu_seconds(self.pid)


@asynccontextmanager
async def ours(served: Served, start: Sequence[str] = ("serve",)) -> AsyncGenerator[Server, None]:
    """`bailey serve` as in production, with the model in models.yaml and its first key; threads are its own choice.

    `start` is another command than `serve`.
    """
    model = {
        "name": served.name,
        "engine": "llama.cpp",
        "source": f"path:{served.weights}",
        "tier": "draft",
        "context_tokens": served.context_tokens,
        "capabilities": ["chat", "completion", "infill"],
        "concurrency": served.slots,
    }
    async with bailey(model, LOGS / f"ours-{served.name}-{start[0]}.log", start) as (child, port, key):
        yield Server(f"ours, {start[0]}", Address(port, key), child.pid)


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
    log = LOGS / f"llama-server-{threads or 'default'}-{served.name}.log"
    async with _peer("llama-server", command, log, (port, "/health")) as server:
        yield server


@asynccontextmanager
async def python_server(served: Served, threads: int) -> AsyncGenerator[Server, None]:
    """llama-cpp-python's server, which answers one request after the other."""
    port = free_port()
    settings = {
        "model": served.weights, "model_alias": served.name, "n_ctx": served.context_tokens, "port": port,
        "n_threads": threads, "n_threads_batch": threads, "n_batch": BATCH_TOKENS, "interrupt_requests": False,
        "flash_attn": served.flash_attention, "verbose": False,
    }  # fmt: skip
    options = [text for name, value in settings.items() for text in (f"--{name}", f"{value}")]
    log = LOGS / f"llama-cpp-python-{served.name}.log"
    command = (str(peers.python_server()), "-m", "llama_cpp.server", *options)
    async with _peer("llama-cpp-python", command, log, (port, "/v1/models")) as server:
        yield server


@asynccontextmanager
async def _peer(name: str, command: Sequence[str], log: Path, ready: tuple[int, str]) -> AsyncGenerator[Server, None]:
    async with started(command, log, lambda _: ready) as (child, port):
        yield Server(name, Address(port), child.pid)
