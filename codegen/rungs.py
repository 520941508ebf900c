"""The rungs of the ladder, cheapest first. A rung says pass, fail or inconclusive, and why; never "probably"."""

from __future__ import annotations

import ast
import time
from collections import Counter
from collections.abc import Mapping, Sequence

from codegen.ladder import Rung, Subject
from codegen.protocol import Evidence, Outcome
from codegen.pytest_run import TestReport, file_of, run_tests
from ledger.redaction import redact
from sandbox.protocol import Command, Sandbox

# Code with one of these cannot run as meant: syntax, undefined names, broken comparisons, misplaced returns.
FATAL_RULES = "E9,F63,F7,F82"
# exec, eval, pickle and marshal, shells, unsafe YAML and XML, TLS without verification, weak temporary files.
SECURITY_RULES = "S102,S301,S302,S306,S307,S314,S324,S501,S506,S602,S604,S605,S606,S609,S612"


def _evidence(rung: str, outcome: Outcome, summary: str, started: float) -> Evidence:
    return Evidence(rung, outcome, summary, round(time.monotonic() - started, 3))


async def parse(subject: Subject, sandbox: Sandbox) -> Evidence:
    """Every changed Python file parses."""
    started = time.monotonic()
    for path, text in subject.changed_python.items():
        try:
            ast.parse(text, filename=path)
        except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
            where = f"{path}:{error.lineno}" if isinstance(error, SyntaxError) else path
            message = error.msg if isinstance(error, SyntaxError) else str(error)
            return _evidence("parse", "fail", f"{where}: SyntaxError: {message}", started)
    return _evidence("parse", "pass", f"{len(subject.changed_python)} files parse", started)


async def fatal_lint(subject: Subject, sandbox: Sandbox) -> Evidence:
    """No new finding that makes code fail when it runs."""
    return await _ruff_rung("lint", FATAL_RULES, subject, sandbox)


async def security(subject: Subject, sandbox: Sandbox) -> Evidence:
    """No secret in the change, and no new use of what lets code out of its bounds."""
    started = time.monotonic()
    for path, text in subject.patch.changes.items():
        before = subject.before.get(path, b"").decode(errors="replace")
        kinds = set(redact(text or "").kinds) - set(redact(before).kinds)
        if kinds:
            return _evidence(
                "security", "fail", f"{path}: the change holds a secret ({', '.join(sorted(kinds))})", started
            )
    return await _ruff_rung("security", SECURITY_RULES, subject, sandbox)


async def _ruff_rung(name: str, rules: str, subject: Subject, sandbox: Sandbox) -> Evidence:
    started = time.monotonic()
    after = {path: text.encode() for path, text in subject.changed_python.items()}
    if not after:
        return _evidence(name, "pass", "no Python file changed", started)
    before = {path: subject.before[path] for path in after if path in subject.before}
    try:
        known = Counter(map(_without_position, await _ruff(rules, before, sandbox)))
        new = [line for line in await _ruff(rules, after, sandbox) if _exceeds(known, line)]
    except _NotChecked as error:
        return _evidence(name, "inconclusive", str(error), started)
    if new:
        return _evidence(name, "fail", "\n".join(new[:5]), started)
    return _evidence(name, "pass", f"no new finding in {len(after)} files", started)


class _NotChecked(Exception):
    """Ruff did not run to its end, so nothing is known about the files."""


async def _ruff(rules: str, files: Mapping[str, bytes], sandbox: Sandbox) -> list[str]:
    """Findings as "path:line:column: CODE message". Raises `_NotChecked`."""
    if not files:
        return []
    # The code under test has no say in what is looked for: neither by a configuration nor by its comments.
    options = ("--isolated", "--ignore-noqa", "--no-cache", "--quiet", "--output-format=concise", "--exit-zero")
    argv = ("python", "-m", "ruff", "check", *options, f"--select={rules}", "--", *files)
    result = await sandbox.run(Command(argv, profile="lint", files=files))
    if not result.ok:
        said = result.stderr.decode(errors="replace").strip()[:200]
        raise _NotChecked(f"ruff could not check the change: {result.outcome}, exit code {result.exit_code}. {said}")
    return [line for line in result.stdout.decode(errors="replace").splitlines() if line.strip()]


def _without_position(finding: str) -> str:
    """A finding counts as known when it only moved."""
    path, _, rest = finding.partition(":")
    return f"{path}:{rest.split(': ', 1)[-1]}"


def _exceeds(known: Counter[str], finding: str) -> bool:
    """Whether there are more of these findings than are known; each known one is used up once."""
    known[_without_position(finding)] -= 1
    return known[_without_position(finding)] < 0


def why_unprovable(baseline: TestReport, acceptance: Sequence[str]) -> str | None:
    """Why no change can be proven by tests that stand like this, or None."""
    if baseline.problem:
        return f"How the tests stand without a change is not known, so they can prove none: {baseline.problem}"
    if vacuous := [test for test in acceptance if baseline.shows(test)]:
        return f"The acceptance tests pass without the change ({', '.join(vacuous)}), so they prove nothing."
    if not acceptance and not baseline.failed:
        return "No test failed before the change, so none can prove it."
    return None


def _doubt(subject: Subject, required: Sequence[str]) -> str | None:
    """Why the tests could not prove this change even if they passed, or None."""
    rewritten = sorted({file_of(test) for test in required} & subject.patch.changes.keys())
    if rewritten:
        return f"The change alters the tests that have to prove it ({', '.join(rewritten)}); leave them as they are."
    return why_unprovable(subject.baseline, subject.acceptance)


async def tests(subject: Subject, sandbox: Sandbox) -> Evidence:
    """The tests that the change must make pass do pass, none that passed before is lost, and no other fails anew."""
    started = time.monotonic()
    required = subject.acceptance or tuple(sorted(subject.baseline.failed))
    if doubt := _doubt(subject, required):
        return _evidence("tests", "inconclusive", doubt, started)
    run = await run_tests(sandbox, subject.after)
    if run.problem:
        return _evidence("tests", "fail", run.problem, started)
    wanted = {test for test in (*subject.baseline.passed, *required) if not run.shows(test)}
    wanted |= run.failures_since(subject.baseline)
    if wanted:
        lines = [line for line in run.summary.splitlines() if any(test in line for test in wanted)]
        fallback = [f"{test} did not pass" for test in sorted(wanted)]
        return _evidence("tests", "fail", "\n".join(lines or fallback), started)
    return _evidence("tests", "pass", f"{len(run.passed)} tests pass, none fails that passed before", started)


RUNGS = (
    Rung("parse", 1, parse),
    Rung("lint", 2, fatal_lint),
    Rung("security", 2, security),
    Rung("tests", 2, tests),
)
