"""Sandboxes for tests: one per tier, on the interpreter and the tools of this checkout."""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path

from sandbox.nsjail import NsjailSandbox
from sandbox.protocol import Command, Limits, Result, Sandbox
from sandbox.spec import SandboxSpec, Tier

CONTROL_GROUPS = Path("/sys/fs/cgroup")
NO_CONTROL_GROUPS = Path("/nonexistent")
SITE = Path(__file__).parents[2] / ".sandbox-site"
BASE_INTERPRETER = Path(os.path.realpath(sys.executable))
TIERS: tuple[Tier, ...] = ("A", "B")


def make_sandbox(
    tier: Tier = "A", spec: SandboxSpec | None = None, *, python: Path = BASE_INTERPRETER, site: Path = SITE
) -> NsjailSandbox:
    """A sandbox of a tier: without control groups every host is tier B."""
    control_groups = CONTROL_GROUPS if tier == "A" else NO_CONTROL_GROUPS
    return NsjailSandbox(spec or SandboxSpec(), python=python, site=site, control_groups=control_groups)


def groups_of(pid: int) -> list[Path]:
    """The control groups that a supervisor has now; `os.walk` does not mind groups that others delete meanwhile."""
    return [
        Path(parent, name)
        for parent, names, _ in os.walk(CONTROL_GROUPS)
        for name in names
        if re.fullmatch(rf"bailey-\d+-{pid}-.*", name)
    ]


async def run_python(sandbox: Sandbox, program: str, *, limits: Limits | None = None, **more: object) -> Result:
    """Run a program text and hold the record to the result; further keywords are fields of `Command`."""
    result = await sandbox.run(Command(("python", "-c", program), limits=limits, **more))  # type: ignore[arg-type]  # fields of Command
    demand_record(result)
    return result


def demand_record(result: Result) -> None:
    """The record says the same as the result and lacks nothing."""
    record = result.record
    assert record is not None
    assert (record.outcome, record.exit_code, record.signal) == (result.outcome, result.exit_code, result.signal)
    assert record.tier == result.facts["tier"]
    assert all((record.job_id, record.kernel, record.nsjail_sha256, record.config_sha256, record.policy_sha256))
