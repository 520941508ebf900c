"""Starts what is compared: vLLM's server alone, and `bailey serve` with the same vLLM behind it, on the loopback.

Both have the very same arguments but for where they listen. What they print goes to .setup/bench/logs.
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.report import ROOT
from bench.started import LOGS, bailey, started
from inference.catalog import VllmModel
from inference.child import free_port
from inference.vllm.arguments import MODULE, environment, server_arguments

PYTHON = ROOT / ".setup" / "vllm" / "bin" / "python"


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
        async with started(command, LOGS / f"vllm-{served.name}.log", lambda _: (port, "/health")):
            yield Server("vLLM", port)


@asynccontextmanager
async def ours(served: VllmModel) -> AsyncGenerator[Server, None]:
    """`bailey serve` as in production, with the model in models.yaml and its first key."""
    model_ = served.model_dump(mode="json", exclude_unset=True)
    async with bailey(model_, LOGS / f"ours-vllm-{served.name}.log") as (_, port, key):
        yield Server("ours", port, key)
