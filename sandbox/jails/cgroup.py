"""One control group per run: limits for the whole process tree, exact counters, and a sure kill.

Speaks version 1 and delegated version 2, always below the group this process is in, so that limits
from outside stay in force. Groups of supervisors that died are swept. Called by `prove.py` and `run.py`.
"""

from __future__ import annotations

import contextlib
import errno
import os
import re
import secrets
import signal
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from sandbox.priority import weight
from sandbox.protocol import Limits

_MIB = 1 << 20
_V1_CONTROLLERS = ("memory", "pids", "cpuacct")
_V2_CONTROLLERS = {"memory", "pids"}
_OPTIONAL = "cpu"  # without it nice values do what they can; see priority.py
_NAME = re.compile(r"bailey-(?P<namespace>\d+)-(?P<pid>\d+)-(?P<start>\d+)-[0-9a-f]+\Z")
_LEAF = "bailey-supervisor"
_PATIENCE_SECONDS = 5.0
_PAUSE_SECONDS = 0.005


class Group(Protocol):
    """The control group of one run. All methods are quick but touch the kernel; call them off the event loop."""

    def join(self, pid: int) -> None:
        """Move a process, and with it what it will start, into the group."""

    def cpu_seconds(self) -> float:
        """Processor time of everything that ever ran in the group."""

    def memory_peak_mib(self) -> float | None:
        """The most memory that was in use at one time; None where the kernel does not count it."""

    def processes_peak(self) -> int | None:
        """The most processes and threads at one time; None where the kernel does not count them."""

    def oom_kills(self) -> int:
        """Processes that the kernel killed because the group's memory was full."""

    def remove(self) -> None:
        """Kill what is left and delete the group."""


@dataclass(frozen=True, slots=True)
class Hierarchy:
    """Where groups can be made: version and one parent folder for each controller (one for all in version 2).

    Controllers that are mounted together have the same folder. `weighs`: groups have a processor weight.
    """

    version: int
    parents: Mapping[str, Path]
    weighs: bool

    def create(self, limits: Limits, own_processes: int) -> Group:
        """Make a group whose name tells which process made it, with its limits in place."""
        pid = os.getpid()
        name = f"bailey-{_pid_namespace()}-{pid}-{_start_time(pid)}-{secrets.token_hex(4)}"
        folders = {controller: parent / name for controller, parent in self.parents.items()}
        group: _GroupV1 | _GroupV2 = _GroupV1(folders) if self.version == 1 else _GroupV2(folders["all"])
        with contextlib.ExitStack() as unless_ready:
            unless_ready.callback(group.remove)
            for folder in set(folders.values()):
                folder.mkdir()
            group.limit(limits.memory_mib * _MIB, limits.processes + own_processes)
            if self.weighs:
                group.weigh(weight())
            unless_ready.pop_all()
        return group

    def sweep(self) -> None:
        """Kill and delete the groups of supervisors of this process namespace that are dead."""
        for parent in set(self.parents.values()):
            for folder in parent.iterdir():
                if _is_stale(folder.name):
                    _clear(folder)


def find(root: Path) -> Hierarchy | None:
    """The hierarchy below a cgroup mount point that this process may use, or None."""
    own = dict(_own_groups())
    unified = root / "cgroup.controllers"
    if unified.is_file():
        parent = _v2_parent(root, root / own.get("", "/").lstrip("/"))
        return Hierarchy(2, {"all": parent}, _enable_weights(parent)) if parent is not None else None
    parents = {  # `cpu` and `cpuacct` may be links to one mount
        controller: _v1_parent((root / controller).resolve(), own.get(controller, "/"))
        for controller in (*_V1_CONTROLLERS, _OPTIONAL)
    }
    usable = {controller: parent for controller, parent in parents.items() if parent is not None}
    return Hierarchy(1, usable, _OPTIONAL in usable) if usable.keys() >= set(_V1_CONTROLLERS) else None


def _own_groups() -> Iterator[tuple[str, str]]:
    for line in Path("/proc/self/cgroup").read_text().splitlines():
        _, controllers, path = line.split(":", 2)
        for controller in controllers.split(","):
            yield controller, path


def _v1_parent(mount: Path, own: str) -> Path | None:
    for parent in (mount / own.lstrip("/"), mount):
        if (parent / "cgroup.procs").is_file():
            return parent if _can_make_groups(parent) else None
    return None


def _v2_parent(root: Path, own: Path) -> Path | None:
    """The own group when nobody else is in it (this process then moves to a leaf), else the group above it."""
    if own.name == _LEAF:
        own = own.parent
    if not (own / "cgroup.procs").is_file():
        own = root
    for parent in (own, own.parent) if own != root else (own,):
        available = set((parent / "cgroup.controllers").read_text().split())
        if available >= _V2_CONTROLLERS and _can_make_groups(parent) and _enable(parent):
            return parent
    return None


