"""The rungs of the ladder, cheapest first. A rung says pass, fail or inconclusive, and why; never "probably"."""

from __future__ import annotations

import ast
import time
from collections.abc import Mapping

from codegen.ladder import Rung, Subject
from codegen.protocol import Evidence, Outcome
from codegen.pytest_run import run_tests
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
    known = {_without_position(line) for line in await _ruff(rules, before, sandbox)}
    new = [line for line in await _ruff(rules, after, sandbox) if _without_position(line) not in known]
    if new:
        return _evidence(name, "fail", "\n".join(new[:5]), started)
    return _evidence(name, "pass", f"no new finding in {len(after)} files", started)


async def _ruff(rules: str, files: Mapping[str, bytes], sandbox: Sandbox) -> list[str]:
    """Findings as "path:line:column: CODE message"."""
    if not files:
        return []
    options = ("--isolated", "--no-cache", "--quiet", "--output-format=concise", "--exit-zero", f"--select={rules}")
    result = await sandbox.run(
        Command(("python", "-m", "ruff", "check", *options, *files), profile="python", files=files)
    )
    if not result.ok:
        return [f"ruff could not check the change: {result.outcome} {result.stderr.decode(errors='replace')[:200]}"]
    return [line for line in result.stdout.decode(errors="replace").splitlines() if line.strip()]


def _without_position(finding: str) -> str:
    """A finding counts as known when it only moved."""
    path, _, rest = finding.partition(":")
    return f"{path}:{rest.split(': ', 1)[-1]}"


async def tests(subject: Subject, sandbox: Sandbox) -> Evidence:
    """The tests that the change must make pass do pass, and none that passed before fails now."""
    started = time.monotonic()
    required = subject.acceptance or tuple(sorted(subject.baseline.failed))
    if not required:
        return _evidence("tests", "inconclusive", "No test failed before the change, so none can prove it.", started)
    if shown := [test for test in subject.acceptance if subject.baseline.shows(test)]:
        reason = f"The acceptance tests pass without the change ({', '.join(shown)}), so they prove nothing."
        return _evidence("tests", "inconclusive", reason, started)
    run = await run_tests(sandbox, subject.after)
    if run.problem:
        return _evidence("tests", "fail", run.problem, started)
    broken = sorted(test for test in subject.baseline.passed if not run.shows(test))
    missing = sorted(test for test in required if not run.shows(test))
    if broken or missing:
        wanted = {*broken, *missing}
        lines = [line for line in run.summary.splitlines() if any(test in line for test in wanted)]
        fallback = [f"{test} did not pass" for test in sorted(wanted)]
        return _evidence("tests", "fail", "\n".join(lines or fallback), started)
    return _evidence("tests", "pass", f"{len(run.passed)} tests pass, none fails that passed before", started)


RUNGS = (
    Rung("parse", 1, parse),
    Rung("lint", 1, fatal_lint),
    Rung("security", 1, security),
    Rung("tests", 1, tests),
)
