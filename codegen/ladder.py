"""The verification ladder: rungs climbed cheapest first, up to the first that does not pass.

A rung is one async function from a `Subject` to `Evidence` and one line in `RUNGS`. Its result is
cached under what it depends on: the files, the sandbox's environment and the rung's version.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from dataclasses import asdict, dataclass, replace
from functools import cached_property

from codegen.protocol import Evidence, Patch, RepositoryProblem, Verification
from codegen.pytest_run import PROFILE, TestReport
from ledger.protocol import BodyLetGo, Draft, Ledger
from sandbox.protocol import Sandbox
from sandbox.tenancy import TenantSandbox


@dataclass(frozen=True)
class Subject:
    """A proposed change to be judged.

    `before` and `after` are the project's files without and with it, `baseline` the tests as they ran
    before (with the requester's acceptance tests already there), `acceptance` those tests' paths.
    """

    before: Mapping[str, bytes]
    patch: Patch
    baseline: TestReport
    acceptance: tuple[str, ...]

    @cached_property
    def after(self) -> Mapping[str, bytes]:
        """The project's files with the change."""
        return applied(self.before, self.patch.changes)

    @cached_property
    def digest(self) -> str:
        """SHA-256 (hex) of everything a rung looks at, except the sandbox's environment."""
        before = {path: hashlib.sha256(content).hexdigest() for path, content in sorted(self.before.items())}
        baseline = [sorted(self.baseline.passed), sorted(self.baseline.failed), self.baseline.problem]
        parts = [before, self.patch.digest, baseline, sorted(self.acceptance)]
        return hashlib.sha256(json.dumps(parts).encode()).hexdigest()

    @property
    def changed_python(self) -> dict[str, str]:
        """Changed or added Python files with their new text."""
        return {path: text for path, text in self.patch.changes.items() if text is not None and path.endswith(".py")}


def applied(files: Mapping[str, bytes], changes: Mapping[str, str | None]) -> dict[str, bytes]:
    """`files` with a change set applied."""
    kept = {path: content for path, content in files.items() if path not in changes}
    return {**kept, **{path: text.encode() for path, text in changes.items() if text is not None}}


def changes_between(old: Mapping[str, bytes], new: Mapping[str, bytes]) -> dict[str, str | None]:
    """The change set that makes `new` of `old`. Raises `RepositoryProblem` for a changed file that is not text."""
    changes: dict[str, str | None] = {}
    for path in sorted(old.keys() | new.keys()):
        if old.get(path) == new.get(path):
            continue
        try:
            changes[path] = new[path].decode() if path in new else None
        except UnicodeDecodeError:
            raise RepositoryProblem(f"{path} is not UTF-8 text, so its change cannot be checked.") from None
    return changes


Check = Callable[[Subject, Sandbox], Awaitable[Evidence]]


@dataclass(frozen=True, slots=True)
class Rung:
    """One check; a new `version` invalidates what was cached."""

    name: str
    version: int
    check: Check


class Ladder:
    """Climbs the rungs and remembers what they showed."""

    def __init__(self, rungs: Sequence[Rung], sandbox: Sandbox, ledger: Ledger) -> None:
        self._rungs = rungs
        self._sandbox = sandbox
        self._ledger = ledger

    @property
    def names(self) -> tuple[str, ...]:
        """Its rungs, cheapest first."""
        return tuple(rung.name for rung in self._rungs)

    def only(self, names: Collection[str]) -> Ladder:
        """A ladder of some of its rungs."""
        return Ladder([rung for rung in self._rungs if rung.name in names], self._sandbox, self._ledger)

    def for_tenant(self, tenant: str) -> Ladder:
        """The same ladder; what it runs takes turns with other tenants' as the tenant's."""
        return Ladder(self._rungs, TenantSandbox(self._sandbox, tenant), self._ledger)

    async def climb(self, subject: Subject) -> Verification:
        """Evidence of each rung, ending with the first that did not pass. Raises `SandboxError`."""
        evidence: list[Evidence] = []
        for rung in self._rungs:
            evidence.append(await self._judge(rung, subject))
            if evidence[-1].outcome != "pass":
                break
        return Verification(tuple(evidence))

    async def _judge(self, rung: Rung, subject: Subject) -> Evidence:
        environment = self._sandbox.environment_digest(PROFILE)
        identity = f"{rung.name}/{rung.version}/{subject.digest}/{environment}"
        key = f"evidence/{hashlib.sha256(identity.encode()).hexdigest()}"
        while known := await self._ledger.find(key):
            with suppress(BodyLetGo):
                data = json.loads(await self._ledger.get_body(known.output_digest or ""))
                return replace(Evidence(**data), cached=True)
            key += "/again"
        found = replace(await rung.check(subject, self._sandbox), environment_digest=environment)
        if found.outcome == "inconclusive":
            return found  # what could not be decided now may be decidable later
        body = json.dumps(asdict(found)).encode()
        await self._ledger.append(
            Draft("evidence", "evidence.recorded", "ladder", data={"rung": rung.name}, output_body=body, key=key)
        )
        return found
