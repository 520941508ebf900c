"""Programs of other people get the verdicts they must; `bench/sandbox/mbpp.py` runs all 427, this a sample of 40."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bench.sandbox.mbpp import passing, passing_in_pytest, read
from sandbox.nsjail import NsjailSandbox
from sandbox.protocol import Command

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.usefixtures("aftermath")]

PROGRAMS = read(Path(__file__).parent / "data" / "mbpp.json")
STUBS = [program.stub() for program in PROGRAMS]
ALL = {program.number for program in PROGRAMS}


async def test_references_pass_and_stubs_fail(sandbox: NsjailSandbox) -> None:
    assert len(ALL) == 40
    assert await passing(sandbox, PROGRAMS) == ALL
    assert await passing(sandbox, STUBS) == set()


async def test_references_pass_and_stubs_fail_in_pytest(sandbox: NsjailSandbox) -> None:
    assert await passing_in_pytest(sandbox, PROGRAMS) == ALL
    assert await passing_in_pytest(sandbox, STUBS) == set()


async def test_a_stub_fails_for_what_it_returns(sandbox: NsjailSandbox) -> None:
    """And not because it is no program."""
    for stub in STUBS[:5]:
        result = await sandbox.run(Command(("python", "main.py"), files={"main.py": stub.script()}))
        assert result.exit_code == 1
        assert re.match(rb"AssertionError|TypeError", result.stderr.splitlines()[-1])
