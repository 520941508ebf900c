"""Says what a proven host gives. Called by `nsjail.py`."""

from __future__ import annotations

from collections.abc import Mapping

from sandbox.diagnosis import advice
from sandbox.doctor import MEANINGS, ProfileReport, Report
from sandbox.identity import Identity
from sandbox.jails.host import Host
from sandbox.profile import Profile


def report(host: Host, identity: Identity, profiles: Mapping[str, Profile]) -> Report:
    """What is known about a proven host."""
    return Report(
        tier=host.tier,
        meaning=MEANINGS[host.tier],
        shortfalls=host.shortfalls,
        advice=() if host.user_namespaces else advice(),
        cgroup_version=host.hierarchy.version if host.hierarchy is not None else None,
        own_users=host.first_uid is not None,
        kernel=identity.kernel,
        nsjail_version=identity.nsjail_version,
        nsjail_sha256=identity.nsjail_sha256,
        interpreter=str(host.interpreter.executable),
        profiles=tuple(_profile(host, name, identity.environments[name]) for name in profiles),
    )


def _profile(host: Host, name: str, environment_digest: str) -> ProfileReport:
    provision = host.provisions[name]
    found = {tool: str(place) for tool, place in provision.found.items()}
    return ProfileReport(name, not provision.missing, found, provision.missing, environment_digest)
