"""The process tree below a jail's first process, read from /proc.

Where there are no control groups this is how processor time and memory are measured; elsewhere it finds
the jail's own processes. Values are samples: a process may come and go between two looks.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_PROC = Path("/proc")


@dataclass(frozen=True, slots=True)
class Usage:
    """Processor time of a tree so far, and the memory that is its own."""

    cpu_seconds: float
    memory_mib: float


def children(pid: int) -> list[int]:
    """The direct children of all threads of a process; empty when it is gone."""
    found: list[int] = []
    try:
        for task in (_PROC / str(pid) / "task").iterdir():
            found += [int(child) for child in (task / "children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        pass
    return found


def tree(pid: int) -> list[int]:
    """A process and everything below it."""
    found = [pid]
    for known in found:
        found += children(known)
    return found


def usage(root: int, files_mib: float, memory_limit_mib: int) -> Usage:
    """What the tree uses, together with its files in memory.

    Pages that processes share count once, but that is only looked at near the limit. Shared memory and
    files overlap (a file may be mapped), so the larger of the two counts.
    """
    pids = tree(root)
    cpu = sum(_cpu_seconds(pid) for pid in pids)
    for file, kind in (("status", "Rss"), ("smaps_rollup", "Pss_")):
        texts = [_read(pid, file) for pid in pids]
        memory = _sum_mib(texts, f"{kind}Anon:") + max(files_mib, _sum_mib(texts, f"{kind}Shmem:"))
        if memory <= memory_limit_mib:
            break
    return Usage(cpu, memory)


def usage_alone(pid: int) -> Usage:
    """What one process uses that has no children and shares no memory of its own with others."""
    status = [_read(pid, "status")]
    return Usage(_cpu_seconds(pid), sum(_sum_mib(status, name) for name in ("RssAnon:", "RssShmem:", "VmSwap:")))


def _cpu_seconds(pid: int) -> float:
    """Own time and that of children it has waited for, so that what ended is not forgotten."""
    fields = _read(pid, "stat").rpartition(")")[2].split()
    return sum(int(field) for field in fields[11:15]) / _ticks_per_second() if fields else 0.0


def _sum_mib(texts: list[str], name: str) -> float:
    return sum(int(line.split()[1]) for text in texts for line in text.splitlines() if line.startswith(name)) / 1024


def _read(pid: int, file: str) -> str:
    try:
        return (_PROC / str(pid) / file).read_text()
    except (FileNotFoundError, ProcessLookupError):
        return ""


@cache
def _ticks_per_second() -> int:
    return os.sysconf("SC_CLK_TCK")