def _enable(parent: Path) -> bool:
    control = parent / "cgroup.subtree_control"
    if set(control.read_text().split()) >= _V2_CONTROLLERS:
        return True
    with contextlib.suppress(OSError):
        if _read_pids(parent) == [os.getpid()]:
            leaf = parent / _LEAF
            leaf.mkdir(exist_ok=True)
            (leaf / "cgroup.procs").write_text(str(os.getpid()))
        control.write_text("+memory +pids")
        return True
    return False


def _enable_weights(parent: Path) -> bool:
    control = parent / "cgroup.subtree_control"
    if _OPTIONAL not in control.read_text().split():
        with contextlib.suppress(OSError):  # not delegated, or real-time processes are in the way
            control.write_text(f"+{_OPTIONAL}")
    return _OPTIONAL in control.read_text().split()


def _can_make_groups(parent: Path) -> bool:
    probe = parent / f"bailey-probe-{os.getpid()}"
    try:
        probe.mkdir()
        probe.rmdir()
    except OSError:
        return False
    return True


class _GroupV1:
    def __init__(self, folders: Mapping[str, Path]) -> None:
        self._folders = folders

    def limit(self, memory_bytes: int, processes: int) -> None:
        memory = self._folders["memory"]
        (memory / "memory.limit_in_bytes").write_text(str(memory_bytes))
        with contextlib.suppress(FileNotFoundError):  # without swap accounting there is no such file
            (memory / "memory.memsw.limit_in_bytes").write_text(str(memory_bytes))
        (self._folders["pids"] / "pids.max").write_text(str(processes))

    def weigh(self, part: float) -> None:
        (self._folders["cpu"] / "cpu.shares").write_text(str(max(2, round(1024 * part))))

    def join(self, pid: int) -> None:
        for folder in set(self._folders.values()):
            (folder / "cgroup.procs").write_text(str(pid))

    def cpu_seconds(self) -> float:
        return int((self._folders["cpuacct"] / "cpuacct.usage").read_text()) / 1e9

    def memory_peak_mib(self) -> float | None:
        return int((self._folders["memory"] / "memory.max_usage_in_bytes").read_text()) / _MIB

    def processes_peak(self) -> int | None:
        return _number(self._folders["pids"] / "pids.peak")

    def oom_kills(self) -> int:
        return _keyed(self._folders["memory"] / "memory.oom_control").get("oom_kill", 0)

    def remove(self) -> None:
        for folder in set(self._folders.values()):
            _clear(folder)


class _GroupV2:
    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def limit(self, memory_bytes: int, processes: int) -> None:
        (self._folder / "memory.max").write_text(str(memory_bytes))
        with contextlib.suppress(FileNotFoundError):  # a kernel without swap
            (self._folder / "memory.swap.max").write_text("0")
        (self._folder / "pids.max").write_text(str(processes))

    def weigh(self, part: float) -> None:
        (self._folder / "cpu.weight").write_text(str(max(1, round(100 * part))))

    def join(self, pid: int) -> None:
        (self._folder / "cgroup.procs").write_text(str(pid))

    def cpu_seconds(self) -> float:
        return _keyed(self._folder / "cpu.stat")["usage_usec"] / 1e6

    def memory_peak_mib(self) -> float | None:
        peak = _number(self._folder / "memory.peak")
        return peak / _MIB if peak is not None else None

    def processes_peak(self) -> int | None:
        return _number(self._folder / "pids.peak")

    def oom_kills(self) -> int:
        return _keyed(self._folder / "memory.events").get("oom_kill", 0)

    def remove(self) -> None:
        _clear(self._folder)


def _keyed(file: Path) -> dict[str, int]:
    pairs = (line.split() for line in file.read_text().splitlines())
    return {pair[0]: int(pair[1]) for pair in pairs if len(pair) == 2}


def _number(file: Path) -> int | None:
    """What a counter says that younger kernels have; None on an older one."""
    try:
        return int(file.read_text())
    except FileNotFoundError:
        return None


def _read_pids(folder: Path) -> list[int]:
    return [int(line) for line in (folder / "cgroup.procs").read_text().split()]


def _clear(folder: Path) -> None:
    """Kill until the group is empty and can be deleted; a dying process keeps it busy for a moment."""
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while folder.exists():
        try:
            for pid in _read_pids(folder):
                with contextlib.suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
            folder.rmdir()
        except FileNotFoundError:
            return
        except OSError as error:
            if error.errno == errno.ENODEV:  # another process has deleted it between open and read
                return
            if error.errno != errno.EBUSY or time.monotonic() > deadline:
                raise
            time.sleep(_PAUSE_SECONDS)


def _is_stale(name: str) -> bool:
    match = _NAME.match(name)
    if match is None or int(match["namespace"]) != _pid_namespace():
        return False
    try:
        return _start_time(int(match["pid"])) != int(match["start"])
    except (FileNotFoundError, ProcessLookupError):
        return True


def _pid_namespace() -> int:
    return Path("/proc/self/ns/pid").stat().st_ino


def _start_time(pid: int) -> int:
    """When a process began, in clock ticks since boot: tells a process from a later one with the same number."""
    fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return int(fields[19])
