"""Hostile programs that take time, memory, processes, output and disk."""

from __future__ import annotations

import errno

import pytest

from sandbox.nsjail import NsjailSandbox
from sandbox.protocol import Command, Limits
from sandbox.spec import Tier
from tests.sandbox.sandboxes import run_python

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.usefixtures("aftermath")]

SHORT = Limits(wall_seconds=0.4)
SMALL = Limits(memory_mib=96)
FILL_MEMORY = "import time; block = bytearray(1 << 30); time.sleep(60)"


@pytest.mark.parametrize(
    "program",
    [
        "while True: pass",
        "import sys, os, time; sys.stdout.close(); os.close(1); os.close(2); time.sleep(100)",
        "import signal, time\nfor n in set(range(1, 65)) - {9, 19, 32, 33}:\n signal.signal(n, signal.SIG_IGN)\n"
        "while True: time.sleep(1)",
        "import os, signal; os.kill(os.getpid(), signal.SIGSTOP)",
    ],
    ids=["spin", "closed output", "ignores signals", "stopped"],
)
async def test_the_clock_on_the_wall(sandbox: NsjailSandbox, program: str) -> None:
    result = await run_python(sandbox, program, limits=SHORT)
    assert result.outcome == "timeout"
    assert 0.4 <= result.wall_seconds < 5
    assert result.facts["stopped_by_supervisor"] == "timeout"


async def test_partial_output_survives_a_timeout(sandbox: NsjailSandbox) -> None:
    result = await sandbox.run(Command(("sh", "-c", "echo so far; sleep 600"), limits=Limits(wall_seconds=1)))
    assert (result.outcome, result.stdout) == ("timeout", b"so far\n")


async def test_processor_time_of_one_process(sandbox: NsjailSandbox) -> None:
    result = await run_python(sandbox, "while True: pass", limits=Limits(cpu_seconds=0.5))
    assert result.outcome == "cpu_limit"
    assert 0.5 <= result.cpu_seconds < 3


async def test_processor_time_of_the_whole_tree(sandbox: NsjailSandbox) -> None:
    program = "import os\nfor _ in range(3): os.fork()\nwhile True: pass"
    result = await run_python(sandbox, program, limits=Limits(cpu_seconds=0.6))
    assert result.outcome == "cpu_limit"


async def test_processor_time_of_ended_children_counts(sandbox: NsjailSandbox) -> None:
    program = """
import subprocess
while True:
    subprocess.run(["python", "-S", "-c", "for _ in range(1_000_000): pass"])
"""
    result = await run_python(sandbox, program, limits=Limits(cpu_seconds=0.6))
    assert result.outcome == "cpu_limit"


async def test_memory(sandbox: NsjailSandbox) -> None:
    result = await run_python(sandbox, FILL_MEMORY, limits=SMALL)
    assert result.outcome == "out_of_memory"
    assert result.memory_peak_mib is not None
    assert result.memory_peak_mib > 90


async def test_memory_of_many_processes(sandbox: NsjailSandbox) -> None:
    # Each alone fits. The kernel may kill any of them, so the program ends when one of its children is dead.
    program = """
import os, sys, time
for _ in range(4):
    if not os.fork():
        block = bytearray(40 << 20); time.sleep(60)
sys.exit(os.wait()[1] != 0)
"""
    result = await run_python(sandbox, program, limits=SMALL)
    assert result.outcome == "out_of_memory"


async def test_shared_memory_of_forks_counts_once(sandbox: NsjailSandbox) -> None:
    program = "import os, time\nblock = bytearray(40 << 20)\nfor _ in range(2): os.fork()\ntime.sleep(0.5)"
    result = await run_python(sandbox, program, limits=SMALL)
    assert result.ok, result


async def test_memory_of_a_process_that_hides(sandbox: NsjailSandbox) -> None:
    result = await run_python(sandbox, "import ctypes; ctypes.CDLL(None).prctl(4, 0)\n" + FILL_MEMORY, limits=SMALL)
    assert result.outcome == "out_of_memory"


async def test_a_child_out_of_memory_is_not_the_parents_end(sandbox: NsjailSandbox, tier: Tier) -> None:
    program = f"import os\nif os.fork() == 0:\n {FILL_MEMORY}\nos.wait(); print('survived')"
    result = await run_python(sandbox, program, limits=SMALL)
    if tier == "A":
        assert (result.ok, result.facts["oom_kills"], result.stdout) == (True, 1, b"survived\n")
    else:  # who watches from outside can only stop the whole jail
        assert result.outcome == "out_of_memory"


async def test_more_address_space_than_there_is(sandbox: NsjailSandbox) -> None:
    program = "import mmap\ntry: mmap.mmap(-1, 1 << 40)\nexcept OSError as error: print(error.errno)"
    result = await run_python(sandbox, program)
    assert result.stdout == f"{errno.ENOMEM}\n".encode()


async def test_files_in_memory_count(sandbox: NsjailSandbox) -> None:
    program = "open('/tmp/x', 'wb').write(bytes(60 << 20)); import time; time.sleep(60)"
    assert (await run_python(sandbox, program, limits=Limits(memory_mib=48))).outcome == "out_of_memory"


