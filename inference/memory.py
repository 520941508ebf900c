"""What memory an engine takes, in words, and what memory there is: of this machine and of our control group.

Linux only, from /proc and /sys. Called when a model is loaded and when metrics are read.
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Protocol, runtime_checkable

MIB = 2**20
RESIDENT = "resident"
"""The part that is not one of the others but what the kernel says of all of them: pages in memory now."""


@runtime_checkable
class KnowsMemory(Protocol):
    """An engine that knows at any time what memory it takes."""

    def memory_mib(self) -> Mapping[str, float]:
        """In MiB by part, without waiting for anything: what was allocated, and what is resident now."""
        ...


def allocated_mib(parts: Mapping[str, float]) -> float:
    """All that was allocated, in MiB."""
    return sum(mib for part, mib in parts.items() if part != RESIDENT)


def in_words(parts: Mapping[str, float]) -> str:
    """The parts in one phrase, such as "weights 5.4 MiB, context 24.0 MiB"."""
    return ", ".join(f"{part.replace('_', ' ')} {mib:,.1f} MiB" for part, mib in parts.items())


def resident_mib(pid: int) -> float | None:
    """What a process has in memory, mapped files included, in MiB; None if it is gone."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE") / MIB


def available_mib(root: Path = Path("/")) -> float:
    """What this process may still take, in MiB; infinite where nobody says. `root` is where /proc and /sys are.

    A file that a process has mapped counts as taken, although the kernel could drop it: most likely it is the
    weights of another model, and they are read for every token.
    """
    return min([math.inf, *_of_machine(root / "proc/meminfo"), *_of_groups(root)]) / MIB


def _of_machine(meminfo: Path) -> Iterator[float]:
    """Bytes, of the whole machine."""
    with suppress(OSError, KeyError):
        kib = _table(meminfo)
        yield 1024 * (kib["MemAvailable"] - max(0, kib["Mapped"] - kib["Shmem"]))


def _of_groups(root: Path) -> Iterator[float]:
    """Bytes, of each control group we are in, version 1 or 2, and those around it."""
    try:
        lines = (root / "proc/self/cgroup").read_text().splitlines()
    except OSError:
        return
    tree = root / "sys/fs/cgroup"
    for line in lines:
        _, controllers, name = line.split(":", 2)
        path = Path(name.lstrip("/"))
        for below in (path, *path.parents):
            if not controllers:
                yield from _left(tree / below, "memory.max", "memory.current", "")
            elif "memory" in controllers.split(","):
                group = tree / "memory" / below
                yield from _left(group, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_")


def _left(group: Path, limit: str, usage: str, prefix: str) -> Iterator[float]:
    """What a group has left; its cache, which the kernel would drop, does not count as used."""
    with suppress(OSError, KeyError, ValueError):  # no such group from where we look, or "max": no limit
        most, used, counts = (
            int((group / limit).read_text()),
            int((group / usage).read_text()),
            _table(group / "memory.stat"),
        )
        mapped = counts[prefix + ("mapped_file" if prefix else "file_mapped")] - counts[prefix + "shmem"]
        cache = counts[prefix + "inactive_file"] + counts[prefix + "active_file"]
        yield most - used + max(0, cache - max(0, mapped))


def _table(path: Path) -> dict[str, int]:
    """The lines of a file that are a name and a number."""
    rows = (line.replace(":", " ").split() for line in path.read_text().splitlines())
    return {row[0]: int(row[1]) for row in rows if len(row) > 1 and row[1].isdigit()}
