"""The evidence record of one job: everything a reader needs to know what ran where, and how it ended.

Contents appear as digests. Nothing secret is in it: of variables that the caller gave, names and digests alone
(a short secret can be guessed from its digest, so give a job none). `run.py` writes it; it is part of the result.
"""

from __future__ import annotations

import hashlib
import json
import secrets
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from sandbox.order import Order
from sandbox.protocol import FileDigest, Limits, Outcome, Rejection, Result

_LOG_CHARACTERS = 2000


@dataclass(frozen=True, slots=True)
class Stream:
    """Bytes in or out: how many there were, how many of them were kept, and the SHA-256 (hex) of those."""

    bytes: int
    kept_bytes: int
    sha256: str
    truncated: bool


@dataclass(frozen=True, slots=True)
class Record:
    """One job. Digests are SHA-256, hex; `processes_peak` counts two of ours, and is None where nothing counts.

    `queue_seconds` passed before a slot was free, `setup_seconds` before the program started, `wall_seconds` then.
    """

    job_id: str
    started_at: str
    profile: str
    tier: str
    kernel: str
    nsjail_version: str
    nsjail_sha256: str
    init_sha256: str
    config_sha256: str
    policy_sha256: str
    interpreter: str
    environment_digest: str
    argv: tuple[str, ...]
    environment: Mapping[str, str]
    given_environment_sha256: Mapping[str, str]
    limits: Limits
    stdin: Stream
    inputs: tuple[FileDigest, ...]
    queue_seconds: float
    setup_seconds: float
    wall_seconds: float
    cpu_seconds: float
    memory_peak_mib: float | None
    processes_peak: int | None
    stdout: Stream
    stderr: Stream
    outcome: Outcome
    exit_code: int | None
    signal: int | None
    facts: Mapping[str, str | int | float | bool]
    artefacts: tuple[FileDigest, ...]
    rejected: tuple[Rejection, ...]
    nsjail_log: str

    def as_json(self) -> str:
        """One line, keys sorted, ASCII: the same record is the same text."""
        return json.dumps(asdict(self), sort_keys=True)


@dataclass(frozen=True, slots=True)
class Happening:
    """What a run knows that is in no `Result`."""

    started_at: str
    tier: str
    config: str
    inputs: tuple[FileDigest, ...]
    setup_seconds: float
    processes_peak: int | None
    nsjail_log: bytes


def write_record(order: Order, happening: Happening, result: Result) -> Record | None:
    """The record of a finished job. Blocking: it hashes what came out."""
    command, identity = order.command, order.identity
    if identity is None:
        return None
    return Record(
        job_id=f"job_{secrets.token_hex(10)}",
        started_at=happening.started_at,
        profile=order.profile.name,
        tier=happening.tier,
        kernel=identity.kernel,
        nsjail_version=identity.nsjail_version,
        nsjail_sha256=identity.nsjail_sha256,
        init_sha256=identity.init_sha256,
        config_sha256=_sha256(happening.config.encode()),
        policy_sha256=identity.policy_sha256,
        interpreter=identity.interpreter,
        environment_digest=result.environment_digest,
        argv=command.argv,
        environment=order.profile.environment(),
        given_environment_sha256={name: _sha256(_bytes(value)) for name, value in command.environment.items()},
        limits=order.limits,
        stdin=_stream(command.stdin, len(command.stdin)),
        inputs=happening.inputs,
        queue_seconds=order.queue_seconds,
        setup_seconds=happening.setup_seconds,
        wall_seconds=result.wall_seconds,
        cpu_seconds=result.cpu_seconds,
        memory_peak_mib=result.memory_peak_mib,
        processes_peak=happening.processes_peak,
        stdout=_stream(result.stdout, result.stdout_bytes),
        stderr=_stream(result.stderr, result.stderr_bytes),
        outcome=result.outcome,
        exit_code=result.exit_code,
        signal=result.signal,
        facts=result.facts,
        artefacts=tuple(FileDigest(path, len(data), _sha256(data)) for path, data in sorted(result.files.items())),
        rejected=result.rejected,
        nsjail_log=happening.nsjail_log.decode(errors="replace")[-_LOG_CHARACTERS:],
    )


def _stream(kept: bytes, total: int) -> Stream:
    return Stream(total, len(kept), _sha256(kept), truncated=len(kept) < total)


def _bytes(value: str) -> bytes:
    return value.encode("utf-8", "surrogateescape")


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
