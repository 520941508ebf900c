"""The real vLLM that the tests of this folder ask, in the environment that set-up makes for it."""

from __future__ import annotations

import re
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path
from typing import Any

import httpx

from bench.vllm.random_folder import TINY, write_random_folder
from inference.catalog import VllmModel
from inference.vllm.engine import VllmEngine
from tests.contracts.engines import CONTEXT_TOKENS, NAME, ROOT, Subject, ask_child
from tests.inference.serving import eventually
from tests.inference.tiny_model import CHATML
from tests.inference.tool_models import HERMES
from tests.journeys.appliance import Appliance

PYTHON = ROOT / ".setup" / "vllm" / "bin" / "python"
START_SECONDS = 240
"""On two cores that others use, too; alone it takes about 40."""

# As small and as exact as vLLM can be: one thread's arithmetic does not depend on what is computed beside it.
PLACEMENT: dict[str, Any] = {"gpus": 0, "dtype": "float32", "eager": True, "kv_cache_mib": 64}

MODEL = "pico-coder"
CONFIG = """
version: 1
tiers: [draft]
models:
  - name: pico-coder
    engine: vllm
    tier: draft
    source: bundled:pico-coder
    context_tokens: 1024
    python: {python}
    capabilities: [chat, completion, infill, tools, json_schema, logprobs]
    infill: {{prefix: "<|fim_prefix|>", suffix: "<|fim_suffix|>", middle: "<|fim_middle|>"}}
    concurrency: 8
    queue: 16
    placement: {{gpus: 0, dtype: float32, eager: true, kv_cache_mib: 64, tool_parser: hermes, lora: {{max_rank: 8}}}}
    arguments: ["--chat-template", "{template}"]
tenants:
  - {{name: default, data_class: internal, budget: {{limit_usd: 1}}}}
"""


def model(**fields: Any) -> VllmModel:
    """The model NAME with random weights, which takes adapters."""
    return VllmModel.model_validate(
        {
            "engine": "vllm",
            "name": NAME,
            "tier": "draft",
            "context_tokens": CONTEXT_TOKENS,
            "capabilities": ["chat", "completion", "logprobs"],
            "source": "path:folder",
            "python": str(PYTHON),
            "placement": {**PLACEMENT, "lora": {"max_loaded": 1, "max_rank": 8}},
            **fields,
        }
    )


@asynccontextmanager
async def real_vllm(folder: Path) -> AsyncIterator[Subject]:
    """The engine with a real vLLM as its child."""
    assert PYTHON.exists(), "There is no vLLM in .setup/vllm; `make test` puts it there."
    engine = VllmEngine(model(), write_random_folder(folder / "random", TINY), folder / "logs")
    engine.start()

    async def ready() -> bool:
        health = await engine.health()
        assert "again" not in health.detail, health.detail
        return health.ready

    async def in_flight() -> int:
        metrics = await ask_child(engine, "/metrics")
        return sum(int(float(count)) for count in re.findall(r"(?m)^vllm:num_requests_\w+ing\{.*\} (\S+)$", metrics))

    try:
        await eventually(ready, within_seconds=START_SECONDS)
        yield Subject(engine, in_flight)
    finally:
        await engine.close()


@contextmanager
def appliance_with_vllm(folder: Path) -> Iterator[Appliance]:
    """An appliance whose only model runs on a real vLLM, with a chat template that knows tools; keys for two people."""
    assert PYTHON.exists(), "There is no vLLM in .setup/vllm; `make test` puts it there."
    template = folder / "hermes.jinja"
    template.write_text("{%- if tools %}" + HERMES + "{%- else %}" + CHATML + "{%- endif %}")
    running = Appliance(folder, config=CONFIG.format(python=PYTHON, template=template))
    (folder / "models.yaml").write_text(running.config)
    running.keys = {"ada": running.key("ada"), "grace": running.key("grace", "approver")}
    running.start()
    try:
        _wait_until_ready(running)
        yield running
    finally:
        running.stop()


def _wait_until_ready(appliance: Appliance) -> None:
    """Also look at what /readyz says in the meantime: which phase the start is in."""
    phases, until = set(), time.monotonic() + START_SECONDS
    while (answer := httpx.get(f"{appliance.url}/readyz")).status_code != 200:
        assert time.monotonic() < until, f"{answer.text}\n{appliance.log()}"
        phases.update(re.findall(r"is starting: ([a-z ]+)", answer.text))
        time.sleep(0.2)
    assert "starting " in " ".join(phases)
    told = set(re.findall(r"The vLLM server of 'pico-coder' is ([a-z ]+)", appliance.log()))
    assert {"starting ", "ready"} & told or told >= phases, told
