"""What is measured when somebody asks."""

from __future__ import annotations

from typing import cast

from gateway.telemetry import Telemetry
from inference.catalog import ScriptedModel
from inference.protocol import Engine
from inference.scripted import ScriptedEngine


class Growing:
    """Knows its memory, which is larger each time."""

    def __init__(self) -> None:
        self.resident = 10.0

    def memory_mib(self) -> dict[str, float]:
        self.resident += 1
        return {"weights": 2.5, "resident": self.resident}


def test_memory_is_read_when_metrics_are() -> None:
    telemetry, growing = Telemetry(), Growing()
    scripted = ScriptedModel(engine="scripted", name="silent", tier="draft", context_tokens=100, replies=())
    telemetry.watch({"large": cast(Engine, growing), "silent": ScriptedEngine(scripted)})
    told = growing.resident
    for _ in range(2):
        lines = telemetry.exposition().decode().splitlines()
        told += 1
        assert 'bailey_engine_memory_mebibytes{model="large",part="weights"} 2.5' in lines
        assert f'bailey_engine_memory_mebibytes{{model="large",part="resident"}} {told}' in lines
        assert not any('model="silent"' in line for line in lines)
