"""The rungs over a real sandbox: what each catches, in which order, and what is remembered."""

from __future__ import annotations

import shutil
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from codegen import pytest_run
from codegen.ladder import Ladder, Subject
from codegen.protocol import Patch, Verification
from codegen.rungs import RUNGS, fatal_lint, security
from codegen.rungs import tests as proof_rung
from ledger.sql_ledger import SqlLedger, open_ledger
from router.retention import WorkloadRetention
from sandbox.nsjail import NsjailSandbox
from sandbox.protocol import Sandbox
from sandbox.spec import LimitsSpec, SandboxSpec
from tests.ledger.clock import HandClock

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
    # Processor time: on a busy machine a job may wait long for the little that it needs.
    quick = SandboxSpec(profiles={"pytest": LimitsSpec(wall_seconds=100, cpu_seconds=5)})
    made = NsjailSandbox(quick, python=Path(sys.executable).resolve(), site=SITE)
    await made.check()
    yield made
    await made.close()


async def climb(sandbox: Sandbox, ledger: SqlLedger, text: str, acceptance: tuple[str, ...] = ()) -> Verification:
    baseline = await pytest_run.run_tests(sandbox, BEFORE)
    subject = Subject(BEFORE, Patch({"words.py": text}), baseline, acceptance)
    return await Ladder(RUNGS, sandbox, ledger).climb(subject)


async def test_a_good_change_climbs_to_the_top_and_is_remembered(sandbox: Sandbox, ledger: SqlLedger) -> None:
    first = await climb(sandbox, ledger, GOOD)
    assert first.green, first.findings
    assert [item.rung for item in first.evidence] == ["parse", "lint", "security", "tests"]
    assert not any(item.cached for item in first.evidence)
    assert {item.environment_digest for item in first.evidence} == {sandbox.environment_digest("pytest")}
    assert all(item.cached for item in (await climb(sandbox, ledger, GOOD)).evidence)


async def test_what_was_let_go_is_looked_at_and_remembered_again(sandbox: Sandbox, ledger: SqlLedger) -> None:
    nothing_ran = pytest_run.TestReport(frozenset(), frozenset(), "", None, 0.0)
    subject, ladder = (
        Subject(BEFORE, Patch({"words.py": "def shout(:"}), nothing_ran, ()),
        Ladder(RUNGS, sandbox, ledger),
    )
    await ladder.climb(subject)
    later = HandClock(datetime.now(UTC) + timedelta(days=2))
    ledger._clock = later
    assert (await ledger.sweep(WorkloadRetention([], 1))).bodies == 1
    for remembered in (False, True):
        (parsed,) = (await ladder.climb(subject)).evidence
        assert (parsed.outcome, parsed.cached) == ("fail", remembered)


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
    subject = Subject(before, Patch({"words.py": GOOD + old}), await pytest_run.run_tests(sandbox, before), ())
    assert (await Ladder(RUNGS, sandbox, ledger).climb(subject)).green


async def test_without_a_test_that_was_red_nothing_is_proven(sandbox: Sandbox, ledger: SqlLedger) -> None:
    before = {path: content for path, content in BEFORE.items() if path == "words.py"}
    before["test_words.py"] = b"import words\n\ndef test_shout():\n    assert words.shout('a') == 'A'\n"
    baseline = await pytest_run.run_tests(sandbox, before)
    subject = Subject(before, Patch({"words.py": GOOD}), baseline, ())
    verification = await Ladder(RUNGS, sandbox, ledger).climb(subject)
    assert (verification.evidence[-1].outcome, verification.green) == ("inconclusive", False)
    vacuous = Subject(before, Patch({"words.py": GOOD}), baseline, ("test_words.py",))
    assert "prove nothing" in (await Ladder(RUNGS, sandbox, ledger).climb(vacuous)).findings


async def test_comments_and_configuration_of_the_code_do_not_switch_a_rung_off(
    sandbox: Sandbox, ledger: SqlLedger
) -> None:
    run = "\n\ndef run(code):\n    return eval(code)  # noqa: S307\n"
    verification = await climb(sandbox, ledger, "# ruff: noqa\n" + GOOD + run)
    assert (verification.evidence[-1].rung, verification.evidence[-1].outcome) == ("security", "fail")
    undefined = "# ruff: noqa\n" + GOOD.replace("text.lower()", "txt.lower()")
    assert "F821" in (await climb(sandbox, ledger, undefined)).findings


async def test_one_more_of_what_was_there_before_is_a_new_finding(sandbox: Sandbox, ledger: SqlLedger) -> None:
    run = "\n\ndef run(code):\n    return eval(code)\n"
    before = {**BEFORE, "words.py": BEFORE["words.py"] + run.encode()}
    twice = Patch({"words.py": GOOD + run + run.replace("run", "again")})
    subject = Subject(before, twice, await pytest_run.run_tests(sandbox, before), ())
    assert (await security(subject, sandbox)).outcome == "fail"


