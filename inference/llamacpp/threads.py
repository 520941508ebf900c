"""How many threads compute: as many as there are cores while these are free, fewer when something else needs them.

The threads of a step wait for each other some hundred times. One that has lost its core to another process holds up
all of them: on two cores, a busy neighbour makes two threads far slower than one alone. The kernel tells how much of
the cores is left to us. Where that does not decide it (a gateway that needs a third of a core costs less than half of
the threads would; and where a step is short, waiting for each other takes longer than what is shared out), it is
found out by trying.
"""

from __future__ import annotations

import math
import os
import time
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

LOOK_SECONDS = 0.1
LEAST_OF_A_CORE = 0.15
"""Who gets less of a core cannot use it."""
ENOUGH_OF_A_CORE = 0.3
"""So much of a core, for a while, is worth a try."""
CONTESTED_CORES = 0.25
"""So much taken by others can make many threads slower than one."""
NEWEST_SHARE = 0.3
"""Weight of the newest step in the running mean."""
LONG_STEP_SECONDS = 0.03
"""From here on, waiting for each other some hundred times hardly counts."""
TRIAL_STEPS = 3
LEAST_STEPS, MOST_STEPS, TRIAL_SHARE = 64, 512, 0.25
"""Trials of what was slower come after so many steps: the slower it was, the more."""
LEAST_PATIENCE_SECONDS, MOST_PATIENCE_SECONDS = 1.0, 30.0


class Threads:
    """Chooses the number for each step: one, or as many as there is room for."""

    def __init__(self, most: int, kernel: Kernel | None = None) -> None:
        self._room = Room(most, kernel)
        self._trials: dict[int, Trial] = defaultdict(Trial)

    def choose(self, tokens: int) -> int:
        """For a step of so many tokens."""
        if self._room.count == 1:
            return 1
        side = self._trials[tokens.bit_length()].choose(contested=self._room.contested)
        return self._room.count if side == "many" else 1

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

    def choose(self, *, contested: bool) -> Side:
        """The faster; or the other if it is unknown, or its turn. Where it is sure, long steps are shared out."""
        if self._shared_seconds >= LONG_STEP_SECONDS and not contested:
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
        if side == self._tried or side not in self._costs:
            self._found.append(cost)
            if len(self._found) == TRIAL_STEPS:
                self._costs[side] = sorted(self._found)[TRIAL_STEPS // 2]
                self._tried, self._found = None, []
        else:
            self._costs[side] += NEWEST_SHARE * (cost - self._costs[side])


@dataclass(frozen=True, slots=True)
class Kernel:
    """What the kernel counts, in seconds since some moment: processor time `used` by us, `idle` time of our cores."""

    used: Callable[[], float]
    idle: Callable[[], float]
    now: Callable[[], float] = time.monotonic


class Room:
    """How many threads, from 1 to `most`, find a core; call `computed` after each step.

    Available to us is what we use, and what nobody does. What others did while we had nothing to compute is past.
    """

    def __init__(self, most: int, kernel: Kernel | None = None) -> None:
        self.count = most
        self.contested = False
        self._most = most
        self._kernel = kernel or Kernel(time.process_time, idle_seconds)
        self._patience = LEAST_PATIENCE_SECONDS
        self._available = float(most)
        self._looked = self._enough_since = self._kernel.now()
        self._raised = -math.inf
        self._counted = self._kernel.used() + self._kernel.idle()
        self._computed = 0.0

    def computed(self, seconds: float) -> bool:
        """A step took so long; whether `count` is another one now."""
        self._computed += seconds
        now, before = self._kernel.now(), self.count
        passed = now - self._looked
        if self._most == 1 or passed < LOOK_SECONDS:
            return False
        counted = self._kernel.used() + self._kernel.idle()
        if self._computed > passed / 2:
            found = min((counted - self._counted) / passed, self._most)
            weight = passed / (passed + LOOK_SECONDS)  # the kernel counts in hundredths of a second
            self._available += weight * (found - self._available)
            self._adapt(now)
            self.contested = self._available < self.count - CONTESTED_CORES
        self._looked, self._counted, self._computed = now, counted, 0.0
        return self.count != before

    def _adapt(self, now: float) -> None:
        most = max(1, min(self._most, math.floor(self._available + 1 - LEAST_OF_A_CORE)))
        enough = min(self._most, math.floor(self._available + 1 - ENOUGH_OF_A_CORE))
        if enough <= self.count:
            self._enough_since = now
        if most < self.count:
            self._change(most, now)
        elif now - self._enough_since >= self._patience:
            self._change(enough, now)

    def _change(self, count: int, now: float) -> None:
        """Whoever had to give a core back soon after it was taken waits longer the next time."""
        if count < self.count:
            soon = now - self._raised < 2 * self._patience
            longer = min(2 * self._patience, MOST_PATIENCE_SECONDS)
            self._patience = longer if soon else LEAST_PATIENCE_SECONDS
            self._raised = -math.inf
        else:
            self._raised = now
        self.count, self._enough_since = count, now


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


def _number(group: Path, name: str, position: int) -> int | None:
    try:
        return int((group / name).read_text().split()[position])
    except (OSError, ValueError, IndexError):  # no such file, or "max"
        return None
