"""The check of vLLM models where there is no vLLM, or one that answers as ours does. tests/vllm asks a real one."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from inference.vllm.arguments import server_arguments
from inference.vllm.check import Refused, Unchecked, check_installed, key_of
from inference.vllm.probe import MARK
from tests.inference.test_vllm import script
from tests.inference.test_vllm_arguments import model

PLACEMENT = {
    "dtype": "bf17",
    "tensor_parallel": 3,
    "tool_parser": "hermez",
    "quantization": "q17",
    "speculative": {"method": "guess", "tokens": 2},
}
LINE = server_arguments(model(placement=PLACEMENT), "/weights", "/vllm.sock")


@pytest.mark.parametrize(
    ("message", "key"),
    [
        ("argument --dtype: invalid choice: 'bf17' (choose from 'auto')", "placement.dtype"),
        ("argument --max-model-len: invalid int value", "context_tokens"),
        ("invalid tool call parser: hermez (chose from { hermes })", "placement.tool_parser"),
        ("Unknown quantization method: q17. Must be one of ['awq'].", "placement.quantization"),
        ("it does not know --max-num-queued-reqs; the nearest that it knows: none", "concurrency"),
        ("Speculative decoding is not supported here", "placement.speculative"),
        ("method: Input should be 'ngram' or 'suffix'", "placement.speculative"),
        ("Number of heads (4) must be divisible by tensor parallel size (3).", "placement.tensor_parallel"),
        ("It is too late", "arguments"),
    ],
)
def test_a_message_is_about_a_key(message: str, key: str) -> None:
    assert key_of(message, LINE) == key


def test_where_there_is_no_vllm_the_models_stay_unchecked(tmp_path: Path) -> None:
    broken = script(tmp_path, "echo no luck >&2; exit 3")
    models = [
        model(name="one", python="/nowhere/python"),
        model(name="two", python=sys.executable),
        model(name="three", python=sys.executable),
        model(name="four", python=str(broken)),
    ]
    found = list(check_installed(models, {}))
    assert all(isinstance(each, Unchecked) for each in found)
    assert [(each.models, each.why) for each in found if isinstance(each, Unchecked)] == [
        (("one",), "there is no /nowhere/python on this machine"),
        (("two", "three"), f"vLLM is not installed for {sys.executable} on this machine"),
        (("four",), f"{broken} ended with code 3 (no luck)"),
    ]


def test_what_is_asked_is_the_very_command_line(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OTHER_KEY", "sk-other")
    answer = {"version": "0.32.0", "problems": {"coder": "argument --dtype: invalid choice: bf17"}}
    answers = f"echo noise; echo '{MARK}{json.dumps(answer)}'"
    python = script(tmp_path, f"cat > {tmp_path}/asked; env > {tmp_path}/env; {answers}")
    subject = model(python=str(python), placement={"dtype": "bf17"})
    (found,) = check_installed([subject], {"coder": Path("/weights")}, hidden=["OTHER_KEY"])
    assert isinstance(found, Refused)
    assert (found.model, found.key) == ("coder", "placement.dtype")
    assert found.message == f"vLLM 0.32.0 at {python} refuses it: argument --dtype: invalid choice: bf17."
    asked = json.loads((tmp_path / "asked").read_text())["coder"]
    assert asked["here"] is True
    line = server_arguments(subject, "/weights", "/vllm.sock")
    assert asked["words"] == [word for each in line for word in each.words]
    assert "OTHER_KEY" not in (tmp_path / "env").read_text()
    assert "HF_HUB_OFFLINE=1" in (tmp_path / "env").read_text()
