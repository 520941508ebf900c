"""Which replica a request goes to."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

from hypothesis import given
from hypothesis import strategies as st

from inference.cluster.spread import choose, head
from inference.protocol import Caller, ChatRequest, EmbedRequest, Message

NAMES = [f"replica{number}" for number in range(8)]
HEADS = [f"prompt {number}".encode() for number in range(800)]


def test_prompts_that_begin_alike_go_to_the_same_replica() -> None:
    system = Message("system", "You write Python. " * 100)
    first = ChatRequest("m", (system, Message("user", "one")))
    second = replace(first, messages=(system, Message("user", "another"), Message("assistant", "x")))
    assert head(first) == head(second)
    assert head(replace(first, caller=Caller(tenant="other"))) != head(first)
    assert head(replace(first, messages=(), prompt="def f():")) != head(first)


def test_embeddings_have_no_cache_and_spread_evenly() -> None:
    heads = {head(EmbedRequest("m", ("text",))) for _ in range(50)}
    assert len(heads) == 50


def test_heads_spread_evenly_and_most_stay_when_a_replica_leaves() -> None:
    free = dict.fromkeys(NAMES, 0)
    before = {each: choose(each, free, 9) for each in HEADS}
    counts = Counter(before.values())
    assert min(counts.values()) > 60
    assert max(counts.values()) < 140
    del free[NAMES[0]]
    after = {each: choose(each, free, 9) for each in HEADS}
    assert {each for each in HEADS if before[each] != after[each]} == {
        each for each in HEADS if before[each] == NAMES[0]
    }


def test_a_busy_replica_gives_way_to_the_next_in_the_head_s_own_order() -> None:
    loads = dict.fromkeys(NAMES[:4], 0)
    favourite = choose(HEADS[0], loads, 9)
    assert favourite
    loads[favourite] = 2  # the bound for three requests on four replicas is one
    second = choose(HEADS[0], loads, 9)
    assert second not in (None, favourite)
    assert second == choose(HEADS[0], {each: load for each, load in loads.items() if each != favourite}, 9)


@given(st.dictionaries(st.sampled_from(NAMES), st.integers(0, 6)), st.integers(1, 6), st.binary())
def test_no_replica_is_given_more_than_it_can_take_and_none_waits_while_one_is_free(
    loads: dict[str, int], capacity: int, key: bytes
) -> None:
    chosen = choose(key, loads, capacity)
    if any(load < capacity for load in loads.values()):
        assert chosen is not None
        assert loads[chosen] < capacity
    else:
        assert chosen is None
