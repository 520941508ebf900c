"""How many threads compute beside others that want cores: with a kernel moved by hand, and with the real one."""

from __future__ import annotations

import os
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
    idle_seconds,
    usable_cores,
)

STEP_SECONDS = 0.1


@dataclass
class Machine:
    """A machine on which so many cores are ours: we use them, or nobody does."""

    ours: float = 0.0
    now: float = 1000.0

    def kernel(self) -> Kernel:
        return Kernel(lambda: self.ours, lambda: 7.0, lambda: self.now)

    def run(self, room: Room, seconds: float, cores: float) -> list[int]:
        """The numbers of threads while time passes."""
        counts = []
        for _ in range(round(seconds / STEP_SECONDS)):
            self.now += STEP_SECONDS
            self.ours += cores * STEP_SECONDS
            before = room.count
            assert room.computed(STEP_SECONDS) == (room.count != before)
            counts.append(room.count)
        return counts


@pytest.fixture
def machine() -> Machine:
    return Machine()


def test_all_cores_are_used_while_they_are_free(machine: Machine) -> None:
    assert set(machine.run(Room(4, machine.kernel()), 10.0, 3.5)) == {4}


def test_a_neighbour_gets_a_core_soon(machine: Machine) -> None:
    room = Room(2, machine.kernel())
    assert machine.run(room, 0.5, 1.0)[-2:] == [1, 1]
    assert set(machine.run(room, 60.0, 1.05)) == {1}


def test_who_takes_a_part_of_a_core_makes_it_contested(machine: Machine) -> None:
    room = Room(2, machine.kernel())
    machine.run(room, 1.0, 2.0)
    assert not room.contested
    assert set(machine.run(room, 1.0, 1.5)) == {2}
    assert room.contested
    machine.run(room, 1.0, 1.9)
    assert not room.contested


def test_several_neighbours_get_as_many(machine: Machine) -> None:
    assert machine.run(Room(8, machine.kernel()), 1.0, 2.05)[-1] == 2
    assert machine.run(Room(8, machine.kernel()), 1.0, 0.0)[-1] == 1


def test_the_core_is_taken_back_when_it_has_been_free_for_a_while(machine: Machine) -> None:
    room = Room(2, machine.kernel())
    machine.run(room, 0.5, 1.0)
    assert set(machine.run(room, 0.5 * LEAST_PATIENCE_SECONDS, 2.0)) == {1}
    machine.run(room, 0.4, 1.0)  # the neighbour was only waiting for something
    assert set(machine.run(room, 0.8 * LEAST_PATIENCE_SECONDS, 2.0)) == {1}
    assert machine.run(room, 0.6 * LEAST_PATIENCE_SECONDS, 2.0)[-1] == 2


def test_all_free_cores_are_taken_back_together(machine: Machine) -> None:
    room = Room(16, machine.kernel())
    machine.run(room, 1.0, 0.5)
    assert machine.run(room, LEAST_PATIENCE_SECONDS + 1.0, 16.0)[-1] == 16


def test_a_neighbour_who_comes_and_goes_makes_it_wait_longer(machine: Machine) -> None:
    room = Room(2, machine.kernel())
    waits = []
    for _ in range(8):
        machine.run(room, 1.0, 1.0)
        free = 0
        while room.count == 1:
            machine.run(room, STEP_SECONDS, 2.0)
            free += 1
        waits.append(free * STEP_SECONDS)
    assert waits == sorted(waits)
    assert waits[-2:] == pytest.approx([MOST_PATIENCE_SECONDS] * 2, abs=5 * STEP_SECONDS)
    machine.run(room, 3 * MOST_PATIENCE_SECONDS, 2.0)
    machine.run(room, 1.0, 1.0)
    assert machine.run(room, LEAST_PATIENCE_SECONDS + 0.8, 2.0)[-1] == 2  # that is long ago


def test_one_core_stays_one(machine: Machine) -> None:
    assert set(machine.run(Room(1, machine.kernel()), 1.0, 1.0)) == {1}


def test_short_steps_are_looked_at_together(machine: Machine) -> None:
    room = Room(2, machine.kernel())
    for _ in range(9):
        machine.now += 0.01
        assert not room.computed(0.01)
    machine.now += 0.02
    assert room.computed(0.02)  # nothing was ours in all that time


def test_what_others_did_while_there_was_nothing_to_compute_is_past(machine: Machine) -> None:
    room = Room(2, machine.kernel())
    for _ in range(20):
        machine.now += 10.0
        assert not room.computed(0.01)
    assert room.count == 2
    assert not room.contested


