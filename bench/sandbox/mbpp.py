"""The group `sandbox-mbpp`: MBPP's reference programs pass their asserts in the sandbox, and stubs of them do not.

A program runs in a jail of its own, and again as a test among fifty in one run of pytest. A stub has the reference's
functions, which return None. The programs (CC BY 4.0) are no part of this repository but for a sample with the tests.
"""

from __future__ import annotations

import ast
import asyncio
import json
import re
import time
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.report import ROOT, Row, keep
from bench.sandbox.ways import PYTHON, SITE
from sandbox.nsjail import NsjailSandbox
from sandbox.protocol import Command, Sandbox
from sandbox.spec import SandboxSpec

_PROGRAMS = ROOT.parent / "shared" / "data" / "mbpp" / "sanitized-mbpp.json"
_OF_ONE_PYTEST = 50
_PYTEST = ("python", "-B", "-m", "pytest", "-q", "-p", "no:cacheprovider", "--tb=no", "--junit-xml=report.xml", ".")


@dataclass(frozen=True, slots=True)
class Program:
    """One task: its number, the reference and the asserts with what they import."""

    number: int
    code: str
    imports: str
    asserts: tuple[str, ...]

    def stub(self) -> Program:
        """The same functions, each of which returns None."""
        tree = ast.parse(self.code)
        for node in tree.body:
            if isinstance(node, ast.FunctionDef):
                node.body = [ast.Return(ast.Constant(None))]
        return Program(self.number, ast.unparse(ast.fix_missing_locations(tree)), self.imports, self.asserts)

    def script(self) -> bytes:
        """Ends with 0 if all asserts hold."""
        return "\n".join((self.code, self.imports, *self.asserts)).encode()

    def test(self) -> bytes:
        """A file for pytest with one test."""
        body = [f"    {each.strip()}" for each in self.asserts]
        return "\n".join((self.code, self.imports, f"def test_{self.number}():", *body)).encode()


def read(path: Path) -> list[Program]:
    """The programs of a file in MBPP's format."""
    return [
        Program(each["task_id"], each["code"], "\n".join(each["test_imports"]), tuple(each["test_list"]))
        for each in json.loads(path.read_text())
    ]


async def passing(sandbox: Sandbox, programs: Sequence[Program]) -> set[int]:
    """The numbers of those that pass, each in a jail of its own; as many at once as there are slots."""

    async def one(program: Program) -> bool:
        return (await sandbox.run(Command(("python", "-B", "main.py"), files={"main.py": program.script()}))).ok

    verdicts = await asyncio.gather(*map(one, programs))
    return {program.number for program, ok in zip(programs, verdicts, strict=True) if ok}


async def passing_in_pytest(sandbox: Sandbox, programs: Sequence[Program]) -> set[int]:
    """The same, by runs of pytest with many tests each. Raises `ValueError` if a run did not report them all."""

    async def one(some: Sequence[Program]) -> set[int]:
        files = {f"test_{program.number}.py": program.test() for program in some}
        result = await sandbox.run(Command(_PYTEST, "pytest", files=files, collect=("report.xml",)))
        cases = re.findall(r'<testcase [^>]*name="test_(\d+)"[^>]*?(/?)>', result.files["report.xml"].decode())
        if {int(number) for number, _ in cases} != {program.number for program in some}:
            raise ValueError(f"A run of pytest reported other tests than it was given: {result}.")
        return {int(number) for number, ended in cases if ended}  # what did not pass has something inside

    parts = [programs[start : start + _OF_ONE_PYTEST] for start in range(0, len(programs), _OF_ONE_PYTEST)]
    return set().union(*await asyncio.gather(*map(one, parts)))


async def measure() -> list[Row]:
    """Writes bench/results/sandbox-mbpp.json; nothing where the programs are not there."""
    if not _PROGRAMS.is_file():
        print(f"The group sandbox-mbpp was skipped: MBPP's programs are not in {_PROGRAMS}.")
        return []
    programs = read(_PROGRAMS)
    sandbox = NsjailSandbox(
        SandboxSpec(wait_timeout_seconds=3600, most_waiting=len(programs)), python=PYTHON, site=SITE
    )
    started = time.monotonic()
    try:
        found = {
            (what, how): await run(sandbox, some)
            for what, some in (("references", programs), ("stubs", [each.stub() for each in programs]))
            for how, run in (("python", passing), ("pytest", passing_in_pytest))
        }
    finally:
        await sandbox.close()
    seconds = time.monotonic() - started
    wanted = {"references": {each.number for each in programs}, "stubs": set[int]()}
    rows = [
        Row(
            f"{what} that pass by {how}, beside those that must",
            *(len(passed), len(wanted[what]), "exactly those", passed == wanted[what]),
        )
        for (what, how), passed in found.items()
    ]
    odd = {f"{what}, {how}": sorted(passed ^ wanted[what]) for (what, how), passed in found.items()}
    keep("sandbox-mbpp", rows, {"other than they must": odd, "seconds": round(seconds, 1)})
    return rows
