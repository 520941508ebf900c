"""`bailey config check` beside a real vLLM: what it does not know is refused by its key, before anything starts."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from tests.contracts.engines import ROOT
from tests.vllm.server import PYTHON

CONFIG = """
version: 1
tiers: [draft]
models:
{models}
tenants:
  - {{name: default, data_class: internal, budget: {{limit_usd: 1}}}}
"""

# name -> what differs in its entry, the key that is refused, and words of the sentence
WRONG = {
    "dtype": ("placement: {gpus: 0, dtype: bf17}", "placement.dtype", "'bfloat16', 'float'"),
    "quantized": ("placement: {gpus: 0, quantization: q17}", "placement.quantization", "'awq'"),
    "guesses": (
        "placement: {gpus: 0, speculative: {method: guess, tokens: 2}}",
        "placement.speculative",
        "'ngram', 'medusa'",
    ),
    "rank": ("placement: {gpus: 0, lora: {max_rank: 7}}", "placement.lora.max_rank", "1, 8, 16, 32"),
    "calls": ("placement: {gpus: 0, tool_parser: hermez}", "placement.tool_parser", "hermes,"),
    "thinks": ("placement: {gpus: 0, reasoning_parser: deep}", "placement.reasoning_parser", "deepseek_r1"),
    "split": ("placement: {gpus: 0, tensor_parallel: 3}", "placement.tensor_parallel", "attention heads (4)"),
    "long": ("context_tokens: 2048", "context_tokens", "max_position_embeddings=1024"),
    "further": ('arguments: ["--sead", "1"]', "arguments", "does not know --sead; the nearest that it knows: --seed"),
}


def entry(name: str, said: str, python: Path = PYTHON) -> str:
    context = "" if "context_tokens" in said else ", context_tokens: 1024"
    common = f"engine: vllm, tier: draft, source: bundled:pico-coder, python: {python}"
    return f"  - {{name: {name}, {common}{context}, {said}}}"


def checked(folder: Path, *entries: str) -> subprocess.CompletedProcess[str]:
    path = folder / "models.yaml"
    path.write_text(CONFIG.format(models="\n".join(entries)))
    command = [sys.executable, "-m", "gateway.cli", "config", "check", str(path)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=240)


def test_what_this_vllm_does_not_know_is_refused_by_its_key(tmp_path: Path) -> None:
    right = entry("right", "placement: {gpus: 0, dtype: bfloat16, prefix_caching: true, lora: {}, tool_parser: hermes}")
    elsewhere = entry("elsewhere", "placement: {dtype: anything}", Path("/nowhere/python"))
    wrong = [entry(name, said) for name, (said, _, _) in WRONG.items()]
    done = checked(tmp_path, right, elsewhere, *wrong)
    assert done.returncode == 2
    assert "takes a while because it imports torch" in done.stdout
    assert "Not checked: elsewhere, because there is no /nowhere/python on this machine." in done.stdout
    problems = done.stderr.strip().splitlines()
    assert len(problems) == len(WRONG), done.stderr
    for problem, (name, (_, key, words)) in zip(problems, WRONG.items(), strict=True):
        assert f"({name}).{key}: vLLM 0.32.0 at {PYTHON} refuses it: " in problem
        assert words in problem
    assert "right" not in done.stderr


def test_where_the_environment_is_elsewhere_the_check_goes_on(tmp_path: Path) -> None:
    done = checked(tmp_path, entry("elsewhere", "placement: {dtype: anything}", Path("/nowhere/python")))
    assert (done.returncode, done.stderr) == (0, "")
    assert "is valid: 1 models" in done.stdout
