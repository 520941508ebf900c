"""Which slot a request gets and what it takes over, without a model and with one."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from inference.collect import complete
from inference.llamacpp.engine import LlamaCppEngine
from inference.llamacpp.sequence import Generation, Sequence
from inference.llamacpp.slots import Placement, Slots
from inference.protocol import Caller, ChatRequest, Priority, Sampling
from tests.inference.llama_engines import engine_of, prompt

SHARED = list(range(100))


def sequence(tokens: list[int], tenant: str = "default", priority: Priority = "interactive") -> Sequence:
    request = ChatRequest("m", prompt="p", caller=Caller(tenant), priority=priority)
    (only,) = Generation(request, tokens, max_tokens=100, grammar=None).sequences
    return only


def placed(slots: Slots, wanted: Sequence, computed: int | None = None) -> Placement:
    """Place it, with all its prompt computed unless said otherwise."""
    placement = slots.place(wanted)
    assert placement is not None
    wanted.computed = len(wanted.tokens) if computed is None else computed
    return placement


def where(placement: Placement) -> tuple[int, int, int]:
    return placement.slot, placement.source, placement.reused


async def test_the_next_turn_goes_on_in_place() -> None:
    slots = Slots(3)
    turn = sequence(SHARED)
    placed(slots, turn)
    slots.release(turn)
    assert where(placed(slots, sequence([*SHARED, 7, 8]))) == (0, 0, 100)


async def test_the_last_token_of_a_prompt_is_always_computed() -> None:
    slots = Slots(2)
    again = sequence(SHARED)
    placed(slots, again)
    slots.release(again)
    assert where(placed(slots, sequence(SHARED))) == (0, 0, 99)


async def test_sequences_that_are_live_together_are_neighbours() -> None:
    slots, now = Slots(8), 0
    for _ in range(5):  # whichever slots were used last
        wave = [sequence([now := now + 1] * 50) for _ in range(4)]
        numbers = sorted(placed(slots, each).slot for each in wave)
        assert numbers == list(range(numbers[0], numbers[0] + 4))
        for each in wave:
            slots.release(each)


async def test_a_gap_between_live_ones_is_filled_and_what_it_holds_moves_to_the_oldest_slot() -> None:
    slots = Slots(5)
    live = [sequence([number] * 50) for number in range(3)]
    for each in live:
        placed(slots, each)
    slots.release(live[1])
    filling = placed(slots, sequence([9] * 50))
    assert (where(filling), filling.saved) == ((1, 1, 0), 3)
    assert where(placed(slots, sequence([*[1] * 50, 7]))) == (3, 3, 50)  # there it goes on


async def test_what_goes_on_far_from_live_ones_is_copied_to_their_side() -> None:
    slots = Slots(6)
    turn, *others = [sequence([number] * 50) for number in range(4)]
    for each in (turn, *others):
        placed(slots, each)
    slots.release(turn)
    slots.release(others[0])  # 2 and 3 are live
    again = placed(slots, sequence([*[0] * 50, 7]))
    assert (where(again), again.saved) == ((4, 0, 50), None)
    assert where(placed(slots, sequence([8] * 50))) == (5, 5, 0)


async def test_what_was_used_last_stays_even_beside_live_ones() -> None:
    slots = Slots(4)
    turn, other = sequence(SHARED), sequence([7] * 50)
    placed(slots, turn)
    placed(slots, other)
    slots.release(turn)
    assert where(placed(slots, sequence([8] * 50))) == (2, 2, 0)
    assert where(placed(slots, sequence([*SHARED, 7, 8]))) == (0, 0, 100)


async def test_what_is_being_answered_is_copied() -> None:
    slots = Slots(2)
    placed(slots, sequence([*SHARED, 1]))
    assert where(placed(slots, sequence([*SHARED, 2]))) == (1, 0, 100)
    assert slots.place(sequence(SHARED)) is None  # no slot is left


async def test_a_small_part_of_what_an_idle_slot_holds_is_copied_so_that_the_rest_stays() -> None:
    slots = Slots(2)
    long = sequence([*SHARED, *range(500, 900)])
    placed(slots, long)
    slots.release(long)
    assert where(placed(slots, sequence([*SHARED, 1]))) == (1, 0, 100)
    assert where(placed(slots, sequence([*SHARED, *range(500, 900), 3]))) == (0, 0, 500)


async def test_a_prompt_that_is_being_computed_is_waited_for() -> None:
    slots = Slots(3)
    first, second = sequence([*SHARED, 1]), sequence([*SHARED, 2])
    placed(slots, first, computed=50)
    assert slots.place(second) is None
    assert slots.place(sequence([9, *SHARED])) is not None  # nothing in common
    first.computed = 100
    assert where(placed(slots, second)) == (2, 0, 100)


async def test_a_prompt_is_not_waited_for_when_it_ends_early() -> None:
    slots = Slots(2)
    first, second = sequence([*SHARED, 1]), sequence([*SHARED, 2])
    placed(slots, first, computed=10)
    assert slots.place(second) is None
    slots.release(first)
    assert where(placed(slots, second)) == (0, 0, 10)


async def test_a_few_tokens_are_not_worth_a_copy() -> None:
    slots = Slots(2)
    placed(slots, sequence([1, 2, 3, 4]))
    assert where(placed(slots, sequence([1, 2, 3, 5]))) == (1, 1, 0)


async def test_the_least_recently_used_slot_makes_room() -> None:
    slots = Slots(3)
    ended = [sequence([number] * 50) for number in range(3)]
    for one in ended:
        placed(slots, one)
    for one in (ended[1], ended[0], ended[2]):
        slots.release(one)
    assert placed(slots, sequence([9] * 50)).slot == 1
    assert placed(slots, sequence([8] * 50)).slot == 0


async def test_an_answer_that_was_set_aside_goes_on_with_all_that_is_left_of_it() -> None:
    slots = Slots(2)
    aside = sequence(SHARED)
    placed(slots, aside)
    for token in range(500, 560):
        aside.append(token, b"a")
    aside.computed = len(aside.tokens) - 1
    slots.release(aside)
    assert where(placed(slots, aside)) == (0, 0, 159)
    slots.release(aside)
    assert where(placed(slots, sequence([*SHARED, 1]))) == (0, 0, 100)
    assert where(placed(slots, aside)) == (1, 0, 100)


async def test_nobody_urgent_waits_for_a_batch_prompt() -> None:
    slots = Slots(3)
    batch, urgent = sequence([*SHARED, 1], priority="batch"), sequence([*SHARED, 2])
    placed(slots, batch, computed=50)
    assert (slots.worth_waiting(urgent), where(placed(slots, urgent, computed=60))) == (False, (1, 0, 50))
    assert slots.place(sequence([*SHARED, 3], priority="batch")) is None
    assert slots.worth_waiting(sequence([*SHARED, 4]))


async def test_tenants_share_nothing() -> None:
    slots = Slots(2)
    one = sequence(SHARED, "one")
    placed(slots, one)
    slots.release(one)
    assert placed(slots, sequence([*SHARED, 1], "other")).reused == 0
    assert placed(slots, sequence([*SHARED, 1], "one")).reused == 100


@pytest.fixture
def long_prompt() -> str:
    return "".join(f"def f{number}(x):\n    return x + {number}\n" for number in range(5))


async def test_answers_are_the_same_whatever_is_taken_over(tiny_gguf: Path, long_prompt: str) -> None:
    texts = [f"{long_prompt}{end}" for end in ("", "x", "def g(", "x = 1")]
    async with engine_of(tiny_gguf, concurrency=1) as fresh:
        expected = []
        for text in texts:
            expected.append((await complete(fresh, prompt(text))).text)
            await complete(fresh, prompt("z" * 200))  # the only slot holds something else now
    async with engine_of(tiny_gguf, concurrency=3) as engine:
        together = await asyncio.gather(*(complete(engine, prompt(text)) for text in texts))
        assert [completion.text for completion in together] == expected
        shared = len(long_prompt)  # the tiny model's tokens are bytes
        cached = sorted(completion.usage.cached_tokens for completion in together)
        assert cached[0] == 0 and all(count >= shared - 1 for count in cached[1:])
        again = await complete(engine, prompt(texts[1]))
        assert (again.text, again.usage.cached_tokens) == (expected[1], shared)


async def test_choices_share_their_prompt(engine: LlamaCppEngine, long_prompt: str) -> None:
    alone = [await complete(engine, prompt(long_prompt, temperature=1, seed=5 + number)) for number in range(3)]
    sampling = Sampling(temperature=1, seed=5, n=3, max_tokens=24)
    together = await complete(engine, ChatRequest("tiny", prompt=long_prompt, sampling=sampling))
    assert [choice.text for choice in together.choices] == [completion.text for completion in alone]
