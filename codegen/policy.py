"""What may happen with a change: the trust boundary, by path and by evidence. Pure functions.

The strictest word wins; doubt is never an apply.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from codegen.protocol import Decision, Verdict, Verification
from codegen.spec import CodegenSpec

_STRICTNESS: dict[Decision, int] = {"apply": 0, "ask": 1, "refuse": 2}


def path_verdict(spec: CodegenSpec, paths: Iterable[str]) -> Verdict:
    """The strictest decision of the rules over all paths, with the reason for each path."""
    decision: Decision = "apply"
    reasons: list[str] = []
    for path in sorted(paths):
        verdicts = [(rule.decision, rule.reason) for rule in spec.rules if any(matches(path, g) for g in rule.paths)]
        strictest, reason = max(
            verdicts or [(spec.default_decision, "no rule names this path")],
            key=lambda verdict: _STRICTNESS[verdict[0]],
        )
        reasons.append(f"{path}: {strictest}, {reason}")
        decision = max(decision, strictest, key=_STRICTNESS.__getitem__)
    return Verdict(decision, tuple(reasons))


def verdict(spec: CodegenSpec, paths: Iterable[str], verification: Verification) -> Verdict:
    """What may happen with a verified change."""
    by_path = path_verdict(spec, paths)
    if verification.green:
        rungs = ", ".join(item.rung for item in verification.evidence)
        return Verdict(by_path.decision, (f"passed: {rungs}", *by_path.reasons))
    return Verdict("refuse", (f"not proven: {verification.findings}", *by_path.reasons))


def matches(path: str, glob: str) -> bool:
    """Whether a POSIX path matches a glob in which * and ? stay inside a folder and ** crosses folders."""
    pattern = ""
    position = 0
    while position < len(glob):
        rest = glob[position:]
        if rest.startswith("**/"):
            pattern, position = pattern + "(?:.*/)?", position + 3
        elif rest.startswith("**"):
            pattern, position = pattern + ".*", position + 2
        elif rest[0] in "*?":
            pattern, position = pattern + ("[^/]*" if rest[0] == "*" else "[^/]"), position + 1
        else:
            pattern, position = pattern + re.escape(rest[0]), position + 1
    return re.fullmatch(pattern, path) is not None
