"""pytest's own report is advisory: a run counts as passed only when exit code and lines agree."""

from __future__ import annotations

import pytest

from codegen.pytest_run import read_report
from sandbox.protocol import Outcome, Result


def result(stdout: str, exit_code: int | None = 0, outcome: Outcome = "exited") -> Result:
    return Result(
        outcome, exit_code, None, stdout.encode(), b"", len(stdout), 0, 1.5, 1.0, None, environment_digest="0" * 64
    )


GREEN = "..\nPASSED tests/test_a.py::test_one\nPASSED tests/test_a.py::test_two[x - y]\n2 passed in 0.01s\n"
RED = (
    ".F\nPASSED tests/test_a.py::test_one\n"
    "FAILED tests/test_a.py::test_two - AssertionError: assert 'a' == 'b'\n1 failed, 1 passed\n"
)
BROKEN = "ERROR tests/test_b.py - ImportError: cannot import name 'whisper'\n!!! Interrupted: 1 error !!!\n"


def test_green() -> None:
    report = read_report(result(GREEN))
    assert report.problem is None
    assert report.passed == {"tests/test_a.py::test_one", "tests/test_a.py::test_two[x - y]"}
    assert report.shows("tests/test_a.py")
    assert report.shows("tests/test_a.py::test_two")
    assert not report.shows("tests/test_a.py::test")
    assert not report.shows("tests/test_b.py")


def test_red() -> None:
    report = read_report(result(RED, 1))
    assert report.problem is None
    assert report.failed == {"tests/test_a.py::test_two"}
    assert report.summary == "FAILED tests/test_a.py::test_two - AssertionError: assert 'a' == 'b'"
    assert not report.shows("tests/test_a.py")


def test_names_and_reasons_are_told_apart() -> None:
    line = "FAILED tests/my dir/test_a.py::test_it[a - b] - assert [1] == [2 - 1]\n"
    assert read_report(result(line, 1)).failed == {"tests/my dir/test_a.py::test_it[a - b]"}


def test_a_file_that_cannot_be_collected_counts_as_red() -> None:
    report = read_report(result(BROKEN, 2))
    assert report.failed == {"tests/test_b.py"}
    assert report.problem is None


def test_what_fails_anew_is_told_from_what_failed_before() -> None:
    lines = "FAILED a.py::test_old - x\nFAILED a.py::test_new - x\nFAILED b.py::test_hidden - x\nERROR c.py - x\n"
    before = read_report(result("FAILED a.py::test_old - x\nERROR b.py - ImportError\n", 1))
    assert read_report(result(lines, 1)).failures_since(before) == {"a.py::test_new", "c.py"}


@pytest.mark.parametrize(
    ("found", "sentence"),
    [
        (result("", 0), "its report does not show it"),
        (result(RED, 0), "its report does not show it"),
        (result(GREEN, 1), "its report names no test"),
        (result("no tests ran", 5), "has no tests"),
        (result("usage: pytest", 4), "could not run (exit code 4)"),
        (result(GREEN, None, "timeout"), "did not end by themselves: timeout after 1.5 s"),
        (result(GREEN, None, "out_of_memory"), "out_of_memory"),
    ],
)
def test_runs_that_cannot_be_trusted(found: Result, sentence: str) -> None:
    assert sentence in str(read_report(found).problem)
