"""Starts what is compared: vLLM's server alone, and `bailey serve` with the same vLLM behind it, on the loopback.

Both have the very same arguments but for where they listen. What they print goes to .setup/bench/logs.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import tempfile
import time
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from http.client import HTTPConnection, HTTPException
from pathlib import Path

from bench.report import ROOT
from inference.catalog import VllmModel
from inference.child import Child, free_port
from inference.vllm.arguments import MODULE, environment, server_arguments

PYTHON = ROOT / ".setup" / "vllm" / "bin" / "python"
LOGS = ROOT / ".setup" / "bench" / "logs"
_START_SECONDS = 600.0
_LOOK_AGAIN_SECONDS = 0.5


@dataclass(frozen=True, slots=True)
class Server:
    """One that answers at a port of the loopback; `key` is its bearer token, if it wants one."""

    name: str
    port: int
    key: str = "none"


def model(name: str, folder: Path, context_tokens: int, concurrency: int, gpus: int) -> VllmModel:
    """What both serve: with `gpus: 0` on processors, else on one graphics processor that both share."""
    memory = {"kv_cache_mib": 4096, "gpu_memory_fraction": 0.4} if gpus else {"kv_cache_mib": 1024}
    return VllmModel.model_validate(
        {
            "name": name,
            "engine": "vllm",
            "source": f"path:{folder}",
            "tier": "draft",
            "context_tokens": context_tokens,
            "concurrency": concurrency,
            "python": str(PYTHON),
            "placement": {"gpus": gpus, "dtype": "bfloat16", "eager": not gpus, **memory},
            # Of its kinds of attention the one that needs nothing beside PyTorch.
            "arguments": ["--attention-backend", "TRITON_ATTN"] if gpus else [],
        }
    )


@asynccontextmanager
async def bare(served: VllmModel) -> AsyncGenerator[Server, None]:
    """vLLM's server as anybody would start it."""
    port = free_port()
    folder = served.source.removeprefix("path:")
    line = [word for each in server_arguments(served, folder, "") for word in each.words]
    place = line.index("--uds")
    line[place : place + 2] = ["--host", "127.0.0.1", "--port", str(port)]
    with tempfile.TemporaryDirectory(prefix="bailey-bench-") as sockets:
        variables = [f"{name}={value}" for name, value in environment(served, sockets).items()]
        command = ("env", *variables, str(PYTHON), "-m", MODULE, *line)
        async with _running(command, LOGS / f"vllm-{served.name}.log", lambda _: (port, "/health")):
            yield Server("vLLM", port)


@asynccontextmanager
async def ours(served: VllmModel) -> AsyncGenerator[Server, None]:
    """`bailey serve` as in production, with the model in models.yaml and its first key."""
    with tempfile.TemporaryDirectory(prefix="bailey-bench-") as name:
        folder = Path(name)
        model_ = served.model_dump(mode="json", exclude_unset=True)
        tenant = {"name": "default", "data_class": "internal", "budget": {"limit_usd": 1_000_000}}
        config = {"version": 1, "tiers": ["draft"], "models": [model_], "tenants": [tenant]}
        (folder / "models.yaml").write_text(json.dumps(config))  # JSON is YAML
        variables = (f"BAILEY_CONFIG={folder}/models.yaml", f"BAILEY_DATA={folder}/data", "BAILEY_LOG_LEVEL=WARNING")
        command = ("env", *variables, sys.executable, "-m", "gateway.cli", "serve", "--port", "0")
        log = LOGS / f"ours-vllm-{served.name}.log"
        async with _running(command, log, _announced):
            key = re.search(r"First key .*: (\S+)", log.read_text())
            assert key, f"There is no key in {log}."
            yield Server("ours", _announced(log.read_text())[0], key[1])


def _announced(said: str) -> tuple[int, str]:
    found = re.search(r"http://[^:]+:(\d+)/v1", said)
    return (int(found[1]) if found else 0, "/readyz")


@asynccontextmanager
async def _running(
    command: Sequence[str], log: Path, where: Callable[[str], tuple[int, str]]
) -> AsyncGenerator[None, None]:
    """`where` says, from what it has printed, at which port and path to ask whether it is ready."""
    child = await Child.spawn(command, log)
    try:
        deadline = time.monotonic() + _START_SECONDS
        while not await asyncio.to_thread(lambda: _answers(*where(log.read_text()))):
            if not child.running or time.monotonic() > deadline:
                raise RuntimeError(f"A server did not start: {child.tail(8)} (all of it: {log})")
            await asyncio.sleep(_LOOK_AGAIN_SECONDS)
        yield
    finally:
        await child.stop()


def _answers(port: int, path: str) -> bool:
    connection = HTTPConnection("127.0.0.1", port, timeout=5)
    try:
        connection.request("GET", path)
        return port > 0 and connection.getresponse().status == 200
    except (OSError, HTTPException):
        return False
    finally:
        connection.close()
