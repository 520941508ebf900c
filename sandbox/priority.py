"""How far jobs give way: at most about a third of a processor that something else could use whole.

A control group with the `cpu` controller holds that for a whole job, whatever it does. Elsewhere nice values
do: where the kernel groups processes by session (autogroup), those of a process count only inside its
session, so the sessions get one too. No privilege is needed. Called by `cgroup.py` and `run.py`.
"""

from __future__ import annotations

import contextlib
import math
import os
from collections.abc import Iterable
from pathlib import Path

# Less, and on a busy machine tests would run into their time limits. This much an engine notices: it then computes
# with a thread less, so that a job soon has what that leaves.
_PART = 0.4
_NICE_STEP = 1.25  # each nice value has that times the weight of the next
_LEAST_URGENT = 19


def weight() -> float:
    """A job's weight; that of any other group or session is 1.

    The kernel spreads a group's weight over the processors it uses. An engine with a thread on each has on
    each only its part of 1, where a job of a single thread has its whole weight; hence the division.
    """
    return _PART / len(os.sched_getaffinity(0))


def give_way(pids: Iterable[int]) -> None:
    """Lower the sessions that these processes are in to `weight`; to be repeated, for a process may start new ones.

    Where the kernel has no sessions of that kind, nothing happens. It lets ordinary users change one session
    in a tenth of a second, and nobody else's nor those of processes that hide: the process's own nice value remains.
    """
    own, _ = _session(Path("/proc/self/autogroup"))
    nice = min(_LEAST_URGENT, math.ceil(math.log(1 / weight(), _NICE_STEP)))
    for pid in pids:
        file = Path(f"/proc/{pid}/autogroup")
        name, current = _session(file)
        if name and name != own and current < nice:
            with contextlib.suppress(OSError):
                file.write_text(str(nice))


def _session(file: Path) -> tuple[str, int]:
    """Name and nice value of a process's session; no name where it has none."""
    try:
        words = file.read_text().split()  # "/autogroup-52067 nice 0"
    except OSError:
        return "", 0
    return (words[0], int(words[2])) if words else ("", 0)