async def test_system_v_shared_memory(sandbox: NsjailSandbox, tier: Tier) -> None:
    program = """
import ctypes
libc = ctypes.CDLL(None, use_errno=True); libc.shmat.restype = ctypes.c_void_p
segment = libc.shmget(0, 256 << 20, 0o1600)
if segment < 0:
    raise SystemExit(ctypes.get_errno())
ctypes.memset(libc.shmat(segment, None, 0), 1, 256 << 20)
"""
    result = await run_python(sandbox, program, limits=SMALL)
    if tier == "A":
        assert result.outcome == "out_of_memory"
    else:
        assert (result.outcome, result.exit_code) == ("exited", errno.ENOSYS)


@pytest.mark.parametrize("place", [".", "/tmp"])
async def test_disk_bytes(sandbox: NsjailSandbox, place: str) -> None:
    program = f"open('{place}/x', 'wb').write(bytes(20 << 20))"
    result = await run_python(sandbox, program, limits=Limits(disk_mib=8))
    assert (result.outcome, result.exit_code) == ("disk_limit", 1)
    assert b"No space left on device" in result.stderr


async def test_disk_files(sandbox: NsjailSandbox) -> None:
    program = "for n in range(5000): open(str(n), 'w').close()"
    result = await run_python(sandbox, program, limits=Limits(disk_files=1000))
    assert (result.outcome, result.exit_code) == ("disk_limit", 1)


async def test_a_full_disk_alone_is_no_failure(sandbox: NsjailSandbox) -> None:
    program = "try: open('x', 'wb').write(bytes(20 << 20))\nexcept OSError: print('full')"
    result = await run_python(sandbox, program, limits=Limits(disk_mib=8))
    assert (result.ok, result.stdout, result.facts["disk_full"]) == (True, b"full\n", True)


async def test_a_file_of_a_pebibyte(sandbox: NsjailSandbox) -> None:
    program = "try: open('x', 'wb').truncate(1 << 50)\nexcept OSError as error: print(error.errno)"
    result = await run_python(sandbox, program, collect=("*",))
    assert (result.stdout, result.files) == (f"{errno.EFBIG}\n".encode(), {"x": b""})


async def test_a_fork_bomb(sandbox: NsjailSandbox) -> None:
    program = "import os\nwhile True:\n try: os.fork()\n except OSError: pass"
    result = await run_python(sandbox, program, limits=Limits(wall_seconds=0.7, processes=24))
    assert result.outcome == "timeout"


async def test_the_number_of_processes(sandbox: NsjailSandbox) -> None:
    program = """
import os, signal
count = 1
try:
    while count < 500:
        if os.fork() == 0:
            signal.pause()
        count += 1
except OSError as error:
    print(count, error.errno)
"""
    result = await run_python(sandbox, program, limits=Limits(processes=24))
    assert result.stdout == f"24 {errno.EAGAIN}\n".encode()


async def test_threads(sandbox: NsjailSandbox) -> None:
    program = """
import threading, time
for _ in range(10_000):
    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
"""
    result = await run_python(sandbox, program)
    assert (result.outcome, result.exit_code) == ("exited", 1)
    assert b"can't start new thread" in result.stderr


@pytest.mark.parametrize("stream", ["stdout", "stderr"])
async def test_a_flood_of_output(sandbox: NsjailSandbox, stream: str) -> None:
    program = f"import sys\nwhile True: sys.{stream}.write('x' * 65536)"
    result = await run_python(sandbox, program, limits=Limits(output_bytes=100_000))
    assert result.outcome == "output_limit"
    assert getattr(result, stream) == b"x" * 100_000
    assert getattr(result, f"{stream}_bytes") > 100_000


async def test_a_flood_by_drops_on_both_streams(sandbox: NsjailSandbox) -> None:
    program = "import os\nwhile True: os.write(1, b'o'); os.write(2, b'e')"
    result = await run_python(sandbox, program, limits=Limits(output_bytes=20_000))
    assert result.outcome == "output_limit"
    assert max(len(result.stdout), len(result.stderr)) == 20_000


async def test_output_is_counted_to_the_byte(sandbox: NsjailSandbox) -> None:
    program = "import sys; sys.stdout.write('x' * 700_001); sys.stderr.write('y' * 300_003)"
    result = await run_python(sandbox, program)
    assert (result.ok, result.stdout_bytes, result.stderr_bytes) == (True, 700_001, 300_003)
    assert (len(result.stdout), len(result.stderr)) == (700_001, 300_003)


async def test_more_output_than_allowed_is_a_limit_even_after_a_clean_end(sandbox: NsjailSandbox) -> None:
    result = await run_python(sandbox, "print('x' * 5_000)", limits=Limits(output_bytes=1_000))
    assert (result.outcome, result.stdout, result.stdout_bytes > 1_000) == ("output_limit", b"x" * 1_000, True)


async def test_a_process_left_behind_dies_with_the_program(sandbox: NsjailSandbox) -> None:
    program = """
import os, time
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        time.sleep(600)
    os._exit(0)
os.wait()
print('done')
"""
    result = await run_python(sandbox, program)
    assert (result.ok, result.stdout) == (True, b"done\n")


async def test_pipe_buffers_are_limited_per_user(sandbox: NsjailSandbox) -> None:
    program = """
import fcntl, os
pipes = [os.pipe() for _ in range(100)]
try:
    for _, end in pipes: fcntl.fcntl(end, 1031, 1 << 20)
except PermissionError: print('denied')
"""
    assert (await run_python(sandbox, program)).stdout == b"denied\n"