async def test_a_check_that_could_not_run_is_no_pass(sandbox: Sandbox, ledger: SqlLedger, tmp_path: Path) -> None:
    """The same for the files before and after, so "no new finding" would be true and worthless."""
    broken = tmp_path / "site"
    shutil.copytree(SITE / "ruff", broken / "ruff")
    (broken / "ruff/__main__.py").write_text("raise SystemExit(3)\n")
    without = NsjailSandbox(SandboxSpec(), python=Path(sys.executable).resolve(), site=broken)
    try:
        subject = Subject(BEFORE, Patch({"words.py": GOOD}), await pytest_run.run_tests(sandbox, BEFORE), ())
        evidence = await fatal_lint(subject, without)
    finally:
        await without.close()
    assert (evidence.outcome, "exit code 3" in evidence.summary) == ("inconclusive", True)


async def test_evidence_for_one_beginning_does_not_count_for_another(sandbox: Sandbox, ledger: SqlLedger) -> None:
    """The same result from other files: what was an old finding there is a new one here."""
    run = "\n\ndef run(code):\n    return eval(code)\n"
    had_it = {**BEFORE, "words.py": BEFORE["words.py"] + run.encode()}
    baseline = await pytest_run.run_tests(sandbox, BEFORE)
    ladder = Ladder(RUNGS, sandbox, ledger)
    assert (await ladder.climb(Subject(had_it, Patch({"words.py": GOOD + run}), baseline, ()))).green
    introduces = await ladder.climb(Subject(BEFORE, Patch({"words.py": GOOD + run}), baseline, ()))
    assert (introduces.evidence[-1].rung, introduces.green) == ("security", False)


async def test_a_test_that_the_change_makes_fail_counts_also_where_it_could_not_be_seen_before(
    sandbox: Sandbox, ledger: SqlLedger
) -> None:
    """Without the change one file cannot be collected; the others must be seen all the same."""
    before = {"words.py": BEFORE["words.py"], "test_shout.py": BEFORE["test_words.py"].split(b"def test_whisper")[0]}
    before["test_whisper.py"] = b"from words import whisper\n\ndef test_it():\n    assert whisper('A') == 'a'\n"
    baseline = await pytest_run.run_tests(sandbox, before)
    assert [set(baseline.passed), set(baseline.failed)] == [{"test_shout.py::test_shout"}, {"test_whisper.py"}]
    patch = Patch({"words.py": "def whisper(text):\n    return text.lower()\n"})
    evidence = await proof_rung(Subject(before, patch, baseline, ()), sandbox)
    assert (evidence.outcome, "test_shout" in evidence.summary) == ("fail", True)


async def test_a_test_that_fails_for_the_first_time_is_a_failure(sandbox: Sandbox, ledger: SqlLedger) -> None:
    """One that nobody saw before, because it came into the project with newer changes."""
    grown = {**BEFORE, "test_new.py": b"import words\n\ndef test_new():\n    assert not hasattr(words, 'whisper')\n"}
    subject = Subject(grown, Patch({"words.py": GOOD}), await pytest_run.run_tests(sandbox, BEFORE), ())
    evidence = await proof_rung(subject, sandbox)
    assert (evidence.outcome, "test_new.py::test_new" in evidence.summary) == ("fail", True)


async def test_an_unknown_beginning_proves_nothing(sandbox: Sandbox, ledger: SqlLedger) -> None:
    unknown = replace(await pytest_run.run_tests(sandbox, BEFORE), passed=frozenset(), problem="The tests did not end.")
    gone = Patch({"words.py": "def whisper(text):\n    return text.lower()\n"})
    evidence = await proof_rung(Subject(BEFORE, gone, unknown, ()), sandbox)
    assert (evidence.outcome, "The tests did not end." in evidence.summary) == ("inconclusive", True)


@pytest.mark.parametrize("acceptance", [(), ("test_words.py",)])
async def test_tests_that_the_change_rewrites_do_not_prove_it(
    sandbox: Sandbox, ledger: SqlLedger, acceptance: tuple[str, ...]
) -> None:
    emptied = "def test_shout():\n    pass\n\n\ndef test_whisper():\n    assert True\n"
    baseline = await pytest_run.run_tests(sandbox, BEFORE)
    evidence = await proof_rung(Subject(BEFORE, Patch({"test_words.py": emptied}), baseline, acceptance), sandbox)
    assert (evidence.outcome, "alters the tests" in evidence.summary) == ("inconclusive", True)