def sides(trial: Trial, costs: dict[str, float], steps: int, *, contested: bool = True) -> list[str]:
    """What is chosen, each at its cost."""
    chosen: list[str] = []
    for _ in range(steps):
        side = trial.choose(contested=contested)
        trial.learn(side, costs[side], costs[side])
        chosen.append(side)
    return chosen


SHORT, LONG = LONG_STEP_SECONDS / 100, LONG_STEP_SECONDS * 10


@pytest.mark.parametrize(("fast", "slow"), [("one", "many"), ("many", "one")])
@pytest.mark.parametrize(("unit", "contested"), [(SHORT, False), (SHORT, True), (LONG, True)])
def test_the_faster_side_is_found_and_the_other_tried_again_now_and_then(
    fast: str, slow: str, unit: float, contested: bool
) -> None:
    trial, costs = Trial(), {fast: unit, slow: 2 * unit}
    assert set(sides(trial, costs, 2 * TRIAL_STEPS, contested=contested)) == {fast, slow}
    later = sides(trial, costs, 10 * LEAST_STEPS, contested=contested)
    assert 2 * TRIAL_STEPS <= later.count(slow) <= 4 * TRIAL_STEPS


def test_one_slow_step_does_not_decide() -> None:
    trial, costs = Trial(), {"one": 2 * SHORT, "many": SHORT}
    first = trial.choose(contested=False)
    trial.learn(first, 1000.0)  # the first of all: memory is touched, threads are made
    sides(trial, costs, 2 * TRIAL_STEPS - 1)
    assert sides(trial, costs, LEAST_STEPS // 2).count("many") > LEAST_STEPS // 3


def test_what_becomes_slower_is_left_after_a_few_steps() -> None:
    trial = Trial()
    sides(trial, {"one": 2 * SHORT, "many": SHORT}, 3 * TRIAL_STEPS)
    assert sides(trial, {"one": 2 * SHORT, "many": 4 * SHORT}, 4)[-1] == "one"
    assert sides(trial, {"one": 2 * SHORT, "many": 1000.0}, 2 * MOST_STEPS).count("many") <= 3 * TRIAL_STEPS


def test_what_is_far_slower_is_hardly_ever_tried() -> None:
    trial, costs = Trial(), {"one": SHORT, "many": 1000 * SHORT}
    sides(trial, costs, 2 * TRIAL_STEPS + LEAST_STEPS + TRIAL_STEPS)
    assert sides(trial, costs, MOST_STEPS).count("many") == 0
    assert sides(trial, costs, TRIAL_STEPS) == ["many"] * TRIAL_STEPS


def test_long_steps_are_shared_out_without_trials_while_nobody_else_wants_the_cores() -> None:
    trial, costs = Trial(), {"one": LONG, "many": LONG}
    assert set(sides(trial, costs, 2 * LEAST_STEPS, contested=False)) == {"many"}
    assert sides(trial, costs, TRIAL_STEPS) == ["one"] * TRIAL_STEPS  # nothing is known of it
    assert set(sides(trial, costs, 2 * LEAST_STEPS, contested=False)) == {"many"}


def test_a_side_that_has_become_faster_is_noticed() -> None:
    trial = Trial()
    sides(trial, {"one": SHORT, "many": 1.2 * SHORT}, 2 * TRIAL_STEPS)
    assert sides(trial, {"one": SHORT, "many": 0.1 * SHORT}, 4 * LEAST_STEPS)[-1] == "many"


def test_steps_of_another_size_are_another_matter(machine: Machine) -> None:
    threads = Threads(4, machine.kernel())
    used: dict[int, set[int]] = {1: set(), 16: set(), 512: set()}
    for turn in range(3 * TRIAL_STEPS):
        for tokens, found in used.items():
            count = threads.choose(tokens)
            if turn >= 2 * TRIAL_STEPS:
                found.add(count)
            threads.computed(tokens, count, 1e-5 * tokens / count if tokens > 4 else 1e-5 * count)
    assert used == {1: {1}, 16: {4}, 512: {4}}


def test_without_room_there_is_one_thread(machine: Machine) -> None:
    threads = Threads(2, machine.kernel())
    assert threads.choose(512) == 2
    for _ in range(5):
        machine.now += 1.0
        machine.ours += 1.0
        threads.computed(512, threads.choose(512), 1.0)
    assert {threads.choose(512) for _ in range(100)} == {1}


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
