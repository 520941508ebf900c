"""From models.yaml to vLLM's command line."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from inference.catalog import VllmModel
from inference.openai.requests import ChatBody
from inference.vllm.arguments import MAX_CHOICES, MODULE, command, environment, server_arguments


def model(**fields: Any) -> VllmModel:
    common = {"engine": "vllm", "name": "coder", "tier": "draft", "context_tokens": 4096, "source": "path:/weights"}
    return VllmModel.model_validate({**common, **fields})


def words(**fields: Any) -> list[str]:
    return [word for each in server_arguments(model(**fields), "/weights", "/run/vllm.sock") for word in each.words]


def value(flag: str, given: list[str]) -> str:
    return given[given.index(flag) + 1]


def test_without_a_placement_vllm_chooses() -> None:
    given = words()
    assert value("--model", given) == "/weights"
    assert value("--uds", given) == "/run/vllm.sock"
    assert value("--max-model-len", given) == "4096"
    assert value("--max-num-seqs", given) == "4"
    assert not {"--dtype", "--tensor-parallel-size", "--gpu-memory-utilization", "--host", "--port"} & {*given}
    assert model().placement.gpus == 1


@pytest.mark.parametrize(("gpus", "expected"), [(0, True), (1, False)])
def test_workers_on_processors_load_what_lets_them_use_tiles(gpus: int, expected: bool) -> None:
    placed = {"placement": {"gpus": gpus}}
    assert ("--worker-extension-cls" in words(**placed)) is expected
    folder = environment(model(**placed), "/run").get("PYTHONPATH")
    assert (folder is not None) is expected
    assert folder is None or [path.name for path in Path(folder).glob("*.py")] == ["bailey_worker.py"]


def test_the_last_guard_never_refuses_what_our_queue_lets_through() -> None:
    most = next(each.le for each in ChatBody.model_fields["n"].metadata if hasattr(each, "le"))
    assert most == MAX_CHOICES
    assert int(value("--max-num-queued-reqs", words(concurrency=3))) == 3 * MAX_CHOICES


@pytest.mark.parametrize(
    ("placement", "expected"),
    [
        ({"tensor_parallel": 2, "pipeline_parallel": 2}, "--tensor-parallel-size 2 --pipeline-parallel-size 2"),
        ({"dtype": "float16", "quantization": "fp8"}, "--dtype float16 --quantization fp8"),
        ({"gpu_memory_fraction": 0.8}, "--gpu-memory-utilization 0.8"),
        ({"gpus": 0.5}, "--gpu-memory-utilization 0.45"),
        ({"kv_cache_mib": 3}, "--kv-cache-memory-bytes 3145728"),
        ({"prefix_caching": True}, "--enable-prefix-caching"),
        ({"prefix_caching": False}, "--no-enable-prefix-caching"),
        ({"eager": True}, "--enforce-eager"),
        ({"reasoning_parser": "qwen3"}, "--reasoning-parser qwen3"),
        (
            {"tool_parser": "hermes"},
            "--enable-auto-tool-choice --tool-call-parser hermes --tool-strict-level parameter",
        ),
        ({"lora": {"max_loaded": 2, "max_rank": 32}}, "--enable-lora --max-loras 2 --max-lora-rank 32"),
    ],
)
def test_what_the_placement_says_is_passed_on(placement: dict[str, Any], expected: str) -> None:
    assert expected in " ".join(words(placement=placement))
    assert expected.split()[0] not in words()


def test_guessing_ahead() -> None:
    given = words(placement={"speculative": {"method": "eagle3", "tokens": 3, "model": "path:/draft"}})
    said = json.loads(value("--speculative-config", given))
    assert said == {"method": "eagle3", "num_speculative_tokens": 3, "model": "/draft"}


def test_a_model_that_only_embeds() -> None:
    assert value("--runner", words(capabilities=["embeddings"])) == "pooling"
    assert "--runner" not in words()


@pytest.mark.parametrize(
    ("capabilities", "backend"), [(["chat", "json_schema"], "guidance"), (["chat", "json_schema", "tools"], "xgrammar")]
)
def test_schemas_are_followed_without_blanks(capabilities: list[str], backend: str) -> None:
    given = words(capabilities=capabilities, placement={"tool_parser": "hermes"})
    said = json.loads(value("--structured-outputs-config", given))
    assert said == {"backend": backend, "disable_any_whitespace": True}
    assert "--structured-outputs-config" not in words()


def test_further_arguments_come_last() -> None:
    assert words(arguments=["--seed", "1"])[-2:] == ["--seed", "1"]


def test_the_child_reports_nothing_fetches_nothing_and_knows_no_other_keys() -> None:
    given = command(model(python="/opt/python"), Path("/weights"), Path("/run"), hidden=("OTHER_KEY",))
    assert given[:3] == ["env", "-u", "OTHER_KEY"]
    assert {"VLLM_NO_USAGE_STATS=1", "DO_NOT_TRACK=1", "HF_HUB_OFFLINE=1"} <= {*given}
    assert given[given.index("/opt/python") :][:3] == ["/opt/python", "-m", MODULE]
    assert "VLLM_ALLOW_RUNTIME_LORA_UPDATING" not in environment(model(), "/run")
    assert "VLLM_ALLOW_RUNTIME_LORA_UPDATING" in environment(model(placement={"lora": {}}), "/run")


@pytest.mark.parametrize(
    ("placement", "gpus"),
    [
        ({"tensor_parallel": 2, "pipeline_parallel": 3}, 6),
        ({"tensor_parallel": 2, "gpus": 0}, 0),
        ({"gpus": 0.25}, 0.25),
        ({"tensor_parallel": 2, "gpus": 2}, 2),
    ],
)
def test_there_is_a_graphics_processor_for_each_process(placement: dict[str, Any], gpus: float) -> None:
    assert model(placement=placement).placement.gpus == gpus


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"arguments": ["--dtype", "float16"]}, "'--dtype' may not stand in arguments: placement.dtype says it"),
        ({"arguments": ["--max_model_len=9"]}, "context_tokens says it"),
        ({"arguments": ["--max-model-le", "9"]}, "context_tokens says it"),
        ({"arguments": ["--speculative-config.method=ngram"]}, "placement.speculative says it"),
        ({"arguments": ["-tp", "2"]}, "placement.tensor_parallel says it"),
        ({"arguments": ["--host", "0.0.0.0"]}, "which listens on a private socket"),
        ({"capabilities": ["chat", "embeddings"]}, "either embeds or writes"),
        ({"capabilities": ["chat", "tools"]}, "needs placement.tool_parser"),
        ({"capabilities": ["completion", "infill"]}, "needs the key infill"),
        ({"placement": {"gpus": 4}}, "gpus is 4, but tensor_parallel x pipeline_parallel is 1"),
        ({"placement": {"gpus": 0.5, "tensor_parallel": 2}}, "gpus is 0.5, but"),
        ({"placement": {"lora": {"adapters": {"a:b": "path:/x"}}}}, "String should match pattern"),
        ({"placement": {"lora": {"adapters": {"a": "hf:x/y@z"}}}}, "String should match pattern"),
        ({"placement": {"tensor_parallel": "two"}}, "valid integer"),
    ],
)
def test_what_cannot_be_is_refused_by_its_key(fields: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as refused:
        model(**fields)
    assert said in str(refused.value)


@pytest.mark.parametrize("given", ["--seed", "--model-impl", "--enable-lora-bias", "--", "-O3", "3"])
def test_what_has_no_key_may_stand_in_arguments(given: str) -> None:
    assert model(arguments=[given]).arguments == (given,)
