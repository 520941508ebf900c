"""Hostile programs: those of `hostile.py` run here, and a table names where each other one of the list is tested."""

from __future__ import annotations

import asyncio
import importlib
import os
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.jails import cgroup
from sandbox.nsjail import NsjailSandbox
from tests.sandbox import hostile
from tests.sandbox.sandboxes import CONTROL_GROUPS, run_python
from tests.sandbox.test_host import said_without_user_namespaces

session_loop = pytest.mark.asyncio(loop_scope="session")

# The list's numbers (it has no 3, 6, 9, ...), each with the test that runs it. That programs can lie about tests (100,
# 101) is a documented limit; who reads such reports is held against it in tests/codegen/test_ladder.py.
WHERE = {
    "test_hostile.test_a_hostile_program": (1, 5, 7, 13, 17, 23, 35, 38, 67, 86, 97),
    "test_hostile.test_two_jobs_that_attack_each_other": (59, 71, 94),
    "test_hostile.test_a_swap_while_files_come_out": (79,),
    "test_hostile.test_tens_of_thousands_of_files": (85,),
    "test_host.test_tier_c_holds_without_user_namespaces": (19,),
    "test_host.test_a_host_that_lacks_something": (104,),
    "test_resources.test_processor_time_of_one_process": (2,),
    "test_resources.test_processor_time_of_the_whole_tree": (4,),
    "test_resources.test_a_child_out_of_memory_is_not_the_parents_end": (8,),
    "test_resources.test_more_address_space_than_there_is": (10,),
    "test_resources.test_files_in_memory_count": (11,),
    "test_resources.test_disk_files": (14,),
    "test_resources.test_a_file_of_a_pebibyte": (16,),
    "test_resources.test_threads": (20,),
    "test_resources.test_a_flood_by_drops_on_both_streams": (25,),
    "test_resources.test_the_clock_on_the_wall": (26,),
    "test_resources.test_system_v_shared_memory": (28,),
    "test_resources.test_pipe_buffers_are_limited_per_user": (31,),
    "test_languages.test_a_bomb_for_the_compiler": (34,),
    "test_privilege.test_limits_cannot_be_raised": (22,),
    "test_privilege.test_no_capability_and_no_way_to_get_one": (37,),
    "test_privilege.test_a_call_that_no_job_may_make": (*(29, 32, 40, 41, 43, 44, 46, 47, 50, 52, 53, 55, 56, 58, 61),),
    "test_privilege.test_killing_everyone_only_hits_the_jail": (49,),
    "test_privilege.test_nothing_in_proc_is_writable": (62,),
    "test_privilege.test_a_program_from_memory": (65,),
    "test_files.test_the_host_is_not_there": (64, 68, 95),
    "test_files.test_a_writable_mount_below_a_read_only_place": (70,),
    "test_files.test_only_what_is_asked_for_and_safe_comes_out": (73, 74, 76),
    "test_files.test_a_thousand_levels": (77,),
    "test_files.test_names_that_cannot_go_in": (83,),
    "test_validate.test_nothing_below_a_writable_place": (80,),
    "test_writing.test_nothing_is_written_through_what_lies_there": (82,),
    "test_network.test_no_way_out": (88,),
    "test_network.test_services_of_the_host": (89, 91),
    "test_network.test_a_proxy_of_the_host": (92,),
    "test_lying.test_forged_reports": (98,),
    "test_lying.test_a_conftest_that_lies": (100, 101),
    "test_lying.test_only_declared_variables_are_there": (103,),
}
LIST = (
    *(1, 2, 4, 5, 7, 8, 10, 11, 13, 14, 16, 17, 19, 20, 22, 23, 25, 26, 28, 29, 31, 32, 34, 35, 37, 38, 40, 41, 43),
    *(44, 46, 47, 49, 50, 52, 53, 55, 56, 58, 59, 61, 62, 64, 65, 67, 68, 70, 71, 73, 74, 76, 77, 79, 80, 82, 83, 85),
    *(86, 88, 89, 91, 92, 94, 95, 97, 98, 100, 101, 103, 104),
)


