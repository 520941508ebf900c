"""Adapters of a real vLLM from the front door: what is asked as `model:adapter` is said otherwise than by the model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from bench.vllm.random_folder import Shape
from gateway.client import ApplianceError, Client
from tests.journeys.appliance import Appliance
from tests.vllm.adapters import write_adapter
from tests.vllm.server import MODEL

PICO = Shape(128, 5, 4, 4, 352, 1024)


def said(client: Client, model: str) -> str:
    body = {"model": model, "prompt": "def add(a, b):", "max_tokens": 12, "temperature": 0}
    answer = client.post("/v1/completions", body)
    assert answer["model"] == model
    return str(answer["choices"][0]["text"])


def test_an_adapter_is_loaded_asked_and_unloaded(appliance: Appliance, tmp_path: Path) -> None:
    ada, grace = appliance.client("ada"), appliance.client("grace")
    base = said(ada, MODEL)
    write_adapter(tmp_path / "sql", 1, shape=PICO)
    body: dict[str, Any] = {"adapter": "sql", "source": f"path:{tmp_path}/sql"}
    (version,) = grace.post(f"/v1/models/{MODEL}/load-adapter", body)["versions"]
    assert [(each["adapter"], each["problem"]) for each in version["adapters"]] == [("sql", "")]
    assert said(ada, f"{MODEL}:sql") != base
    assert said(ada, MODEL) == base
    call = appliance.entries("calls")[-2].data
    assert (call["model"], call["adapter"]) == (f"{MODEL}:sql", "sql")
    assert call["weights"] not in {None, version["weights"]}
    grace.post(f"/v1/models/{MODEL}/unload-adapter", {"adapter": "sql"})
    with pytest.raises(ApplianceError, match="has no adapter 'sql'"):
        said(ada, f"{MODEL}:sql")


def test_what_vllm_itself_refuses_changes_nothing(appliance: Appliance, tmp_path: Path) -> None:
    grace = appliance.client("grace")
    before = len(appliance.entries("models"))
    write_adapter(tmp_path / "wide", 1, shape=Shape(256, 5, 4, 4, 352, 1024))
    with pytest.raises(ApplianceError, match="cannot be used") as refused:
        grace.post(f"/v1/models/{MODEL}/load-adapter", {"adapter": "wide", "source": f"path:{tmp_path}/wide"})
    assert refused.value.code == "invalid_adapter"
    assert len(appliance.entries("models")) == before
    assert said(appliance.client("ada"), MODEL)
