"""What a host gives, in sentences: its tier, what would raise it, and which profiles work.

Only words for what was proven: `jails/report.py` and `landlock.py` fill them, the command line shows them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from sandbox.spec import Tier

MEANINGS: Mapping[Tier, str] = {
    "A": "user namespaces and control groups: every limit is held by the kernel, counters are exact",
    "B": "user namespaces without control groups: memory and processor time are sampled, so a job can go over a limit "
    "for a moment",
    "C": "control groups without user namespaces: each jail runs as a real user id of its own, and only dropped "
    "capabilities and the system call policy stand between a job and what that user may do",
    "D": "Landlock, a system call filter and limits around trusted linters, without a jail: nothing that was generated "
    "runs here",
}


@dataclass(frozen=True, slots=True)
class ProfileReport:
    """`found` says where each program or module really is; `missing` what to do about the others.

    See `Sandbox.environment_digest`.
    """

    name: str
    works: bool
    found: Mapping[str, str]
    missing: tuple[str, ...]
    environment_digest: str


@dataclass(frozen=True, slots=True)
class Report:
    """`shortfalls` say why stricter tiers than `tier` are not to be had, `advice` what the host must allow for them.

    Of nsjail there is nothing in tier D, and `interpreter` is that of the appliance.
    """

    tier: Tier
    meaning: str
    shortfalls: tuple[str, ...]
    advice: tuple[str, ...]
    cgroup_version: int | None
    own_users: bool
    kernel: str
    nsjail_version: str
    nsjail_sha256: str
    interpreter: str
    profiles: tuple[ProfileReport, ...]
    landlock_abi: int | None = None  # in tier D
