"""How many threads compute: as many as there are cores while these are free, fewer when something else needs them.

The threads of a step wait for each other some hundred times. One that has lost its core to another process holds up
all of them: on two cores, a busy neighbour makes two threads far slower than one alone. The kernel tells how long
threads were kept waiting for a core, and how long cores had nothing to do. And where a step is short, waiting for each
other takes longer than what is shared out: that is found out by trying.
"""

from __future__ import annotations

import math
import os
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

LOOK_SECONDS = 0.1
CROWDED_CORES = 0.25
"""So many threads waiting, on average, are too many; less is what short work of others causes."""
FREE_CORES = 0.8
"""So many idle cores, on average, are one that can be used."""
NEWEST_SHARE = 0.3
"""Weight of the newest step in the running mean."""
LONG_STEP_SECONDS = 0.03
"""From here on, waiting for each other some hundred times hardly counts."""
TRIAL_STEPS = 3
LEAST_STEPS, MOST_STEPS, TRIAL_SHARE = 64, 2048, 0.25
"""Trials of what was slower come after so many steps: the slower it was, the more."""
LEAST_PATIENCE_SECONDS, MOST_PATIENCE_SECONDS = 1.0, 30.0


@dataclass(frozen=True, slots=True)
class Kernel:
    """What the kernel counts, in seconds since some moment: `waited` by our threads for a core, `idle` of our cores."""

    waited: Callable[[], float]
    idle: Callable[[], float]
    now: Callable[[], float] = time.monotonic


class Threads:
    """Chooses the number for each step: one, or as many as there is room for."""

    def __init__(self, most: int, kernel: Kernel | None = None) -> None:
        self._room = Room(most, kernel)
        self._trials: dict[int, Trial] = defaultdict(Trial)

    def choose(self, tokens: int) -> int:
        """For a step of so many tokens."""
        if self._room.count == 1:
            return 1
        return self._room.count if self._trials[tokens.bit_length()].choose() == "many" else 1

    def computed(self, tokens: int, threads: int, seconds: float) -> None:
        """A step of so many tokens took so long."""
        if self._room.count > 1:
            side: Side = "many" if threads > 1 else "one"
            self._trials[tokens.bit_length()].learn(side, seconds / tokens, seconds)
        if self._room.computed(seconds):
            self._trials.clear()


Side = Literal["one", "many"]
SIDES: tuple[Side, Side] = ("many", "one")


