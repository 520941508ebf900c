"""What a caller learns while a command runs."""

from __future__ import annotations

import asyncio
import time

from sandbox.nsjail import NsjailSandbox
from sandbox.protocol import Command, Limits, Piece, Progress, Started
from sandbox.spec import SandboxSpec
from tests.sandbox.sandboxes import make_sandbox


async def test_output_comes_while_the_program_runs(sandbox: NsjailSandbox) -> None:
    said: list[tuple[float, Progress]] = []
    program = "import sys, time\nprint('one', flush=True)\ntime.sleep(0.4)\nsys.stderr.write('two')"
    result = await sandbox.run(Command(("python", "-c", program)), lambda step: said.append((time.monotonic(), step)))
    started, first, second = (step for _, step in said)
    assert isinstance(started, Started)
    assert (first, second) == (Piece("stdout", b"one\n"), Piece("stderr", b"two"))
    assert said[2][0] - said[1][0] > 0.3
    assert (result.stdout, result.stderr) == (b"one\n", b"two")


async def test_pieces_together_are_what_the_result_keeps(sandbox: NsjailSandbox) -> None:
    pieces: list[bytes] = []
    result = await sandbox.run(
        Command(("python", "-c", "while True: print('x' * 999)"), limits=Limits(10, 10, 128, 16, 64, 50_000, 16, 256)),
        lambda step: pieces.append(step.content) if isinstance(step, Piece) else None,
    )
    assert result.outcome == "output_limit"
    assert b"".join(pieces) == result.stdout
    assert len(result.stdout) == 50_000 < result.stdout_bytes


async def test_a_program_that_does_not_exist_has_not_started(sandbox: NsjailSandbox) -> None:
    said: list[Progress] = []
    (problem,) = await asyncio.gather(sandbox.run(Command(("nowhere",)), said.append), return_exceptions=True)
    assert "no program 'nowhere'" in str(problem)
    assert said == []


async def test_a_warm_jail_says_the_same() -> None:
    made = make_sandbox("A", SandboxSpec(warm={"python": 1}))
    try:
        await made.check()
        said: list[Progress] = []
        while True:
            said.clear()
            result = await made.run(Command(("python", "-c", "print(1)")), said.append)
            if result.facts["warm"]:
                break
            await asyncio.sleep(0.05)
        assert [type(step) for step in said] == [Started, Piece]
    finally:
        await made.close()


async def test_a_file_may_be_executable(sandbox: NsjailSandbox) -> None:
    files = {"run.sh": b"#!/bin/sh\necho ran\n", "not.sh": b"#!/bin/sh\n"}
    command = Command(("./run.sh",), profile="shell", files=files, executables=frozenset({"run.sh"}))
    assert (await sandbox.run(command)).stdout == b"ran\n"
    refused = await asyncio.gather(
        sandbox.run(Command(("./not.sh",), profile="shell", files=files)),
        sandbox.run(Command(("sh",), profile="shell", executables=frozenset({"gone.sh"}))),
        return_exceptions=True,
    )
    assert not isinstance(refused[0], BaseException)
    assert refused[0].exit_code == 126
    assert "'gone.sh' is to be executable" in str(refused[1])
