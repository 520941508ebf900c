"""From intent to a plan that is checked before anything acts. Deterministic: no model is asked.

The files that may change are those the request names, else those its instruction mentions, else the
home of the best passage. A plan that policy or limits forbid carries its refusal and costs nothing.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Mapping, Sequence

from codegen.edit import is_safe_path
from codegen.policy import path_verdict
from codegen.protocol import Plan, TaskRequest
from codegen.spec import CodegenSpec
from retrieval.protocol import Passage

STEPS = (
    "run the tests as they are",
    "choose the context",
    "draft on the cheapest capable tier",
    "verify: parse, lint, security, tests",
    "send the evidence back, then escalate",
    "decide by policy",
    "integrate as a branch and a merge",
)
_PATH = re.compile(r"[\w./-]+\.\w+")
_TEST_PATH = re.compile(r"(^|/)(tests?/|test_|conftest)|_test\.py$")


def make_plan(
    spec: CodegenSpec, request: TaskRequest, repository: Mapping[str, bytes], passages: Sequence[Passage]
) -> Plan:
    """The plan of a task, for a repository (path -> content) and the best passages for its instruction."""
    files, why = _files(request, repository.keys(), passages)
    limit = spec.max_cost_usd if request.budget_usd is None else min(spec.max_cost_usd, request.budget_usd)
    expected = path_verdict(spec, [*files, *(request.tests or {})])
    return Plan(
        files=files,
        steps=STEPS,
        attempts_per_tier=spec.attempts_per_tier,
        budget_usd=limit,
        expected_decision=expected.decision,
        reasons=(why, *expected.reasons),
        refusal=_refusal(files, request, repository) or _forbidden(expected.decision, expected.reasons),
    )


def _files(request: TaskRequest, paths: Collection[str], passages: Sequence[Passage]) -> tuple[tuple[str, ...], str]:
    if request.files:
        return request.files, "the request names the files"
    # "Make tests/test_words.py pass" does not ask for other tests: only `files` can let a model change one.
    mentioned = [path for path in _PATH.findall(request.instruction) if path in paths and not _TEST_PATH.search(path)]
    if mentioned:
        return tuple(dict.fromkeys(mentioned)), "the instruction mentions the files"
    sources = [passage.path for passage in passages if not _TEST_PATH.search(passage.path)]
    return (sources[0],) if sources else (), "the best passage for the instruction stands there"


def _refusal(files: tuple[str, ...], request: TaskRequest, repository: Mapping[str, bytes]) -> str | None:
    if not files:
        return "No file to change could be found; name one in `files`."
    if unsafe := [path for path in (*files, *(request.tests or {})) if not is_safe_path(path)]:
        return f"{unsafe[0]!r} is not a path inside the repository."
    if both := set(files) & set(request.tests or {}):
        return f"{', '.join(sorted(both))} is both to be changed and an acceptance test."
    if unreadable := [path for path in files if not _is_text(repository.get(path, b""))]:
        return f"{unreadable[0]} is not UTF-8 text, so it cannot be changed; name another file in `files`."
    return None


def _is_text(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True


def _forbidden(decision: str, reasons: tuple[str, ...]) -> str | None:
    return f"Policy refuses this change ({'; '.join(reasons)})." if decision == "refuse" else None
