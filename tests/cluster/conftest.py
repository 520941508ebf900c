"""A Ray cluster of three machines, and an appliance whose models are placed there."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

import pytest

from tests.cluster.machines import Machines, kill_below
from tests.contracts.engines import write_interpreter
from tests.journeys.appliance import Appliance

CONFIG = """
version: 1
tiers: [draft]
models:
  - name: steady
    engine: llama.cpp
    source: bundled:pico-coder
    tier: draft
    context_tokens: 1024
    threads: 1
    concurrency: 4
    queue: 600
    guesses: false
    placement: {cpus: 0.1, resources: {worker: 0.1}}
    replicas: {min: 2, max: 2, cold_start_seconds: 240, drain_seconds: 20}  # another head, on a busy machine
  - name: elastic
    engine: llama.cpp
    source: bundled:pico-coder
    tier: draft
    context_tokens: 1024
    threads: 1
    concurrency: 4
    queue: 600
    guesses: false
    placement: {cpus: 0.1, resources: {worker: 0.1}}
    replicas: {min: 0, max: 2, in_flight: 2, scale_down_delay_seconds: 2, cold_start_seconds: 60, drain_seconds: 20}
  - name: on-gpu
    engine: llama.cpp
    source: bundled:nano-coder
    tier: draft
    context_tokens: 1024
    threads: 1
    placement: {cpus: 0.1, resources: {gpu_machine: 1}}
    replicas: {cold_start_seconds: 2}
    cpu_fallback: steady
  - name: tuned
    engine: vllm
    python: STAND_IN/python
    source: bundled:pico-coder
    tier: draft
    context_tokens: 256
    placement: {gpus: 0, cpus: 0.1, resources: {worker: 0.1}, lora: {max_rank: 8}}
    replicas: {cold_start_seconds: 60, drain_seconds: 20}
  - name: nowhere
    engine: llama.cpp
    source: bundled:pico-coder
    tier: draft
    context_tokens: 1024
    placement: {cpus: 500}
    replicas: {cold_start_seconds: 1}
tenants:
  - {name: default, data_class: internal, budget: {limit_usd: 1}}
"""


@dataclass
class World:
    """The machines, the appliance, and which worker machines there are."""

    machines: Machines
    appliance: Appliance
    workers: list[str] = field(default_factory=list)

    def kill_placer(self) -> None:
        """End the process of the appliance that speaks with Ray."""
        assert self.appliance.process
        assert kill_below(self.appliance.process.pid, "inference.cluster.placer")


@pytest.fixture(scope="module")
def world(tmp_path_factory: pytest.TempPathFactory) -> Iterator[World]:
    """Everything, running; tests leave it whole."""
    machines = Machines()
    folder = tmp_path_factory.mktemp("cluster")
    write_interpreter(folder)
    appliance = Appliance(folder, config=CONFIG.replace("STAND_IN", str(folder)))
    appliance.command = ("up", "--ray-address", machines.address)
    (folder / "models.yaml").write_text(appliance.config)
    appliance.keys = {"ada": appliance.key("ada"), "grace": appliance.key("grace", "approver")}
    here = World(machines, appliance)
    try:
        here.workers += [machines.add(cpus=1, worker=1), machines.add(cpus=1, worker=1)]
        appliance.start()
        yield here
    finally:
        appliance.stop()
        machines.close()