def test_every_number_of_the_list_has_its_test() -> None:
    assert sorted(number for numbers in WHERE.values() for number in numbers) == list(LIST)
    for place in WHERE:
        module, test = place.split(".")
        assert callable(getattr(importlib.import_module(f"tests.sandbox.{module}"), test))


@session_loop
@pytest.mark.usefixtures("aftermath")
@pytest.mark.parametrize("name", hostile.PROGRAMS)
async def test_a_hostile_program(sandbox: NsjailSandbox, name: str) -> None:
    await hostile.demand_verdict(sandbox, name)


@session_loop
@pytest.mark.usefixtures("aftermath")
@pytest.mark.parametrize("name", hostile.DUELS)
async def test_two_jobs_that_attack_each_other(sandbox: NsjailSandbox, name: str) -> None:
    await hostile.demand_stalemate(sandbox, name)


@session_loop
@pytest.mark.usefixtures("aftermath")
async def test_a_swap_while_files_come_out(sandbox: NsjailSandbox) -> None:
    """A process that outlives the program exchanges a file for a link; it is dead before the file is read."""
    program = """
import contextlib, os, time
open("x", "w").write("plain")
if os.fork() == 0:
    os.setsid()
    while True:
        with contextlib.suppress(OSError):
            os.symlink("/etc/passwd", "link"); os.replace("link", "x")
            open("new", "w").write("plain"); os.replace("new", "x")
time.sleep(0.05)
"""
    result = await run_python(sandbox, program, collect=("x",))
    assert result.ok
    assert dict(result.files) == {"x": b"plain"} or [each.reason for each in result.rejected] == ["a symbolic link"]


@session_loop
@pytest.mark.usefixtures("aftermath")
async def test_tens_of_thousands_of_files(sandbox: NsjailSandbox) -> None:
    program = """
import os
try:
    for number in range(1 << 16):
        open(f"f{number}", "w").close(); os.symlink("f", f"l{number}")
except OSError as error: print(error.errno)
"""
    result = await run_python(sandbox, program, collect=("**",))
    assert (result.ok, result.stdout, len(result.files)) == (True, b"28\n", 256)
    assert result.rejected[-1].reason == "more files were rejected than are listed"


ALL_OF_THEM = """
import asyncio
from sandbox.spec import SandboxSpec
from tests.sandbox.hostile import demand_all
from tests.sandbox.sandboxes import make_sandbox
async def work():
    sandbox = make_sandbox({tier!r}, SandboxSpec(minimum_tier={least!r}, slots=4))
    await sandbox.check()
    await demand_all(sandbox)
    print((await sandbox.diagnose()).tier)
    await sandbox.close()
asyncio.run(work())
"""
NO_CAPABILITIES = "assert int(open('/proc/self/status').read().split('CapEff:')[1].split()[0], 16) == 0\n"


@session_loop
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can forbid user namespaces")
@pytest.mark.skipif(cgroup.find(CONTROL_GROUPS) is None, reason="tier C takes control groups")
async def test_hostile_programs_in_tier_c() -> None:
    assert await said_without_user_namespaces(ALL_OF_THEM.format(tier="A", least="C")) == "C\n"


@session_loop
async def test_hostile_programs_in_tier_b_without_privileges() -> None:
    """As a user who is not root, without any capability, and without control groups; its jails are that user's."""
    ordinary = ("unshare", "--user", "--map-user=1000", "--map-group=1000") if os.geteuid() == 0 else ()
    program = NO_CAPABILITIES + ALL_OF_THEM.format(tier="B", least="B")
    process = await asyncio.create_subprocess_exec(
        *(*ordinary, sys.executable, "-c", program), cwd=Path(__file__).parents[2], stdout=subprocess.PIPE
    )
    output, _ = await process.communicate()
    assert output == b"B\n"
