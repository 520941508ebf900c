"""Every profile runs a source file of its language, or says in one sentence what this host lacks."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from sandbox.catalogue import load, profile_names
from sandbox.nsjail import NsjailSandbox
from sandbox.profile import Recipe
from sandbox.protocol import Command, InvalidCommand, Limits, SandboxUnavailable
from sandbox.recipe import profile_for, run_source
from sandbox.spec import LimitsSpec, SandboxSpec
from sandbox.tools import provide
from tests.sandbox.sandboxes import SITE, make_sandbox

session_loop = pytest.mark.asyncio(loop_scope="session")

# Each says "3" for the two arguments 1 and 2.
SOURCES = {
    "main.py": b"import sys\nprint(sum(map(int, sys.argv[1:])))\n",
    "main.sh": b"echo $(($1 + $2))\n",
    "main.js": b"console.log(process.argv.slice(2).reduce((sum, word) => sum + Number(word), 0));\n",
    "main.c": b"""#include <stdio.h>
#include <stdlib.h>
int main(int argc, char **argv) { printf("%d\\n", atoi(argv[1]) + atoi(argv[2])); }
""",
    "main.cpp": b"""#include <cstdio>
#include <string>
int main(int argc, char **argv) { std::printf("%d\\n", std::stoi(argv[1]) + std::stoi(argv[2])); }
""",
    "main.rs": b"""fn main() {
    println!("{}", std::env::args().skip(1).map(|word| word.parse::<i32>().unwrap()).sum::<i32>());
}
""",
    "main.go": b"""package main
