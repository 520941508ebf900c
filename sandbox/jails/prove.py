"""Proves what a host can do by running a program in a jail that looks around, the strictest way first.

Made once per sandbox, by `nsjail.py`. What it returns is the tier: A with control groups, B without, C with
control groups and without user namespaces.
"""

from __future__ import annotations

import contextlib
import os
import platform
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from sandbox import kernel
from sandbox.diagnosis import explain
from sandbox.files.collect import Caps
from sandbox.interpreter import inspect
from sandbox.jails import cgroup
from sandbox.jails.host import Host, toolchain_source
from sandbox.jails.run import Run
from sandbox.launcher import Launcher, dying_with_parent, init_binary, nsjail_binary
from sandbox.order import Order
from sandbox.probes import PROBE, demand_isolated
from sandbox.profile import Profile
from sandbox.protocol import InvalidCommand, SandboxUnavailable
from sandbox.spec import SandboxSpec
from sandbox.threads import finish
from sandbox.tools import provide
from sandbox.validate import UnsafeProfile, problems, unsafe_sources


class CannotIsolate(SandboxUnavailable):
    """No accepted tier could be proven; `failures` say what each of them met."""

    def __init__(self, failures: Sequence[str]) -> None:
        super().__init__(explain([*failures]))
        self.failures = tuple(failures)


@dataclass(frozen=True, slots=True)
class Surroundings:
    """Where things are: the interpreter, the importable tools, the mounted control groups."""

    python: Path
    site: Path
    control_groups: Path = Path("/sys/fs/cgroup")


async def prove(spec: SandboxSpec, around: Surroundings, profiles: Mapping[str, Profile]) -> Host:
    """The strictest proven way to isolate here; the caller closes its launcher. Raises `SandboxUnavailable`."""
    if platform.machine() != "x86_64":
        raise SandboxUnavailable(f"The system call policy is written for x86_64, not for {platform.machine()}.")
    first_uid = _first_uid(spec)
    interpreter = await inspect(around.python)
    site = await finish(lambda: _tools(around.site))
    provisions = await finish(
        lambda: {name: provide(profile, spec.toolchains.get(name), site) for name, profile in profiles.items()}
    )
    sources = {"python": interpreter.prefix.resolve(), "site": site, "init": init_binary()}
    sources |= {toolchain_source(name): each.toolchain for name, each in provisions.items() if each.toolchain}
    # Only nsjail's new mount interface makes a bind mount read-only together with what is mounted below it.
    command = (*dying_with_parent(), str(nsjail_binary()), "--experimental_mnt", "new")
    hierarchy = await finish(lambda: _hierarchy(around.control_groups))
    with contextlib.ExitStack() as unless_proven:
        launcher = Launcher(sources, private_view=first_uid is not None)
        unless_proven.callback(launcher.close)
        await launcher.open()
        strictest = Host(launcher, interpreter, command, hierarchy, first_uid, provisions)
        await finish(lambda: _demand_safe(strictest, profiles))
        failures: list[str] = []
        for host in _tiers(spec, strictest, failures):
            try:
                await _probe(host, profiles[PROBE.profile])
            except (SandboxUnavailable, OSError) as error:
                failures.append(f"tier {host.tier}: {error}")
            else:
                unless_proven.pop_all()
                return replace(host, shortfalls=tuple(failures))
    raise CannotIsolate(failures)


def _demand_safe(host: Host, profiles: Mapping[str, Profile]) -> None:
    """Look once more at every profile that works here, with this host's own paths in it. Blocking."""
    for name, profile in profiles.items():
        if host.provisions[name].missing:
            continue
        config = host.render_for_review(profile)
        if found := [*problems(config, host.policy()), *unsafe_sources(config)]:
            raise UnsafeProfile(f"The sandbox profile {name!r} is not safe on this host: {'; '.join(found)}.")


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
    if not all(kernel.maps_user(uid) for uid in (spec.first_uid, spec.first_uid + spec.user_ids - 1)):
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


def _tiers(spec: SandboxSpec, strictest: Host, failures: list[str]) -> Iterator[Host]:
    """The ways that the operator accepts, the strictest first."""
    if strictest.hierarchy is not None:
        yield strictest
    else:
        failures.append(
            "tier A: no control groups with the memory and pids controllers that this process may write to; "
            "delegate some (systemd: Delegate=yes) or run as root"
        )
    if spec.minimum_tier != "A":
        yield replace(strictest, hierarchy=None)
    if spec.minimum_tier in ("C", "D"):
        if strictest.hierarchy is not None and strictest.first_uid is not None:
            yield replace(strictest, user_namespaces=False)
        else:
            failures.append("tier C: without user namespaces it takes root and control groups")


async def _probe(host: Host, profile: Profile) -> None:
    order = Order(PROBE, profile, profile.limits, Caps(1, 1), slot=0)
    try:
        result = await Run(host, order).execute()
    except InvalidCommand as error:
        raise SandboxUnavailable(
            f"the interpreter {host.interpreter.executable} does not start in a jail; is it readable for other users "
            f"(chmod -R go+rX)? {error}"
        ) from None
    demand_isolated(result.stdout, result.stderr)
