"""How many threads compute beside others that want cores: with a kernel moved by hand, and with the real one."""

from __future__ import annotations

import os
import threading
from dataclasses import dataclass
from pathlib import Path

import pytest

from inference.llamacpp.threads import (
    LEAST_PATIENCE_SECONDS,
    LEAST_STEPS,
    LONG_STEP_SECONDS,
    MOST_PATIENCE_SECONDS,
    MOST_STEPS,
    TRIAL_STEPS,
    Kernel,
    Room,
    Threads,
    Trial,
    Waits,
    idle_seconds,
    usable_cores,
)

STEP_SECONDS = 0.1


@dataclass
class Machine:
    """A machine of which so many cores are idle, and on which so many of our threads wait for one."""

    waited: float = 0.0
    idle: float = 0.0
    now: float = 1000.0

    def run(self, threads: Room, seconds: float, *, waiting: float = 0.0, idle: float = 0.0) -> list[int]:
        """The numbers of threads while time passes."""
        counts = []
        for _ in range(round(seconds / STEP_SECONDS)):
            self.now += STEP_SECONDS
            self.waited += waiting * STEP_SECONDS
            self.idle += idle * STEP_SECONDS
            before = threads.count
            assert threads.computed(STEP_SECONDS) == (threads.count != before)
            counts.append(threads.count)
        return counts


@pytest.fixture
def machine() -> Machine:
    return Machine()


def room_on(machine: Machine, most: int) -> Room:
    return Room(most, Kernel(lambda: machine.waited, lambda: machine.idle, lambda: machine.now))


def test_all_cores_are_used_while_they_are_free(machine: Machine) -> None:
    assert set(machine.run(room_on(machine, 4), 10.0, waiting=0.1)) == {4}


def test_a_neighbour_gets_a_core_at_once(machine: Machine) -> None:
    threads = room_on(machine, 2)
    assert machine.run(threads, 0.1, waiting=0.5) == [1]
    assert set(machine.run(threads, 60.0, idle=0.0)) == {1}


def test_several_neighbours_get_as_many(machine: Machine) -> None:
    assert machine.run(room_on(machine, 8), 0.2, waiting=2.5) == [5, 2]
    assert machine.run(room_on(machine, 8), 0.1, waiting=20.0) == [1]


def test_the_core_is_taken_back_when_it_has_been_free_for_a_while(machine: Machine) -> None:
    threads = room_on(machine, 2)
    machine.run(threads, 0.1, waiting=0.5)
    assert set(machine.run(threads, 0.5 * LEAST_PATIENCE_SECONDS, idle=1.0)) == {1}
    machine.run(threads, 0.1, idle=0.0)  # the neighbour was only waiting for something
    assert set(machine.run(threads, 0.8 * LEAST_PATIENCE_SECONDS, idle=1.0)) == {1}
    assert machine.run(threads, 0.4 * LEAST_PATIENCE_SECONDS, idle=1.0)[-1] == 2


def test_all_free_cores_are_taken_back_together(machine: Machine) -> None:
    threads = room_on(machine, 16)
    machine.run(threads, 0.1, waiting=20.0)
    assert machine.run(threads, LEAST_PATIENCE_SECONDS + 0.2, idle=15.1)[-1] == 16


def test_a_neighbour_who_comes_and_goes_makes_it_wait_longer(machine: Machine) -> None:
    threads = room_on(machine, 2)
    waits = []
    for _ in range(8):
        machine.run(threads, 0.1, waiting=0.5)
        free = 0
        while threads.count == 1:
            machine.run(threads, STEP_SECONDS, idle=1.0)
            free += 1
        waits.append(free * STEP_SECONDS)
    assert waits == sorted(waits)
    assert waits[-2:] == pytest.approx([MOST_PATIENCE_SECONDS] * 2, abs=2 * STEP_SECONDS)
    machine.run(threads, 3 * MOST_PATIENCE_SECONDS)
    machine.run(threads, 0.1, waiting=0.5)
    assert machine.run(threads, LEAST_PATIENCE_SECONDS + 0.2, idle=1.0)[-1] == 2  # that is long ago


def test_one_core_stays_one(machine: Machine) -> None:
    assert set(machine.run(room_on(machine, 1), 1.0, waiting=1.0)) == {1}


def test_short_steps_are_looked_at_together(machine: Machine) -> None:
    threads = room_on(machine, 2)
    machine.waited += 5.0
    assert not any(threads.computed(0.01) for _ in range(9))
    assert threads.computed(0.02)


def sides(trial: Trial, costs: dict[str, float], steps: int) -> list[str]:
    """What is chosen, each at its cost."""
    chosen: list[str] = []
    for _ in range(steps):
        side = trial.choose()
        trial.learn(side, costs[side])
        chosen.append(side)
    return chosen


@pytest.mark.parametrize(("fast", "slow"), [("one", "many"), ("many", "one")])
def test_the_faster_side_is_found_and_the_other_tried_again_now_and_then(fast: str, slow: str) -> None:
    trial, costs = Trial(), {fast: 1.0, slow: 2.0}
    assert set(sides(trial, costs, 2 * TRIAL_STEPS)) == {fast, slow}
    later = sides(trial, costs, 10 * LEAST_STEPS)
    assert 2 * TRIAL_STEPS <= later.count(slow) <= 4 * TRIAL_STEPS


