"""Who gets a slot first and who loses one, without a model."""

from __future__ import annotations

from inference.llamacpp.scheduler import Scheduler
from inference.llamacpp.sequence import Generation, Sequence
from inference.protocol import ChatRequest, Priority, Sampling

FEW, MANY = 4, 100


def one(scheduler: Scheduler, priority: Priority, prompt: list[int]) -> Sequence:
    """Queue a request with one choice."""
    request = ChatRequest("m", prompt="p", sampling=Sampling(), priority=priority)
    generation = Generation(request, prompt, max_tokens=50, grammar=None)
    scheduler.add(generation)
    return generation.sequences[0]


def alone(number: int, length: int = FEW) -> list[int]:
    """A prompt that has nothing in common with others."""
    return [1000 * number + position for position in range(length)]


def compute(scheduler: Scheduler) -> list[Sequence]:
    """One step as the worker does it; the sequences that took part."""
    for placed in scheduler.admit():
        placed.sequence.computed = placed.reused
    steps = scheduler.schedule()
    for step in steps:
        step.sequence.computed += step.count
        if step.output:
            step.sequence.append(65, b"A")
    return [step.sequence for step in steps]


def live(scheduler: Scheduler) -> set[Sequence]:
    """Compute a step; who has a slot then."""
    compute(scheduler)
    return {*scheduler.running}


async def test_interactive_goes_before_batch_and_each_in_its_order() -> None:
    scheduler = Scheduler(slots=1, batch_tokens=8)
    priorities: list[Priority] = ["batch", "interactive", "batch", "interactive"]
    queued = [one(scheduler, priority, alone(number)) for number, priority in enumerate(priorities)]
    served = []
    for _ in range(4):
        (sequence,) = compute(scheduler)
        served.append(queued.index(sequence))
        scheduler.release(sequence)
    assert served == [1, 3, 0, 2]
    assert scheduler.idle


async def test_a_batch_answer_is_set_aside_and_goes_on_where_it_was() -> None:
    scheduler = Scheduler(slots=1, batch_tokens=8)
    batch = one(scheduler, "batch", alone(1))
    for _ in range(3):
        compute(scheduler)
    urgent = one(scheduler, "interactive", alone(2))
    assert compute(scheduler) == [urgent]
    assert (batch.slot, batch.computed, batch.generated, scheduler.waiting) == (None, 0, 3, 1)
    scheduler.release(urgent)
    assert compute(scheduler) == [batch]
    assert (batch.computed, batch.generated) == (FEW + 3, 4)  # its own tokens were computed again, one is new
    assert compute(scheduler) == [batch]
    assert batch.computed == FEW + 4


async def test_the_batch_answer_that_loses_least_is_set_aside_and_the_first_to_go_on() -> None:
    scheduler = Scheduler(slots=3, batch_tokens=300)
    dear, cheap = one(scheduler, "batch", alone(1, MANY)), one(scheduler, "batch", alone(2))
    first = one(scheduler, "interactive", alone(3))
    compute(scheduler)
    compute(scheduler)
    later = one(scheduler, "batch", alone(4))
    second, third = (one(scheduler, "interactive", alone(number)) for number in (5, 6))
    assert live(scheduler) == {first, second, third}  # both of them, but nothing that is interactive
    fourth = one(scheduler, "interactive", alone(7))
    assert live(scheduler) == {first, second, third}
    scheduler.release(third)
    assert live(scheduler) == {first, second, fourth}
    scheduler.release(fourth)
    assert live(scheduler) == {first, second, dear}
    scheduler.release(second)
    assert live(scheduler) == {first, dear, cheap}
    scheduler.release(first)
    assert live(scheduler) == {dear, cheap, later}


async def test_one_waiting_request_costs_one_batch_answer_its_slot() -> None:
    scheduler = Scheduler(slots=2, batch_tokens=300)
    dear, cheap = one(scheduler, "batch", alone(1, MANY)), one(scheduler, "batch", alone(2))
    compute(scheduler)
    urgent = one(scheduler, "interactive", alone(3))
    assert live(scheduler) == {dear, urgent}
    assert cheap.slot is None


async def test_batch_is_not_set_aside_for_batch() -> None:
    scheduler = Scheduler(slots=1, batch_tokens=8)
    first, _ = one(scheduler, "batch", alone(1)), one(scheduler, "batch", alone(2))
    assert compute(scheduler) == [first]
    assert compute(scheduler) == [first]


async def test_prompts_of_those_who_wait_are_computed_first() -> None:
    scheduler = Scheduler(slots=2, batch_tokens=60)
    batch = one(scheduler, "batch", alone(1, MANY))
    assert compute(scheduler) == [batch]
    urgent = one(scheduler, "interactive", alone(2, MANY))
    assert compute(scheduler) == [urgent]
    assert compute(scheduler) == [urgent]
    assert compute(scheduler) == [batch]  # what is left of it
    assert (urgent.generated, batch.computed) == (1, 100)


async def test_a_slot_stays_free_for_who_waits_for_a_prompt() -> None:
    scheduler = Scheduler(slots=3, batch_tokens=50)
    shared = alone(1, MANY)
    first = one(scheduler, "interactive", [*shared, 1])
    second = one(scheduler, "interactive", [*shared, 2])
    batch, more = one(scheduler, "batch", alone(2)), one(scheduler, "batch", alone(3))
    compute(scheduler)
    assert (first.slot, second.slot, more.slot) == (0, None, None)
    assert batch.slot is not None
    while second.slot is None:
        assert more.slot is None
        compute(scheduler)
    assert batch.slot is not None  # nobody lost anything
    assert second.computed == len(second.tokens) - 1


async def test_no_batch_answer_is_lost_for_who_waits_for_a_prompt_anyway() -> None:
    scheduler = Scheduler(slots=2, batch_tokens=50)
    batch = one(scheduler, "batch", alone(2))
    first = one(scheduler, "interactive", [*alone(1, MANY), 1])
    compute(scheduler)
    second = one(scheduler, "interactive", [*alone(1, MANY), 2])
    compute(scheduler)
    assert (batch.slot is None, second.slot) == (False, None)
    while second.slot is None:
        compute(scheduler)
    assert (batch.slot, first.slot is None) == (None, False)


async def test_what_waits_can_leave_and_takes_no_slot_with_it() -> None:
    scheduler = Scheduler(slots=1, batch_tokens=8)
    batch = one(scheduler, "batch", alone(1))
    compute(scheduler)
    urgent, other = one(scheduler, "interactive", alone(2)), one(scheduler, "interactive", alone(3))
    compute(scheduler)
    scheduler.release(batch)  # set aside
    scheduler.release(other)  # never had a slot
    scheduler.release(other)
    assert (scheduler.running, scheduler.waiting) == ([urgent], 0)
    scheduler.release(urgent)
    assert scheduler.idle
