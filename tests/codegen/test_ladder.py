"""The rungs over a real sandbox: what each catches, in which order, and what is remembered."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from codegen.ladder import Ladder, Subject
from codegen.protocol import Patch, Verification
from codegen.pytest_run import run_tests
from codegen.rungs import RUNGS
from ledger.sql_ledger import SqlLedger, open_ledger
from sandbox.nsjail import NsjailSandbox
from sandbox.protocol import Sandbox
from sandbox.spec import LimitsSpec, SandboxSpec

SITE = Path(__file__).parents[2] / ".sandbox-site"
BEFORE = {
    "words.py": b"def shout(text):\n    return text.upper()\n",
    "test_words.py": b"import words\n\ndef test_shout():\n    assert words.shout('a') == 'A'\n\n"
    b"def test_whisper():\n    assert words.whisper('A') == 'a'\n",
}
GOOD = "def shout(text):\n    return text.upper()\n\n\ndef whisper(text):\n    return text.lower()\n"


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[SqlLedger]:
    store = await open_ledger(f"sqlite:///{tmp_path}/ledger.db")
    yield store
    await store.close()


@pytest.fixture
async def sandbox() -> AsyncIterator[Sandbox]:
    quick = SandboxSpec(profiles={"pytest": LimitsSpec(wall_seconds=6)})
    made = NsjailSandbox(quick, python=Path(sys.executable).resolve(), site=SITE)
    await made.check()
    yield made
    await made.close()


async def climb(sandbox: Sandbox, ledger: SqlLedger, text: str, acceptance: tuple[str, ...] = ()) -> Verification:
    baseline = await run_tests(sandbox, BEFORE)
    subject = Subject(BEFORE, Patch({"words.py": text}), baseline, acceptance)
    return await Ladder(RUNGS, sandbox, ledger).climb(subject)


async def test_a_good_change_climbs_to_the_top_and_is_remembered(sandbox: Sandbox, ledger: SqlLedger) -> None:
    first = await climb(sandbox, ledger, GOOD)
    assert first.green, first.findings
    assert [item.rung for item in first.evidence] == ["parse", "lint", "security", "tests"]
    assert not any(item.cached for item in first.evidence)
    assert {item.environment_digest for item in first.evidence} == {sandbox.environment_digest("pytest")}
    assert all(item.cached for item in (await climb(sandbox, ledger, GOOD)).evidence)


@pytest.mark.parametrize(
    ("text", "rung", "finding"),
    [
        ("def whisper(text:\n", "parse", "words.py:1: SyntaxError"),
        (GOOD + "\n\nreturn 1\n", "lint", "F706"),
        (GOOD.replace("text.lower()", "txt.lower()"), "lint", "F821"),
        (GOOD + "\n\ndef run(code):\n    return eval(code)\n", "security", "S307"),
        (GOOD + f"\n\nTOKEN = 'ghp_{'a1B2' * 9}'\n", "security", "holds a secret"),
        (GOOD.replace("text.lower()", "text"), "tests", "test_words.py::test_whisper - AssertionError"),
        (GOOD.replace("text.upper()", "text"), "tests", "test_words.py::test_shout"),
        (GOOD.replace("return text.lower()", "while True:\n        pass"), "tests", "did not end by themselves"),
        ("import os\n\nos._exit(0)\n" + GOOD, "tests", "its report does not show it"),
    ],
)
async def test_the_first_rung_that_does_not_pass_ends_the_climb(
    sandbox: Sandbox, ledger: SqlLedger, text: str, rung: str, finding: str
) -> None:
    verification = await climb(sandbox, ledger, text)
    assert not verification.green
    assert (verification.evidence[-1].rung, verification.evidence[-1].outcome) == (rung, "fail")
    assert finding in verification.findings


async def test_findings_that_stood_there_before_are_not_held_against_a_change(
    sandbox: Sandbox, ledger: SqlLedger
) -> None:
    old = "def run(code):\n    return eval(code)\n"
    before = {**BEFORE, "words.py": BEFORE["words.py"] + old.encode()}
    subject = Subject(before, Patch({"words.py": GOOD + old}), await run_tests(sandbox, before), ())
    assert (await Ladder(RUNGS, sandbox, ledger).climb(subject)).green


async def test_without_a_test_that_was_red_nothing_is_proven(sandbox: Sandbox, ledger: SqlLedger) -> None:
    before = {path: content for path, content in BEFORE.items() if path == "words.py"}
    before["test_words.py"] = b"import words\n\ndef test_shout():\n    assert words.shout('a') == 'A'\n"
    baseline = await run_tests(sandbox, before)
    subject = Subject(before, Patch({"words.py": GOOD}), baseline, ())
    verification = await Ladder(RUNGS, sandbox, ledger).climb(subject)
    assert (verification.evidence[-1].outcome, verification.green) == ("inconclusive", False)
    vacuous = Subject(before, Patch({"words.py": GOOD}), baseline, ("test_words.py",))
    assert "prove nothing" in (await Ladder(RUNGS, sandbox, ledger).climb(vacuous)).findings
