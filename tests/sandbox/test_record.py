"""The evidence record: complete, the same text for the same record, and without what is secret."""

from __future__ import annotations

import asyncio
import hashlib
import json
import platform
from dataclasses import FrozenInstanceError, fields
from pathlib import Path

import pytest

from sandbox.nsjail import NsjailSandbox
from sandbox.protocol import Command, Limits, Result
from sandbox.record import Record
from sandbox.spec import SandboxSpec, Tier
from tests.sandbox.sandboxes import make_sandbox, run_python

session_loop = pytest.mark.asyncio(loop_scope="session")
SECRET = "hunter2-correct-horse"


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def record_of(result: Result) -> Record:
    assert result.record is not None
    return result.record


@session_loop
async def test_a_record_tells_everything(sandbox: NsjailSandbox, tier: Tier, tmp_path: Path) -> None:
    (tmp_path / "tree.txt").write_bytes(b"tree")
    program = "import os, sys; open('out.txt', 'w').write('made'); os.symlink('x', 'l.txt'); print('x' * 3000)"
    limits = Limits(output_bytes=1000, wall_seconds=20)
    command = Command(
        ("python", "-c", program),
        tree=tmp_path,
        files={"given.txt": b"given"},
        collect=("out.txt", "l.txt"),
        stdin=b"in",
        environment={"TOKEN": SECRET},
        limits=limits,
    )
    result = await sandbox.run(command)
    record = record_of(result)
    assert record.job_id.startswith("job_")
    assert record.started_at.endswith("+00:00")
    assert (record.tier, record.profile, record.kernel) == (tier, "python", platform.release())
    assert (record.argv, record.limits) == (command.argv, limits)
    assert {(each.path, each.bytes, each.sha256) for each in record.inputs} == {
        ("tree.txt", 4, sha256(b"tree")),
        ("given.txt", 5, sha256(b"given")),
    }
    assert (record.stdin.bytes, record.stdin.sha256, record.stdin.truncated) == (2, sha256(b"in"), False)
    assert (record.stdout.bytes, record.stdout.kept_bytes, record.stdout.truncated) == (result.stdout_bytes, 1000, True)
    assert record.stdout.sha256 == sha256(result.stdout)
    assert [(each.path, each.sha256) for each in record.artefacts] == [("out.txt", sha256(b"made"))]
    assert [each.path for each in record.rejected] == ["l.txt"]
    assert (record.outcome, record.facts) == ("output_limit", result.facts)
    assert record.environment_digest == sandbox.environment_digest("python")
    digests = [record.nsjail_sha256, record.init_sha256, record.config_sha256, record.policy_sha256]
    assert {len(bytes.fromhex(digest)) for digest in digests} == {32}
    assert record.wall_seconds == result.wall_seconds
    assert record.setup_seconds > 0
    assert record.nsjail_log
    if tier == "A" and record.processes_peak is not None:
        assert record.processes_peak >= 3


@session_loop
async def test_a_secret_is_not_in_it(sandbox: NsjailSandbox) -> None:
    result = await run_python(sandbox, "import os; print(os.environ['TOKEN'])", environment={"TOKEN": SECRET})
    record = record_of(result)
    assert result.stdout.decode() == SECRET + "\n"
    assert SECRET not in record.as_json()
    assert record.given_environment_sha256 == {"TOKEN": sha256(SECRET.encode())}
    assert record.environment["LANG"] == "C.UTF-8"
    assert "TOKEN" not in record.environment


@session_loop
async def test_it_is_json_and_cannot_be_changed(sandbox: NsjailSandbox) -> None:
    record = record_of(await sandbox.run(Command(("echo", "\udcff", "é"))))
    text = record.as_json()
    assert text.isascii()
    assert "\n" not in text
    assert json.loads(text).keys() == {each.name for each in fields(Record)}
    assert text == record.as_json()
    with pytest.raises(FrozenInstanceError):
        record.outcome = "exited"  # type: ignore[misc]  # that is the test


@session_loop
async def test_two_runs_differ_where_they_should(sandbox: NsjailSandbox) -> None:
    first, second, other = [
        record_of(await run_python(sandbox, program, environment=environment))
        for program, environment in (("pass", {}), ("pass", {}), ("pass", {"A": "1"}))
    ]
    assert first.job_id != second.job_id
    assert first.config_sha256 == second.config_sha256 != other.config_sha256
    assert first.policy_sha256 == other.policy_sha256


@session_loop
async def test_waiting_is_told_apart_from_running(tier: Tier) -> None:
    sandbox = make_sandbox(tier, SandboxSpec(slots=1))
    await sandbox.check()
    program = "import time; time.sleep(0.3)"
    results = await asyncio.gather(run_python(sandbox, program), run_python(sandbox, program))
    await sandbox.close()
    first, second = (record_of(result) for result in results)
    assert first.queue_seconds < 0.1 < 0.3 <= second.queue_seconds
    assert second.wall_seconds >= 0.3