import ("fmt"; "os"; "strconv")
func main() {
    a, _ := strconv.Atoi(os.Args[1]); b, _ := strconv.Atoi(os.Args[2])
    fmt.Println(a + b)
}
""",
    "Main.java": b"""class Main {
    public static void main(String[] words) {
        System.out.println(Integer.parseInt(words[0]) + Integer.parseInt(words[1]));
    }
}
""",
}
RECIPES = {name: load(name, {}).recipe for name in profile_names()}
COMPILES_C, COMPILES_CPP = (not provide(load(name, {}), None, SITE).missing for name in ("c", "c++"))


def toolchains() -> dict[str, Path]:
    """What people install into their homes, and the sandbox does not look for by itself."""
    rust = sorted(Path.home().glob(".rustup/toolchains/stable-*"))
    return {"rust": rust[0]} if rust else {}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def workshop() -> AsyncIterator[NsjailSandbox]:
    """One sandbox for the whole file, of the strictest tier: what differs here is the profile."""
    made = make_sandbox("A", SandboxSpec(toolchains=toolchains(), profiles={"c": LimitsSpec(memory_mib=128)}))
    yield made
    await made.close()


@session_loop
@pytest.mark.parametrize("source", SOURCES)
async def test_a_language(workshop: NsjailSandbox, source: str) -> None:
    profile = profile_for(RECIPES, source)
    assert profile is not None
    command = Command(("1", "2"), profile=profile, files={source: SOURCES[source]})
    if missing := provide(load(profile, {}), toolchains().get(profile), SITE).missing:
        with pytest.raises(SandboxUnavailable) as refusal:
            await run_source(workshop, RECIPES[profile], source, command)
        assert str(refusal.value) == f"The sandbox profile {profile!r} does not work here: {'; '.join(missing)}."
        return
    results = await run_source(workshop, RECIPES[profile], source, command)
    assert len(results) == (2 if RECIPES[profile].build else 1)
    assert (results[-1].ok, results[-1].stdout) == (True, b"3\n"), results[-1].stderr


@session_loop
async def test_lint_finds_and_pytest_fails(workshop: NsjailSandbox) -> None:
    linted, tested = await asyncio.gather(
        run_source(workshop, RECIPES["lint"], "x.py", Command((), profile="lint", files={"x.py": b"import os\n"})),
        run_source(
            workshop,
            RECIPES["pytest"],
            "test_x.py",
            Command((), profile="pytest", files={"test_x.py": b"def test_x():\n    assert 1 == 2\n"}),
        ),
    )
    assert (linted[0].exit_code, b"F401" in linted[0].stdout) == (1, True)
    assert (tested[0].exit_code, b"1 failed" in tested[0].stdout) == (1, True)


@session_loop
@pytest.mark.skipif(not COMPILES_C, reason="this host has no C compiler")
@pytest.mark.parametrize(
    ("program", "outcome", "said"),
    [
        (b"int main() { return 1 }", "exited", b"expected"),
        (b'#include "/etc/shadow"\nint main() {}', "exited", b"No such file"),
        (b'#include "/dev/zero"\nint main() {}', "out_of_memory", b""),
    ],
    ids=["an error", "a file of the host", "without end"],
)
async def test_a_build_that_fails_is_the_last_step(
    workshop: NsjailSandbox, program: bytes, outcome: str, said: bytes
) -> None:
    command = Command((), profile="c", files={"main.c": program})
    (built,) = await run_source(workshop, RECIPES["c"], "main.c", command)
    assert (built.ok, said in built.stderr) == (False, True)
    assert built.outcome in (outcome, "exited")  # the compiler may notice the memory limit itself


TEMPLATE_BOMB = b"""
template <class A, class B> struct two;
template <int N, class T> struct bomb { bomb<N - 1, two<T, int>> left; bomb<N - 1, two<int, T>> right; };
template <class T> struct bomb<0, T> { int leaf; };
int main() { return sizeof(bomb<30, int>) > 0; }
"""


@session_loop
@pytest.mark.skipif(not COMPILES_CPP, reason="this host has no C++ compiler")
async def test_a_bomb_for_the_compiler(workshop: NsjailSandbox) -> None:
    """What hangs or grows without end is the compiler, in its jail."""
    argv, limits = ("g++", "-o", "program", "main.cc"), Limits(cpu_seconds=2, memory_mib=256)
    command = Command(argv, profile="c++", files={"main.cc": TEMPLATE_BOMB}, limits=limits, collect=("program",))
    result = await workshop.run(command)
    assert (result.ok, result.files) == (False, {})
    assert result.outcome in ("cpu_limit", "out_of_memory", "exited"), result  # it may notice the end of memory itself
    assert result.outcome != "exited" or result.facts["oom_kills"], result


@session_loop
@pytest.mark.skipif(not COMPILES_C, reason="this host has no C compiler")
async def test_limits_hold_for_the_run_and_names_are_no_options(workshop: NsjailSandbox) -> None:
    files = {"-x.c": b"int main() { for (;;); }"}
    command = Command((), profile="c", files=files, limits=Limits(cpu_seconds=0.2, memory_mib=32))
    built, run = await run_source(workshop, RECIPES["c"], "-x.c", command)
    assert (built.ok, run.outcome) == (True, "cpu_limit")


def test_files_find_their_profile() -> None:
    assert {profile_for(RECIPES, source) for source in SOURCES} == {*RECIPES} - {"pytest", "lint"}
    assert profile_for(RECIPES, "main.txt") is None


@session_loop
async def test_a_profile_without_a_recipe(workshop: NsjailSandbox) -> None:
    with pytest.raises(InvalidCommand, match="has no recipe for files"):
        await run_source(workshop, Recipe((), (), (), ()), "x", Command(()))


def test_what_is_missing_is_said_for_each_profile(tmp_path: Path) -> None:
    (tmp_path / "bin").mkdir()
    compiler = tmp_path / "bin" / "go"
    compiler.write_text("")
    missing = provide(load("go", {}), tmp_path, SITE).missing
    assert len(missing) == 1
    assert "install golang-go, or name a folder with bin/go in sandbox.toolchains.go" in missing[0]
    compiler.chmod(0o755)
    assert provide(load("go", {}), tmp_path, SITE).found == {"go": compiler}
    tmp_path.chmod(0o777)
    assert "sandbox.toolchains.go" in provide(load("go", {}), tmp_path, SITE).missing[0]
    assert "pytest is not among the importable tools" in provide(load("pytest", {}), None, tmp_path).missing[0]