def test_one_slow_step_does_not_decide() -> None:
    trial, costs = Trial(), {"one": 1.0, "many": 0.5}
    first = trial.choose()
    trial.learn(first, 1000.0)  # the first of all: memory is touched, threads are made
    sides(trial, costs, 2 * TRIAL_STEPS - 1)
    assert set(sides(trial, costs, LEAST_STEPS // 2)) >= {"many"}
    assert sides(trial, costs, LEAST_STEPS).count("one") <= TRIAL_STEPS


def test_what_is_far_slower_is_hardly_ever_tried() -> None:
    trial, costs = Trial(), {"one": 1.0, "many": 1000.0}
    sides(trial, costs, 2 * TRIAL_STEPS + LEAST_STEPS + TRIAL_STEPS)
    assert sides(trial, costs, MOST_STEPS).count("many") == 0
    assert sides(trial, costs, TRIAL_STEPS) == ["many"] * TRIAL_STEPS


def test_long_steps_are_shared_out_without_trials() -> None:
    trial = Trial()
    for _ in range(2 * LEAST_STEPS):
        assert trial.choose() == "many"
        trial.learn("many", 1.0, LONG_STEP_SECONDS)
    trial.learn("many", 1.0, LONG_STEP_SECONDS / 2)
    assert trial.choose() == "one"  # nothing is known of it


def test_a_side_that_has_become_faster_is_noticed() -> None:
    trial = Trial()
    sides(trial, {"one": 1.0, "many": 1.2}, 2 * TRIAL_STEPS)
    assert sides(trial, {"one": 1.0, "many": 0.1}, 4 * LEAST_STEPS)[-1] == "many"


def test_steps_of_another_size_are_another_matter(machine: Machine) -> None:
    threads = Threads(4, Kernel(lambda: machine.waited, lambda: machine.idle, lambda: machine.now))
    used: dict[int, set[int]] = {1: set(), 16: set(), 512: set()}
    for turn in range(3 * TRIAL_STEPS):
        for tokens, found in used.items():
            count = threads.choose(tokens)
            if turn >= 2 * TRIAL_STEPS:
                found.add(count)
            threads.computed(tokens, count, 0.001 * tokens / count if tokens > 4 else 0.001 * count)
    assert used == {1: {1}, 16: {4}, 512: {4}}


def test_without_room_there_is_one_thread(machine: Machine) -> None:
    threads = Threads(2, Kernel(lambda: machine.waited, lambda: machine.idle, lambda: machine.now))
    assert threads.choose(512) == 2
    machine.waited += 5.0
    threads.computed(512, 2, 1.0)
    assert {threads.choose(512) for _ in range(100)} == {1}


def test_the_kernel_counts_threads_that_wait_for_a_core() -> None:
    waits, stop = Waits(others=set), threading.Event()
    core = {min(os.sched_getaffinity(0))}

    def burn() -> None:
        os.sched_setaffinity(0, core)  # of this thread
        while not stop.is_set():
            sum(range(100_000))

    burning = [threading.Thread(target=burn) for _ in range(3)]
    before = waits.seconds()
    for thread in burning:
        thread.start()
    try:
        for _ in range(2000):
            if waits.seconds() - before > 0.05:
                break
            stop.wait(0.01)
        assert waits.seconds() - before > 0.05
    finally:
        stop.set()
        for thread in burning:
            thread.join()
    known = waits.seconds()
    assert waits.seconds() >= known  # what ended threads waited is not lost


def test_the_kernel_counts_idle_cores(tmp_path: Path) -> None:
    assert idle_seconds() > 0
    cores = sorted(os.sched_getaffinity(0))
    (tmp_path / "stat").write_text(
        "cpu  1 1 1 99999 99999 1 1\n"
        + "".join(f"cpu{number} 5 0 5 300 100 0 0\n" for number in cores)
        + f"cpu{max(cores) + 1} 5 0 5 7000 100 0 0\nintr 12 0\n"
    )
    assert idle_seconds(tmp_path / "stat") == 4 * len(cores) * 100 / os.sysconf("SC_CLK_TCK")


@pytest.mark.parametrize(
    ("files", "cores"),
    [
        ({}, 64),
        ({"cpu.max": "max 100000"}, 64),
        ({"cpu.max": "250000 100000"}, 2),
        ({"cpu.max": "50000 100000"}, 1),
        ({"cpu/cpu.cfs_quota_us": "-1", "cpu/cpu.cfs_period_us": "100000"}, 64),
        ({"cpu/cpu.cfs_quota_us": "400000", "cpu/cpu.cfs_period_us": "100000"}, 4),
        ({"cpu.max": "9900000 100000"}, 64),
    ],
)
def test_a_quota_counts_like_fewer_cores(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, files: dict[str, str], cores: int
) -> None:
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(64)))
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text + "\n")
    assert usable_cores(tmp_path) == cores
