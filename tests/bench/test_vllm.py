"""The group `vllm`: what is read from the client's result, and the random model."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from safetensors.numpy import load_file

from bench.vllm.client import Figures, figures
from bench.vllm.group import GPU, PROCESSORS, Compared, Machine, measure_on_gpu
from bench.vllm.random_folder import SPECIAL, TINY, VOCABULARY, Shape, write_random_folder
from bench.vllm.servers import model
from inference.vllm.arguments import server_arguments

RESULT = {"completed": 2, "output_throughput": 50.0, "ttfts": [0.02, 0.04], "itls": [[0.01, 0.0005], [0.01, 0.03]]}


def test_figures_are_in_milliseconds_and_bursts_are_counted() -> None:
    found = figures(RESULT, 2)
    assert (found.tokens_per_second, round(found.first_p50, 6), found.bursts) == (50.0, 30.0, 0.25)
    assert (found.gap_p50, found.gap_p95, found.gap_p99) == (10, 30, 30)


def test_a_request_that_failed_counts_for_nothing() -> None:
    with pytest.raises(RuntimeError, match="Only 2 of 3"):
        figures(RESULT, 3)


@pytest.mark.parametrize(
    ("ours", "holds"),
    [
        (Figures(97, 15, 10, 20, 30, 0.01), [True, True, None, True, None, True]),
        (Figures(96, 15.1, 10, 23, 30, 0.02), [False, False, None, False, None, False]),
    ],
)
def test_bars(ours: Figures, holds: list[bool | None]) -> None:
    rows = Compared("nano-coder@1", ours, Figures(100, 10, 10, 20, 30, 0), 3).rows()
    assert [row.holds for row in rows] == holds


def test_the_random_model_is_whole_and_never_ends_by_itself(tmp_path: Path) -> None:
    folder = write_random_folder(tmp_path / "random", TINY)
    config = json.loads((folder / "config.json").read_text())
    tensors = load_file(folder / "model.safetensors")
    assert len(tensors) == 2 + 9 * TINY.num_hidden_layers
    embedding = tensors["model.embed_tokens.weight"]
    assert embedding.shape == (VOCABULARY, TINY.hidden_size) == (config["vocab_size"], config["hidden_size"])
    assert not embedding[:SPECIAL].any()
    assert config["eos_token_id"] < SPECIAL
    assert (folder / "tokenizer.json").exists()
    assert write_random_folder(folder) == folder  # as it was


def test_the_larger_one_has_half_a_billion_weights() -> None:
    shape = Shape()
    key = shape.num_key_value_heads * shape.head
    layer = 2 * shape.hidden_size**2 + 2 * key * shape.hidden_size + 3 * shape.intermediate_size * shape.hidden_size
    assert 0.45e9 < shape.num_hidden_layers * layer < 0.6e9


@pytest.mark.parametrize("machine", [PROCESSORS, GPU])
def test_both_servers_are_told_the_same_and_fit_beside_each_other(machine: Machine, tmp_path: Path) -> None:
    served = model(machine.subjects[0].name, tmp_path, context_tokens=1024, concurrency=32, gpus=machine.gpus)
    words = [word for each in server_arguments(served, str(tmp_path), "") for word in each.words]
    assert "--kv-cache-memory-bytes" in words
    assert ("--enforce-eager" in words) == (not machine.gpus)
    fraction = served.placement.memory_fraction
    assert 2 * (fraction or 0) < 1 and bool(fraction) == bool(machine.gpus)


async def test_without_a_graphics_processor_its_group_is_left_out(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("PATH", "")
    assert await measure_on_gpu() == []
    assert "no graphics processor" in capsys.readouterr().out
