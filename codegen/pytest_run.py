"""Run a project's tests in the sandbox and read pytest's own summary.

The report comes from the same process as the code under test, so it is advisory: a run counts as
passed only when pytest's exit code and its per-test lines agree. What is missing is not a pass.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass

from sandbox.protocol import Command, Result, Sandbox

PROFILE = "pytest"
_ARGUMENTS = (
    "python", "-m", "pytest", "-q", "-rA", "--tb=short", "--color=no", "-p", "no:cacheprovider",
    # One file that cannot be imported must not hide how all the other tests stand.
    "--continue-on-collection-errors",
)  # fmt: skip
# Wide, so that pytest does not cut the reason off at the end of each summary line.
_ENVIRONMENT = {"COLUMNS": "300", "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1"}
# "FAILED path::name[parameters] - why"; parameters and paths may hold spaces and dashes.
_SUMMARY_LINE = re.compile(r"^(?P<outcome>PASSED|FAILED|ERROR|XPASS|XFAIL) (?P<test>.+?(?:\[.*?\])?)(?: - .*)?$")
_ALL_PASSED, _SOME_FAILED, _NOT_COLLECTED, _NO_TESTS = 0, 1, 2, 5


@dataclass(frozen=True, slots=True)
class TestReport:
    """What one run showed. `failed` holds test ids, or a file's path when it could not even be collected.

    `problem` is a sentence when the run as a whole cannot be trusted or did not end; `summary` is
    pytest's lines for what failed.
    """

    passed: frozenset[str]
    failed: frozenset[str]
    summary: str
    problem: str | None
    seconds: float

    def shows(self, test: str) -> bool:
        """Whether this test (or every test of this file, and at least one) passed."""
        below = (f"{test}::", f"{test}[")
        failed = any(name == test or name.startswith(below) for name in self.failed)
        return not failed and any(name == test or name.startswith(below) for name in self.passed)

    def failures_since(self, before: TestReport) -> set[str]:
        """What fails here and did not before; of a file that could not be collected then, nothing is new."""
        return {test for test in self.failed - before.failed if file_of(test) not in before.failed}


def file_of(test: str) -> str:
    """The path of the file that a test stands in."""
    return test.partition("::")[0]


async def run_tests(sandbox: Sandbox, files: Mapping[str, bytes]) -> TestReport:
    """All tests of a project given as path -> content. Raises `SandboxError` when the machine failed."""
    result = await sandbox.run(Command(_ARGUMENTS, profile=PROFILE, files=files, environment=_ENVIRONMENT))
    return read_report(result)


def read_report(result: Result) -> TestReport:
    """Make sense of pytest's output and exit code."""
    passed, failed, lines = set(), set(), []
    for line in result.stdout.decode(errors="replace").splitlines():
        match = _SUMMARY_LINE.match(line)
        if match is None:
            continue
        if match["outcome"] in {"PASSED", "XFAIL"}:
            passed.add(match["test"])
        else:
            failed.add(match["test"])
            lines.append(line)
    summary = "\n".join(lines)
    return TestReport(
        frozenset(passed - failed), frozenset(failed), summary, _problem(result, passed, failed), result.wall_seconds
    )


def _problem(result: Result, passed: set[str], failed: set[str]) -> str | None:
    if result.outcome != "exited":
        return f"The tests did not end by themselves: {result.outcome} after {result.wall_seconds:.1f} s."
    if result.exit_code == _NO_TESTS:
        return "The project has no tests."
    if result.exit_code == _ALL_PASSED:
        return None if passed and not failed else "pytest ended with success but its report does not show it."
    if result.exit_code in {_SOME_FAILED, _NOT_COLLECTED}:
        return None if failed else "pytest ended with failure but its report names no test."
    tail = (result.stderr or result.stdout).decode(errors="replace").strip().splitlines()[-3:]
    return f"pytest could not run (exit code {result.exit_code}): {' '.join(tail)[:300]}"
