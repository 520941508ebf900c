"""Many jobs of every kind, four at once, by a supervisor of its own; then nothing of them may be left anywhere.

`python -m tests.sandbox.soak TIER JOBS [SEED]` prints what was run and what leaked, as JSON; exit code 1 if anything
did. `test_soak.py` runs a short one.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import json
import os
import random
import re
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sandbox import processes
from sandbox.nsjail import NsjailSandbox
from sandbox.protocol import Command, InvalidCommand, Limits, Sandbox
from sandbox.spec import SandboxSpec
from tests.sandbox import hostile
from tests.sandbox.sandboxes import TIERS, demand_record, groups_of, make_sandbox, run_python

WORKERS, USERS, SECONDS_FOR_A_JOB = 4, 100, 60
SHARED_PLACES = ("/tmp", "/var/tmp", "/run", "/run/user", "/dev/shm")
LEFT_BEHIND = "import os, time\nif os.fork() == 0:\n os.setsid(); os.fork(); time.sleep(600)\nprint('done')"
FLOOD = "import os\nwhile True: os.write(1, b'o'); os.write(2, b'e' * 4096)"
RUBBISH = "import os\nos.mkfifo('f'); os.symlink('/etc/passwd', 'l'); open('a', 'w').close(); os.link('a', 'b')"
GOOD = b"def test_one():\n    assert 2 * 2 == 4\n"
Job = Callable[[Sandbox, random.Random], Awaitable[None]]


async def plain(sandbox: Sandbox, chance: random.Random) -> None:
    word = chance.randbytes(chance.randrange(1, 100_000))
    program = "import sys; open('out', 'wb').write(sys.stdin.buffer.read()); print('kept')"
    result = await run_python(sandbox, program, stdin=word, collect=("out",))
    assert (result.ok, result.stdout, result.files) == (True, b"kept\n", {"out": word}), result


async def of_profile(sandbox: Sandbox, profile: str, argv: tuple[str, ...], files: dict[str, bytes]) -> None:
    result = await sandbox.run(Command(argv, profile, files=files))
    demand_record(result)
    assert result.ok, result


async def shell(sandbox: Sandbox, _: random.Random) -> None:
    await of_profile(sandbox, "shell", ("sh", "-c", "ls / | wc -l"), {})


async def lint(sandbox: Sandbox, _: random.Random) -> None:
    await of_profile(
        sandbox, "lint", ("python", "-m", "ruff", "check", "--isolated", "--no-cache", "x.py"), {"x.py": GOOD}
    )


async def tests(sandbox: Sandbox, _: random.Random) -> None:
    argv = ("python", "-B", "-m", "pytest", "-q", "-p", "no:cacheprovider", "test_x.py")
    await of_profile(sandbox, "pytest", argv, {"test_x.py": GOOD})


async def cancelled(sandbox: Sandbox, chance: random.Random) -> None:
    """At any moment: in the queue, while the jail is made, or while four processes sleep and fork."""
    task = asyncio.create_task(run_python(sandbox, "import os, time\nfor _ in 'ab': os.fork()\ntime.sleep(600)"))
    await asyncio.sleep(chance.choice((0, 0.005, 0.03, 0.1, 0.4)) * chance.random())
    task.cancel()
    with contextlib.suppress(asyncio.CancelledError):
        await task
    assert task.cancelled()


async def left_behind(sandbox: Sandbox, _: random.Random) -> None:
    result = await run_python(sandbox, LEFT_BEHIND)
    assert (result.ok, result.stdout) == (True, b"done\n"), result


async def both_streams(sandbox: Sandbox, _: random.Random) -> None:
    assert (await run_python(sandbox, FLOOD, limits=Limits(output_bytes=50_000))).outcome == "output_limit"


async def rubbish(sandbox: Sandbox, _: random.Random) -> None:
    result = await run_python(sandbox, RUBBISH, collect=("**",))
    assert (result.ok, result.files, len(result.rejected)) == (True, {}, 4), result


async def refused(sandbox: Sandbox, _: random.Random) -> None:
    with contextlib.suppress(InvalidCommand):
        await sandbox.run(Command(("no-such-program",)))
        raise AssertionError("a program that is not there was run")


def of_the_list(name: str) -> Job:
    async def run(sandbox: Sandbox, _: random.Random) -> None:
        await hostile.demand_verdict(sandbox, name)

    return run


JOBS: dict[str, Job] = {
    **{each.__name__: each for each in (plain, shell, lint, tests, left_behind, both_streams, rubbish, refused)},
    **{f"cancelled {number}": cancelled for number in range(3)},
    **{name: of_the_list(name) for name in hostile.PROGRAMS},
}


@dataclass(frozen=True, slots=True)
class Standing:
    """What this process has, and what there is on the host that only its jails can have made."""

    children: frozenset[int]
    descriptors: frozenset[str]
    threads: int
    groups: frozenset[Path]
    mounts: frozenset[str]
    users: frozenset[int]
    files: frozenset[str]

    @staticmethod
    def now(folder: Path) -> Standing:
        """`folder` is where this process makes temporary files."""
        return Standing(
            children=frozenset(processes.tree(os.getpid())),
            descriptors=frozenset(_descriptors()),
            threads=len(list(Path("/proc/self/task").iterdir())),
            groups=frozenset(groups_of(os.getpid())),
            mounts=frozenset(re.findall(r".*(?:bailey|nsjail).*", Path("/proc/self/mountinfo").read_text())),
            users=frozenset(_processes_of_jails()),
            files=frozenset([*map(str, folder.rglob("*")), *_files_of_jails()]),
        )

    def leaked_since(self, before: Standing) -> dict[str, object]:
        """What there is more than before, by kind."""
        sets = ("children", "descriptors", "groups", "mounts", "users", "files")
        more = {name: sorted(map(str, getattr(self, name) - getattr(before, name))) for name in sets}
        return {**more, "threads": max(0, self.threads - before.threads)}


def _descriptors() -> Iterator[str]:
    for link in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # that of the list itself
            yield f"{link.name} {link.readlink()}"


def _processes_of_jails() -> Iterator[int]:
    """Whoever runs under a user id of a slot, whatever its parent is now; only as root slots have some of their own."""
    for status in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            if first_uid() <= status.stat().st_uid < first_uid() + USERS:
                yield int(status.name)


def first_uid() -> int:
    """Nobody else's: jails of other supervisors run beside these."""
    return 101_000 + USERS * (os.getpid() % 600)


