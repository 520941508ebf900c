"""What the results of a host depend on, by content: nsjail, policy, interpreter, tools, kernel.

Read once, when the host is proven; it goes into every record, and its digest into the environment digest.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Identity:
    """Digests are SHA-256, hex; `environments` has one for each profile, of everything a run in it depends on."""

    nsjail_version: str
    nsjail_sha256: str
    init_sha256: str
    policy_sha256: str
    interpreter: str
    tools: tuple[str, ...]
    kernel: str
    environments: Mapping[str, str]
