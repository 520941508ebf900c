"""What vLLM's output says about its start, in lines as vLLM 0.32 writes them."""

from __future__ import annotations

from pathlib import Path

import pytest

from inference.vllm.progress import Progress, Step, step_of

START = "(APIServer pid=6805) INFO 11-21 16:54:41 [api_utils.py:286] non-default args: {'dtype': 'bfloat16'}\n"
SHARDS = "\rLoading safetensors checkpoint shards:  25% Completed | 3/12 [00:04<00:12,  1.50s/it]"
ALL_SHARDS = "\rLoading safetensors checkpoint shards: 100% Completed | 12/12 [00:16<00:00,  1.50s/it]\n"
COMPILED = "(Worker pid=6836) INFO 11-21 16:55:08 [backends.py:600] Dynamo bytecode transform time: 8.20 s\n"
GRAPHS = "\rCapturing CUDA graphs (mixed prefill-decode, PIECEWISE):  40%|####      | 14/35 [00:02<00:03,  6.91it/s]\n"
KV_CACHE = "(EngineCore pid=1) INFO 11-21 16:55:08 [kv_cache_utils.py:2327] CPU KV cache size: 174,720 tokens\n"
UP = "INFO:     Application startup complete.\n"


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        (START, "reading the model's configuration"),
        ("[model.py:733] Resolved architecture: LlamaForCausalLM", "starting the engine"),
        ("[cpu_model_runner.py:68] Starting to load model /models/coder...", "loading weights"),
        (SHARDS, "loading weights, 3 of 12 (25 %)"),
        ("[default_loader.py:501] Loading weights took 0.05 seconds", "preparing the model"),
        (COMPILED, "compiling"),
        (GRAPHS, "capturing graphs, 14 of 35 (40 %)"),
        (KV_CACHE, "warming up"),
        ("init engine (profile, create kv cache, warmup model) took 2.71 s", "opening the server"),
        (UP, "waiting for the first token"),
    ],
)
def test_a_line_tells_of_a_phase(line: str, expected: str) -> None:
    assert str(step_of(line)) == expected


@pytest.mark.parametrize("line", ["", "Enforce eager set, disabling torch.compile, CUDAGraphs", "100% Completed"])
def test_other_lines_tell_of_none(line: str) -> None:
    assert step_of(line) is None


def test_it_follows_the_file_as_it_grows_and_never_goes_back(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text("")
    progress, seen = Progress(log), []
    for text in ("", START[:20], START[20:], SHARDS, ALL_SHARDS, GRAPHS, KV_CACHE, COMPILED, UP):
        with log.open("a") as file:
            file.write(text)
        seen.append(str(progress.read()))
    assert seen == [
        "starting Python",
        "starting Python",
        "reading the model's configuration",
        "loading weights, 3 of 12 (25 %)",
        "loading weights, 12 of 12 (100 %)",
        "capturing graphs, 14 of 35 (40 %)",
        "warming up",
        "warming up",
        "waiting for the first token",
    ]


def test_a_log_is_told_of_phases_and_quarters() -> None:
    steps = [Step("a"), Step("a"), Step("b", 0), Step("b", 20), Step("b", 30), Step("b", 40), Step("b", 90), Step("c")]
    told: list[Step] = []
    for step in steps:
        if not told or step.is_news_after(told[-1]):
            told.append(step)
    assert told == [Step("a"), Step("b", 0), Step("b", 30), Step("b", 90), Step("c")]


def test_the_first_error_is_what_the_others_follow_from(tmp_path: Path) -> None:
    log = tmp_path / "log"
    log.write_text(
        "(APIServer pid=1) WARNING 11-22 03:24:47 [system_utils.py:255] errors like `OSError: [Errno 24] Too many`\n"
        "(Worker pid=2) ERROR 11-22 03:25:16 [executor.py:1063] RuntimeError: Unsupported head_dim=16\n"
        "(APIServer pid=1) ERROR 11-22 03:25:16 [serving.py:500] vllm.v1.EngineDeadError: See stack trace.\n"
    )
    assert Progress(log).complaint() == "RuntimeError: Unsupported head_dim=16"
    log.write_text("api_server.py: error: unrecognized arguments: --foo\n")
    assert Progress(log).complaint() == "unrecognized arguments: --foo"
    log.write_text(START)
    assert Progress(log).complaint() == ""