class Trial:
    """Which is faster for steps of about one size: one thread or many. The slower is tried again now and then."""

    def __init__(self) -> None:
        self._costs: dict[Side, float] = {}
        self._tried: Side | None = None
        self._found: list[float] = []
        self._until_next = LEAST_STEPS
        self._shared_seconds = 0.0

    def choose(self) -> Side:
        """The faster; or the other if it is unknown, or its turn. Long steps are shared out without trials."""
        if self._shared_seconds >= LONG_STEP_SECONDS:
            return "many"
        if self._tried is None:
            self._tried = next((side for side in SIDES if side not in self._costs), None)
        if self._tried is not None:
            return self._tried
        faster, slower = sorted(SIDES, key=lambda side: self._costs[side])
        self._until_next -= 1
        if self._until_next < 0:
            lost = self._costs[slower] / self._costs[faster] - 1
            self._until_next = int(min(MOST_STEPS, LEAST_STEPS * (1 + lost / TRIAL_SHARE)))
            self._tried = slower
        return self._tried or faster

    def learn(self, side: Side, cost: float, seconds: float = 0.0) -> None:
        """A step on that side took so long, and cost so much per token. Of a trial the middle step counts."""
        if side == "many":
            self._shared_seconds = seconds
        if side != self._tried:
            self._costs[side] += NEWEST_SHARE * (cost - self._costs[side])
            return
        self._found.append(cost)
        if len(self._found) == TRIAL_STEPS:
            self._costs[side] = sorted(self._found)[TRIAL_STEPS // 2]
            self._tried, self._found = None, []


class Room:
    """How many threads, from 1 to `most`, find a core; call `computed` after each step."""

    def __init__(self, most: int, kernel: Kernel | None = None) -> None:
        self.count = most
        self._most = most
        self._kernel = kernel or Kernel(Waits().seconds, idle_seconds)
        self._patience = LEAST_PATIENCE_SECONDS
        self._looked = self._free_since = self._kernel.now()
        self._changed = -math.inf
        self._waited, self._idle = self._kernel.waited(), self._kernel.idle()
        self._computed = 0.0

    def computed(self, seconds: float) -> bool:
        """A step took so long; whether `count` is another one now."""
        self._computed += seconds
        if self._most == 1 or self._computed < LOOK_SECONDS:
            return False
        before = self.count
        self._look()
        return self.count != before

    def _look(self) -> None:
        now, waited, idle = self._kernel.now(), self._kernel.waited(), self._kernel.idle()
        waiting = (waited - self._waited) / self._computed
        free = (idle - self._idle) / max(now - self._looked, LOOK_SECONDS)
        self._looked, self._waited, self._idle, self._computed = now, waited, idle, 0.0
        if free < FREE_CORES:
            self._free_since = now
        if waiting > CROWDED_CORES and self.count > 1:
            self._change(max(1, self.count - math.ceil(waiting)), now)
        elif self.count < self._most and now - self._free_since >= self._patience:
            self._change(min(self._most, self.count + max(1, int(free))), now)

    def _change(self, count: int, now: float) -> None:
        """Whoever had to give a core back soon after it was taken waits longer the next time."""
        if count < self.count:
            soon = now - self._changed < 2 * self._patience
            longer = min(2 * self._patience, MOST_PATIENCE_SECONDS)
            self._patience = longer if soon else LEAST_PATIENCE_SECONDS
        self.count, self._changed, self._free_since = count, now, now


def other_python_threads() -> set[str]:
    """The ids of the threads that compute nothing: of Python's only the calling one does."""
    ids = {str(thread.native_id) for thread in threading.enumerate()}
    return ids - {str(threading.get_native_id())}


class Waits:
    """How long this process's threads, without some others, have waited for a core; ended ones are not forgotten."""

    def __init__(self, others: Callable[[], set[str]] = other_python_threads) -> None:
        self._tasks = Path("/proc/self/task")
        self._others = others
        self._last: dict[str, float] = {}
        self._total = 0.0

    def seconds(self) -> float:
        """The sum since the threads began; 0 where the kernel does not count."""
        tasks = {entry.name for entry in self._tasks.iterdir()} - self._others()
        found = {task: wait for task in tasks if (wait := _waited(self._tasks / task)) is not None}
        self._total += sum(wait - self._last.get(task, 0.0) for task, wait in found.items())
        self._last = found
        return self._total


def idle_seconds(stat: Path = Path("/proc/stat")) -> float:
    """How long the cores that this process may use had nothing to do, taken together."""
    cores = {f"cpu{number}" for number in os.sched_getaffinity(0)}
    rows = [line.split() for line in stat.read_text().splitlines()]
    ticks = sum(int(row[4]) + int(row[5]) for row in rows if row[0] in cores)
    return ticks / os.sysconf("SC_CLK_TCK")


def usable_cores(group: Path = Path("/sys/fs/cgroup")) -> int:
    """The cores that this process may use: those it may run on, or fewer where a container's quota allows less."""
    cores = len(os.sched_getaffinity(0))
    for period, quota in (
        (("cpu.max", 1), ("cpu.max", 0)),
        (("cpu/cpu.cfs_period_us", 0), ("cpu/cpu.cfs_quota_us", 0)),
    ):
        allowed, each = _number(group, *quota), _number(group, *period)
        if allowed and each and allowed > 0:
            return max(1, min(cores, int(allowed / each)))
    return cores


def _waited(task: Path) -> float | None:
    try:
        return int((task / "schedstat").read_text().split()[1]) / 1e9
    except (OSError, IndexError):  # it has ended, or nothing is counted
        return None


def _number(group: Path, name: str, position: int) -> int | None:
    try:
        return int((group / name).read_text().split()[position])
    except (OSError, ValueError, IndexError):  # no such file, or "max"
        return None
