"""Which folders are LoRA adapters."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from inference.errors import WeightsError
from inference.vllm.adapter_folder import adapter_files
from tests.vllm.adapters import write_adapter


def test_an_adapter_is_its_configuration_and_its_weights(tmp_path: Path) -> None:
    folder = write_adapter(tmp_path / "sql", 1, rank=8)
    (folder / "README.md").write_text("About it.")
    assert adapter_files("coder:sql", folder, 8) == ("adapter_config.json", "adapter_model.safetensors")
    (folder / "adapter_model.safetensors").rename(folder / "adapter_model.bin")
    assert adapter_files("coder:sql", folder, 8)[1] == "adapter_model.bin"


@pytest.mark.parametrize(
    ("config", "said"),
    [
        ({"r": 9}, "its rank is 9, and placement.lora.max_rank is 8"),
        ({"rank_pattern": {"q_proj": 32}}, "its rank is 32"),
        ({"r": None}, "gives no rank"),
        ({"rank_pattern": {"q_proj": "large"}}, "gives no rank"),
        ({"peft_type": "PREFIX_TUNING"}, "does not say peft_type LORA"),
    ],
)
def test_what_its_configuration_may_not_say(config: dict[str, Any], said: str, tmp_path: Path) -> None:
    path = write_adapter(tmp_path / "sql", 1) / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **config}))
    with pytest.raises(WeightsError, match=f"^The adapter 'coder:sql' cannot be used: .*{said}"):
        adapter_files("coder:sql", tmp_path / "sql", 8)


def test_what_is_no_adapter(tmp_path: Path) -> None:
    def said() -> str:
        with pytest.raises(WeightsError) as refused:
            adapter_files("coder:sql", tmp_path, 8)
        return refused.value.message

    path = tmp_path / "adapter_config.json"
    assert f"there is no {path} that can be read" in said()
    path.write_text("{")
    assert "is not JSON" in said()
    path.write_bytes(b"\xff\xfe")
    assert "is not JSON" in said()
    path.write_text("[]")
    assert "does not say peft_type LORA" in said()
    path.write_text('{"peft_type": "LORA", "r": 4}')
    assert "there is no" in said() and "adapter_model.safetensors" in said()
