"""`make demo`, with the bundled models, as a newcomer runs it."""

from __future__ import annotations

import subprocess
import sys
from typing import Any

import pytest

from examples import demo
from tests.journeys.appliance import ROOT


def test_the_demo_does_the_main_job() -> None:
    done = subprocess.run([sys.executable, "-m", "examples.demo"], cwd=ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    assert [line for line in demo.EXPECTED.values() if f"✓ {line}" not in done.stdout] == []
    for told in ("failed verification", "expected_usd=", "somebody else must approve", "The ledger holds", "USD ="):
        assert told in done.stdout
    assert "make serve" in done.stdout
    assert "http://127.0.0.1:8400/v1" in done.stdout


def steps(**changes: Any) -> dict[str, Any]:
    """The steps of a task that went as the demo wants it, with some of them changed."""
    red, green = ({"green": green, "rungs": [{"rung": "tests"}]} for green in (False, True))
    route = 'model=nano-coder; reason="pico-coder failed verification"; expected_usd=0.1'
    return {
        "plan": {"files": ["a.py"], "refusal": ""},
        "context": {"passages": ["a.py:1-9"]},
        "draft/1": {"model": "pico-coder", "route": ""},
        "verify/1": red,
        "draft/2": {"model": "pico-coder", "route": ""},
        "verify/2": red,
        "draft/3": {"model": "nano-coder", "route": route},
        "verify/3": green,
        "verdict": {"decision": "ask"},
        **changes,
    }


JUDGED = {"plan", "context", "cheap draft", "red", "evidence", "escalation", "green", "ask"}


def judged(changed: dict[str, Any]) -> set[str]:
    seen = dict.fromkeys(demo.EXPECTED, False)
    demo.judge(changed, seen)
    return {name for name, happened in seen.items() if happened}


def test_what_happened_is_seen() -> None:
    assert judged(steps()) == JUDGED


@pytest.mark.parametrize(
    ("changed", "unseen"),
    [
        ({"plan": {"files": [], "refusal": ""}}, {"plan"}),
        ({"context": {"passages": []}}, {"context"}),
        ({"verify/1": {"green": True, "rungs": [{"rung": "tests"}]}}, {"red"}),
        ({"verify/1": {"green": False, "rungs": [{"rung": "parse"}]}}, {"red"}),
        ({"draft/2": {"model": "nano-coder", "route": ""}}, {"evidence"}),
        ({"draft/3": {"model": "nano-coder", "route": "named by the client"}}, {"escalation"}),
        ({"verify/3": {"green": False, "rungs": []}}, {"green"}),
        ({"verdict": {"decision": "apply"}}, {"ask"}),
    ],
)
def test_what_did_not_happen_is_not_seen(changed: dict[str, Any], unseen: set[str]) -> None:
    assert judged(steps(**changed)) == JUDGED - unseen
