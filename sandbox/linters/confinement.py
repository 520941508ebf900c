"""What holds a trusted tool in tier D: what the host must have, the order for `profiles/confine.py`, the digests.

Landlock hides neither that a file exists nor its size and times (stat is no access), and does not know UDP; the system
call filter denies all sockets. The kernel, the processor and, for an ordinary user, the user itself are shared.
"""

from __future__ import annotations

import ctypes
import hashlib
import json
import math
import platform
import tomllib
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import cache
from pathlib import Path

from sandbox.catalogue import text
from sandbox.identity import Identity
from sandbox.interpreter import file_digest, installed
from sandbox.launcher import Launcher
from sandbox.linters.call_filter import MACHINES, Calls, assemble
from sandbox.linters.folders import Folders
from sandbox.order import Order
from sandbox.profile import BACKSTOP_SECONDS, Profile
from sandbox.protocol import Limits, SandboxUnavailable

CONFINE = Path(__file__).parents[1] / "profiles" / "confine.py"
LEAST_ABI = 4  # the first that holds TCP
_RULES = "confined.toml"
_WRITABLE_DEVICES = 2
_CREATE_RULESET, _VERSION = 444, 1
_MIB = 1 << 20


class Rules(Calls):
    """confined.toml; see there."""

    readable: tuple[str, ...]
    loaders: tuple[str, ...]
    devices: tuple[str, ...]


@cache
def rules() -> Rules:
    """What is written in confined.toml."""
    return Rules.model_validate(tomllib.loads(text(_RULES)))


def landlock_abi() -> int:
    """The version of Landlock that this kernel offers; 0 where there is none or it is switched off."""
    libc = ctypes.CDLL(None, use_errno=True)
    words = (ctypes.c_long(_CREATE_RULESET), None, ctypes.c_size_t(0), ctypes.c_uint32(_VERSION))
    return max(0, int(libc.syscall(*words)))


def demand_landlock() -> int:
    """The version, which is enough. Raises `SandboxUnavailable` with what is missing."""
    if platform.machine() not in MACHINES:
        raise SandboxUnavailable(f"the system call filter is written for {', '.join(MACHINES)} alone")
    abi = landlock_abi()
    if abi < LEAST_ABI:
        found = f"this kernel offers ABI {abi}" if abi else "this kernel has none, or it is not among the `lsm=` in use"
        raise SandboxUnavailable(f"it takes Landlock ABI {LEAST_ABI} (Linux 6.7 or newer), and {found}")
    return abi


@dataclass(frozen=True, slots=True)
class Trust:
    """A host in tier D, once that is known: `first_uid` is that of the slots, None for an ordinary user's own.

    `programs` are the trusted tools by profile.
    """

    launcher: Launcher
    python: Path
    landlock_abi: int
    first_uid: int | None
    folders: Folders
    programs: Mapping[str, Path]

    def owner(self, slot: int) -> tuple[int, int] | None:
        """User and group of the tool in a slot, where it has its own."""
        return None if self.first_uid is None else (self.first_uid + slot, self.first_uid + slot)

    def command(self, supervisor: int) -> tuple[str, ...]:
        """The program that becomes the tool."""
        return (str(self.python), "-I", "-S", "-B", str(CONFINE), str(supervisor))

    def order(self, order: Order) -> str:
        """What `profiles/confine.py` is to do for one command."""
        found = rules()
        trusted = order.profile.trusted
        words = order.command.argv[len(trusted.words) if trusted else 0 :]
        user = self.owner(order.slot)
        return json.dumps(
            {
                "argv": [self.programs[order.profile.name].name, *words],
                "environment": {**order.profile.environment(), **order.command.environment},
                "user": user,
                "landlock_abi": self.landlock_abi,
                "readable": found.readable,
                "loaders": found.loaders,
                "devices": found.devices[_WRITABLE_DEVICES:],
                "writable_devices": found.devices[:_WRITABLE_DEVICES],
                "rlimits": _kernel_limits(order.profile, order.limits, own_user=user is not None),
                "filter": assemble(found, platform.machine()),
            }
        )


def _kernel_limits(profile: Profile, limits: Limits, *, own_user: bool) -> dict[str, int]:
    """They catch what slips past the supervisor; a file's size is exact here."""
    return {
        "RLIMIT_AS": profile.address_space_mib * _MIB,
        "RLIMIT_CPU": math.ceil(limits.cpu_seconds) + BACKSTOP_SECONDS,
        "RLIMIT_FSIZE": limits.disk_mib * _MIB,
        "RLIMIT_NOFILE": limits.open_files,
        "RLIMIT_CORE": 0,
        "RLIMIT_STACK": 8 * _MIB,
        "RLIMIT_MEMLOCK": 64 * 1024,
        "RLIMIT_MSGQUEUE": 0,
        "RLIMIT_RTPRIO": 0,
        # An ordinary user's other threads would count too; there the memory limit holds them.
        **({"RLIMIT_NPROC": limits.processes} if own_user else {}),
    }


def identify_trusted(programs: Mapping[str, Path], site: Path, profiles: Mapping[str, Profile]) -> Identity:
    """What results in tier D depend on; nothing of nsjail, so its digests are empty. Blocking."""
    policy = hashlib.sha256(text(_RULES).encode()).hexdigest()
    common = {"policy": policy, "confine": file_digest(CONFINE), "tier": "D"}
    environments = {}
    for name, profile in profiles.items():
        program = file_digest(programs[name]) if name in programs else ""
        content = json.dumps({**common, "profile": asdict(profile), "program": program}, sort_keys=True)
        environments[name] = hashlib.sha256(content.encode()).hexdigest()
    return Identity(
        nsjail_version="",
        nsjail_sha256="",
        init_sha256="",
        policy_sha256=policy,
        interpreter="",
        tools=tuple(installed(site)),
        kernel=platform.release(),
        environments=environments,
    )