def _files_of_jails() -> Iterator[str]:
    """Of this user; nsjail keeps one folder for each that is not root, where it puts a jail's root together."""
    for place in SHARED_PLACES:
        with contextlib.suppress(OSError):
            for path in Path(place).iterdir():
                kept = path.name == f"nsjail.{os.geteuid()}.root"
                if "nsjail" in path.name and not kept and path.lstat().st_uid == os.geteuid():
                    yield str(path)


def resident_kib() -> int:
    gc.collect()
    found = re.search(r"VmRSS:\s+(\d+)", Path("/proc/self/status").read_text())
    assert found
    return int(found[1])


async def run_all(sandbox: NsjailSandbox, names: Sequence[str], seed: int) -> list[str]:
    """All jobs, `WORKERS` at once. What went wrong, a line for each."""
    waiting, failures = list(enumerate(names)), list[str]()

    async def work() -> None:
        while waiting:
            number, name = waiting.pop()
            try:
                async with asyncio.timeout(SECONDS_FOR_A_JOB):
                    await JOBS[name](sandbox, random.Random(f"{seed} {number}"))
            except (AssertionError, TimeoutError) as error:
                failures.append(f"{name}: {error!r}"[:2000])

    await asyncio.gather(*(work() for _ in range(WORKERS)))
    return failures


async def threads_gone(most: int) -> None:
    """A thread that was joined is among the tasks of its process for a moment longer."""
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(10):
            while len(list(Path("/proc/self/task").iterdir())) > most:
                await asyncio.sleep(0.01)


async def soak(tier: str, count: int, seed: int, folder: Path) -> dict[str, object]:
    """Each kind of job as often as the others, in any order."""
    kinds = [name for _ in range(count // len(JOBS) + 1) for name in JOBS][:count]
    random.Random(seed).shuffle(kinds)
    await asyncio.gather(*(asyncio.to_thread(time.sleep, 0.05) for _ in range(64)))  # all threads there will be
    before, started = Standing.now(folder), time.monotonic()
    spec = SandboxSpec(slots=WORKERS, first_uid=first_uid(), warm={"python": 1, "pytest": 1})
    sandbox = make_sandbox(next(each for each in TIERS if each == tier), spec)
    failures = list[str]()
    asyncio.get_running_loop().set_exception_handler(lambda _, context: failures.append(f"unhandled: {context!r}"))
    await sandbox.check()
    reached = (await sandbox.diagnose()).tier
    failures += await run_all(sandbox, list(JOBS), seed)  # what is made once is made
    resident = resident_kib()
    failures += await run_all(sandbox, kinds, seed + 1)
    grown = resident_kib() - resident
    await sandbox.close()
    await threads_gone(before.threads)
    return {
        "tier": reached,
        "jobs": dict(Counter(re.sub(r" \d+$", "", kind) for kind in kinds)),
        "failures": failures,
        "leaked": Standing.now(folder).leaked_since(before),
        "grown_kib": grown,
        "seconds": round(time.monotonic() - started, 1),
    }


def main() -> int:
    tier, count, seed = sys.argv[1], int(sys.argv[2]), int((sys.argv[3:] or ["1"])[0])
    with tempfile.TemporaryDirectory() as folder:
        tempfile.tempdir = folder
        found = asyncio.run(soak(tier, count, seed, Path(folder)))
    print(json.dumps(found, indent=1))
    leaked = found["leaked"]
    assert isinstance(leaked, dict)
    return 1 if found["failures"] or any(leaked.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
