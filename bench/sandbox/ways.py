"""The ways to run a command that the group compares: the interpreter alone, bubblewrap, nsjail by its command line.

Each is an async function that runs a job to its end. Plain nsjail has our limits and our system call policy, and
control groups of its own where the host has those of version 1; bubblewrap has neither. Packages beside the interpreter
are covered in both, as in our jails; without a jail the interpreter leaves out all that has to do with them (-S).
"""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path

from bench.report import ROOT
from sandbox.catalogue import load, text
from sandbox.launcher import nsjail_binary
from sandbox.protocol import Command

PYTHON = Path(os.path.realpath(sys.executable))
SITE = ROOT / ".sandbox-site"
_CONTROL_GROUPS = [Path("/sys/fs/cgroup", controller, "NSJAIL") for controller in ("memory", "pids")]
_SHOWN = ("/usr", str(PYTHON.parents[1]), str(SITE))
_PACKAGES = [str(path) for path in PYTHON.parents[1].glob("lib/python3*/site-packages")]
_LINKS = ("bin", "lib", "lib64")
_ENVIRONMENT = {
    "PATH": "/usr/bin:/bin",
    "HOME": "/tmp",
    "PYTHONPATH": str(SITE),
    "PYTHONDONTWRITEBYTECODE": "1",
    "PYTHONHASHSEED": "0",
}

Way = Callable[[Command], Awaitable[None]]


async def raw(job: Command) -> None:
    """The interpreter alone, in a fresh folder."""
    with _folder(job) as folder:
        await _ended((str(PYTHON), "-S", *job.argv[1:]), folder)


async def bubblewrap(job: Command) -> None:
    """Own namespaces and a read-only system."""
    shown = [word for path in _SHOWN for word in ("--ro-bind", path, path)]
    links = [word for name in _LINKS for word in ("--symlink", f"usr/{name}", f"/{name}")]
    system = ("--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp", "--chdir", "/job", "--cap-drop", "ALL")
    covered = [word for path in _PACKAGES for word in ("--tmpfs", path)]
    with _folder(job) as folder:
        place = (*covered, "--bind", str(folder), "/job")
        words = ("bwrap", "--unshare-all", "--die-with-parent", "--new-session", *shown, *links, *place, *system)
        await _ended((*words, str(PYTHON), *job.argv[1:]), folder)


async def nsjail(job: Command) -> None:
    """nsjail by its command line."""
    limits = load(job.profile, {}).limits
    shown = [word for path in (*_SHOWN, "/dev/null") for word in ("-R", path)]
    links = [word for name in _LINKS for word in ("-s", f"usr/{name}:/{name}")]
    memory = f"none:/tmp:tmpfs:size={limits.disk_mib << 20},nr_inodes={limits.disk_files}"
    held = (
        *("--rlimit_as", "8192", "--rlimit_fsize", "256", "--rlimit_nofile", str(limits.open_files)),
        *("--rlimit_cpu", str(int(limits.cpu_seconds)), "-t", str(int(limits.wall_seconds))),
    )
    counted = ("--cgroup_mem_max", str(limits.memory_mib << 20), "--cgroup_pids_max", str(limits.processes))
    groups = counted if _CONTROL_GROUPS[0].is_dir() else ()
    told = [word for name, value in _ENVIRONMENT.items() for word in ("-E", f"{name}={value}")]
    user = ("-u", "1000:0:1", "-g", "1000:0:1") if os.geteuid() == 0 else ()
    with _folder(job) as folder:
        words = (str(nsjail_binary()), "-Mo", "-Q", "--experimental_mnt", "new", "--nice_level", "0", "--iface_no_lo")
        covered = [word for path in _PACKAGES for word in ("-m", f"none:{path}:tmpfs:size=4096")]
        place = (*covered, "-B", f"{folder}:/job", "-D", "/job", "-m", memory)
        policy = ("--seccomp_string", text("deny.kafel"))
        command = (*words, *shown, *links, *place, *held, *groups, *told, *policy, *user, "--")
        await _ended((*command, str(PYTHON), *job.argv[1:]), folder)


def peers() -> dict[str, Way]:
    """Those that are here."""
    found: dict[str, Way] = {"raw": raw, "plain nsjail": nsjail}
    return found | ({"bubblewrap": bubblewrap} if shutil.which("bwrap") else {})


@contextmanager
def control_groups_for_nsjail() -> Iterator[None]:
    """The parents of its groups, which must exist."""
    made = []
    for folder in _CONTROL_GROUPS:
        with suppress(OSError):
            folder.mkdir()
            made.append(folder)
    try:
        yield
    finally:
        for folder in made:
            folder.rmdir()


@contextmanager
def _folder(job: Command) -> Iterator[Path]:
    with tempfile.TemporaryDirectory(dir="/dev/shm") as made:
        for name, content in job.files.items():
            Path(made, name).write_bytes(content)
        yield Path(made)


async def _ended(command: Sequence[str], folder: Path) -> None:
    process = await asyncio.create_subprocess_exec(
        *command, cwd=folder, env=_ENVIRONMENT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    said = await process.communicate()
    assert process.returncode == 0, (command, said)
