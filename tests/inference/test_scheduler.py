"""Scheduling and sequences, without a model."""

from __future__ import annotations

from inference.llamacpp.scheduler import Scheduler
from inference.llamacpp.sequence import Generation
from inference.protocol import ChatRequest, Sampling, TokenLogprob


def generation(prompt: int, n: int = 1, max_tokens: int = 10, stop: tuple[str, ...] = (), first: int = 0) -> Generation:
    request = ChatRequest("m", prompt="p", sampling=Sampling(n=n, stop=stop))
    return Generation(request, list(range(first, first + prompt)), max_tokens, grammar=None)


def compute(scheduler: Scheduler) -> list[tuple[int, int, bool]]:
    """One step as the worker does it; what it computed as (start, count, output)."""
    scheduler.admit()
    steps = scheduler.schedule()
    for step in steps:
        step.sequence.computed += step.count
        if step.output:
            step.sequence.append(65, b"A")
    return [(step.start, step.count, step.output) for step in steps]


async def test_a_long_prompt_is_computed_in_chunks() -> None:
    scheduler = Scheduler(slots=2, batch_tokens=4)
    scheduler.add(generation(10))
    assert [compute(scheduler) for _ in range(4)] == [
        [(0, 4, False)],
        [(4, 4, False)],
        [(8, 2, True)],
        [(10, 1, True)],
    ]


async def test_prompts_and_answers_take_turns() -> None:
    scheduler = Scheduler(slots=2, batch_tokens=4)
    scheduler.add(generation(2))
    compute(scheduler)
    scheduler.add(generation(6))
    assert [compute(scheduler) for _ in range(5)] == [
        [(0, 4, False)],
        [(2, 1, True)],
        [(4, 2, True)],
        [(3, 1, True), (6, 1, True)],
        [(4, 1, True), (7, 1, True)],
    ]


async def test_a_long_prompt_lets_answers_go_on_after_a_bounded_time() -> None:
    scheduler = Scheduler(slots=2, batch_tokens=512)
    scheduler.add(generation(2))
    compute(scheduler)
    scheduler.add(generation(3000))
    assert compute(scheduler) == [(0, 64, False)]  # nothing was measured yet: 47 even pieces
    assert compute(scheduler) == [(2, 1, True)]
    scheduler.pace.observe(100, 0.5)  # 5 ms a token
    assert compute(scheduler) == [(64, 192, False)]  # at most 200, in whole tiles of 64
    assert compute(scheduler) == [(3, 1, True)]
    for _ in range(50):
        scheduler.pace.observe(100, 2.0)  # a slow neighbour: 20 ms a token
    assert compute(scheduler) == [(256, 64, False)]
    assert compute(scheduler) == [(4, 1, True)]
    for _ in range(50):
        scheduler.pace.observe(100, 0.1)
    assert compute(scheduler) == [(320, 448, False)]  # about as many as in the pieces after it
    assert compute(scheduler) == [(5, 1, True)]


async def test_a_prompt_for_which_no_answer_waits_is_computed_in_whole_batches() -> None:
    scheduler = Scheduler(slots=2, batch_tokens=512)
    scheduler.pace.observe(100, 2.0)
    scheduler.add(generation(1500))
    assert [compute(scheduler)[0][1] for _ in range(3)] == [512, 512, 476]


async def test_the_next_answer_begins_before_the_first_goes_on() -> None:
    scheduler = Scheduler(slots=2, batch_tokens=512)
    scheduler.pace.observe(100, 0.2)
    scheduler.add(generation(2000))
    scheduler.add(generation(400, first=5000))
    assert [compute(scheduler)[0][1] for _ in range(6)] == [512, 512, 512, 464, 400, 1]
    assert [sequence.generated for sequence in scheduler.running] == [2, 2]


async def test_prompts_are_computed_one_after_the_other_unless_they_are_short() -> None:
    scheduler = Scheduler(slots=8, batch_tokens=512)
    scheduler.pace.observe(100, 0.001)
    for number, length in enumerate((300, 300, 50, 70, 20)):
        scheduler.add(generation(length, first=1000 * number))
    steps = [compute(scheduler) for _ in range(6)]
    assert [steps[number] for number in (0, 1, 3, 5)] == [
        [(0, 300, True)],
        [(0, 300, True)],
        [(0, 50, True), (0, 70, True)],
        [(0, 20, True)],
    ]
    assert len(compute(scheduler)) == 5


async def test_sequences_wait_in_order_for_the_lowest_free_slot() -> None:
    scheduler = Scheduler(slots=2, batch_tokens=8)
    first, second = generation(1, n=3), generation(1)
    scheduler.add(first)
    scheduler.add(second)
    assert [placed.sequence.slot for placed in scheduler.admit()] == [0, 1]
    assert (scheduler.admit(), scheduler.waiting) == ([], 2)
    scheduler.release(first.sequences[0])
    assert [placed.sequence for placed in scheduler.admit()] == [first.sequences[2]]
    assert first.sequences[2].slot == 0
    scheduler.release(second.sequences[0])
    assert not scheduler.waiting
    for sequence in first.sequences[1:]:
        scheduler.release(sequence)
    assert scheduler.idle
    scheduler.release(first.sequences[0])  # again does nothing
    assert scheduler.idle


async def test_characters_come_whole() -> None:
    (sequence,) = generation(1).sequences
    pieces = [sequence.append(1, piece).text for piece in ("é".encode()[:1], "é".encode()[1:], b"a\xe2\x82", b"\xac")]
    assert pieces == ["", "é", "a", "€"]


async def test_half_a_character_at_the_end_is_replaced() -> None:
    (sequence,) = generation(1, max_tokens=2).sequences
    sequence.append(1, b"a")
    last = sequence.append(1, b"\xe2\x82")
    assert (last.text, last.finish_reason) == ("\ufffd", "length")


async def test_an_end_token_ends_and_gives_what_was_held_back() -> None:
    (sequence,) = generation(1, stop=("xyz",)).sequences
    assert sequence.append(1, b"xy").text == ""
    last = sequence.append(2, None)
    assert (last.text, last.finish_reason, sequence.finished, sequence.generated) == ("xy", "stop", True, 2)


async def test_a_stop_string_across_tokens_ends_without_itself() -> None:
    (sequence,) = generation(1, max_tokens=2, stop=("xyz",)).sequences
    entry = TokenLogprob("x", -1.0)
    assert sequence.append(1, b"ax", entry).logprobs == (entry,)
    last = sequence.append(2, b"yzb")
    assert (last.text, last.finish_reason) == ("", "stop")  # not "length", though that is reached too


async def test_usage_counts_the_prompt_once() -> None:
    whole = generation(5, n=2)
    for sequence in whole.sequences:
        sequence.append(1, b"a")
        sequence.append(2, None)
    assert whole.finished
    assert (whole.usage().prompt_tokens, whole.usage().completion_tokens) == (5, 4)
