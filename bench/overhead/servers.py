"""Starts what is compared, each alone on one core: `bailey serve` and LiteLLM's proxy, before the same upstream.

LiteLLM has an environment of its own, made once. What they print goes to .setup/bench/logs.
"""

from __future__ import annotations

import json
import os
import secrets
import subprocess
import sys
import tempfile
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from bench.report import ROOT
from bench.started import LOGS, bailey, resident_mib, started
from inference.child import free_port

LITELLM = ROOT / ".setup" / "peers" / "litellm"
LITELLM_VERSION = "1.108.7"
OTHERS_CORE, GATEWAY_CORE = "0", "1"


@dataclass(frozen=True, slots=True)
class Server:
    """One that answers at a port of the loopback; `key` is its bearer token, `pid` its process."""

    name: str
    port: int
    key: str
    pid: int

    def memory_mib(self) -> float:
        """What is resident of it."""
        return resident_mib(self.pid)


@asynccontextmanager
async def upstream(pieces: int) -> AsyncGenerator[Server, None]:
    """The server behind both, which answers at once; streams have so many pieces."""
    command = (*_on(OTHERS_CORE), sys.executable, "-m", "bench.overhead.upstream", str(pieces), "0")
    async with started(command, LOGS / "overhead-upstream.log", lambda said: (int(said or 0), "/v1/models")) as up:
        yield Server("no proxy", up[1], "none", up[0].pid)


@asynccontextmanager
async def ours(behind: Server) -> AsyncGenerator[Server, None]:
    """`bailey serve` as in production: keys, policy, budgets, and every call in the ledger."""
    price = {"input_usd_per_million": 0.1, "output_usd_per_million": 0.3}
    model = {"name": "m", "engine": "http", "location": "local", "url": f"http://127.0.0.1:{behind.port}/v1",
             "tier": "draft", "context_tokens": 8192, "concurrency": 256, "price": price}  # fmt: skip
    async with bailey(model, LOGS / "overhead-ours.log", before=_on(GATEWAY_CORE)) as (child, port, key):
        yield Server("ours", port, key, child.pid)


@asynccontextmanager
async def litellm(behind: Server) -> AsyncGenerator[Server, None]:
    """LiteLLM's proxy with one worker and a master key, without a database: it keeps no account of anything."""
    port, key = free_port(), f"sk-{secrets.token_hex(24)}"
    parameters = {"model": "openai/m", "api_base": f"http://127.0.0.1:{behind.port}/v1", "api_key": "none"}
    config = {
        "model_list": [{"model_name": "m", "litellm_params": parameters}],
        "general_settings": {"master_key": key},
        "litellm_settings": {"telemetry": False},
    }
    with tempfile.TemporaryDirectory(prefix="bailey-bench-") as name:
        folder = Path(name)
        (folder / "config.yaml").write_text(json.dumps(config))
        variables = ("LITELLM_LOG=ERROR", "LITELLM_LOCAL_MODEL_COST_MAP=True")
        program = (str(LITELLM / "bin" / "litellm"), "--config", f"{folder}/config.yaml")
        command = (*_on(GATEWAY_CORE), "env", *variables, *program, "--port", str(port), "--num_workers", "1")
        ready = (port, "/health/liveliness")
        async with started(command, LOGS / "overhead-litellm.log", lambda _: ready) as (child, _):
            yield Server("LiteLLM", port, key, child.pid)


def _on(core: str) -> tuple[str, ...]:
    return ("taskset", "--cpu-list", core)


def make_litellm() -> None:
    """Its environment, if there is none yet."""
    if not (LITELLM / "bin" / "litellm").exists():
        subprocess.run((sys.executable, "-m", "venv", LITELLM), check=True)
        install = (LITELLM / "bin" / "python", "-m", "pip", "install", "--quiet", f"litellm[proxy]=={LITELLM_VERSION}")
        subprocess.run(install, check=True)


def stay_off_the_gateways_core() -> None:
    """Keep this process, the client, where the upstream is."""
    os.sched_setaffinity(0, {int(OTHERS_CORE)})
