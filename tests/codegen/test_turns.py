"""Whose turn it is: repairs where nothing is planned, draws where a plan has them, and then somebody stronger."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from codegen.turns import Turns
from inference.verification import Checking


def test_without_a_plan_a_model_repairs_its_answer_until_its_turns_are_over() -> None:
    turns = Turns(2)
    assert not turns.repairing
    turns.took("small")
    assert (turns.repairing, turns.again, turns.tried) == (True, "", [])
    turns.took("small")
    assert (turns.repairing, turns.again, turns.tried) == (False, "", ["small"])
    turns.took("large")
    assert (turns.repairing, turns.checking("tests")) == (True, Checking("tests"))


def test_samples_of_a_plan_are_all_the_turns_of_its_model() -> None:
    turns = Turns(2)
    turns.took("small", 3)
    assert (turns.repairing, turns.checking("tests")) == (False, Checking("tests", 2, "small"))
    turns.took("small")
    assert turns.checking("task") == Checking("task", 3, "small")
    turns.took("small")
    assert (turns.again, turns.tried, turns.repairing) == ("", ["small"], False)
    assert turns.checking("tests") == Checking("tests")
    turns.took("large")
    assert turns.repairing


def test_one_sample_is_no_repair() -> None:
    turns = Turns(2)
    turns.took("small", 1)
    assert (turns.tried, turns.again, turns.repairing) == (["small"], "", False)


def test_who_repeats_itself_or_was_replaced_draws_no_more() -> None:
    turns = Turns(2)
    turns.took("small", 3)
    turns.took("small", repeated=True)
    assert (turns.tried, turns.again) == (["small"], "")
    turns = Turns(2)
    turns.took("small", 3)
    turns.took("large")  # which stood in for it
    assert (turns.tried, turns.again, turns.repairing) == ([], "", True)


@given(st.integers(1, 10), st.lists(st.tuples(st.sampled_from("ab"), st.integers(0, 5))))
def test_nobody_who_was_tried_draws_again(per_tier: int, answers: list[tuple[str, int]]) -> None:
    turns = Turns(per_tier)
    for model, samples in answers:
        turns.took(model, samples)
        assert turns.again not in turns.tried
        assert len(set(turns.tried)) == len(turns.tried)
        assert not (turns.again and turns.repairing)
