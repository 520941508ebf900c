"""A vLLM server spread over two machines of a Ray cluster: real vLLM, on processors."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.cluster.machines import Machines
from tests.cluster.test_ray import body, replicas, until
from tests.journeys.appliance import Appliance

ROOT = Path(__file__).parents[2]
CONFIG = f"""
version: 1
tiers: [draft]
models:
  - name: wide
    engine: vllm
    source: bundled:nano-coder
    python: {ROOT}/.setup/vllm/bin/python
    tier: draft
    context_tokens: 512
    concurrency: 4
    placement: {{gpus: 0, cpus: 0.5, tensor_parallel: 2, machines: 2, dtype: bfloat16, eager: true, kv_cache_mib: 64}}
    replicas: {{cold_start_seconds: 240, surge: false}}
tenants:
  - {{name: default, data_class: internal, budget: {{limit_usd: 1}}}}
"""


@pytest.fixture(scope="module")
def wide(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Machines, Appliance]]:
    """Two machines beside the head, and an appliance with one model that needs both."""
    machines = Machines()
    appliance = Appliance(tmp_path_factory.mktemp("wide"), config=CONFIG)
    appliance.command = ("up", "--ray-address", machines.address)
    (appliance.folder / "models.yaml").write_text(CONFIG)
    appliance.keys["ada"] = appliance.key("ada")
    try:
        machines.add(cpus=1)
        yield machines, appliance.start()
    finally:
        appliance.stop()
        machines.close()


def test_a_model_over_two_machines_answers_and_is_replaced_as_a_whole(wide: tuple[Machines, Appliance]) -> None:
    machines, appliance = wide
    headers = {"authorization": f"Bearer {appliance.keys['ada']}"}
    with httpx.Client(base_url=appliance.url, headers=headers, timeout=300) as http:
        answer = http.post("/v1/chat/completions", json=body("wide"))
        assert answer.status_code == 200, answer.text
        assert "def " in answer.json()["choices"][0]["message"]["content"]
        assert machines.kill_process("follower.py")
        until(lambda: replicas(http, "wide") == 0)
        until(lambda: replicas(http, "wide", "starting") == 1)
        until(lambda: len(machines.processes("follower.py")) > 0)
