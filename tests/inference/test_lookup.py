"""Guesses change how fast an answer comes, never what it is."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from inference.collect import complete
from inference.llamacpp.engine import LlamaCppEngine
from inference.llamacpp.lookup import FIRST_GUESS, LONGEST_GUESS, PAUSE_TOKENS, PromptLookup
from inference.llamacpp.scheduler import Step
from tests.inference.llama_engines import engine_of, prompt


def test_what_followed_the_same_tokens_last_is_guessed() -> None:
    lookup = PromptLookup()
    assert lookup.guess([1, 2, 3, 4, 5], 4) == []
    assert lookup.guess([1, 2, 3, 4, 5, 1, 2, 3], 4) == [4, 5, 1, 2]
    assert lookup.guess([1, 2, 3, 4, 5, 1, 2, 3, 9, 1, 2, 3], 2) == [9, 1]
    assert lookup.guess([1, 2, 3, 4, 5, 1, 2, 3, 9, 1, 2, 3, 8], 2) == []


def test_guesses_grow_with_success_and_shrink_with_failure() -> None:
    lookup = PromptLookup()
    tokens = [1, 2, 3, *range(50, 80), 1, 2, 3]
    assert len(lookup.guess(tokens, 100)) == FIRST_GUESS
    for _ in range(3):
        lookup.learn(len(lookup.guess(tokens, 100)), len(lookup.guess(tokens, 100)))
    assert len(lookup.guess(tokens, 100)) == LONGEST_GUESS
    lookup.learn(LONGEST_GUESS, 2)
    assert len(lookup.guess(tokens, 100)) == 3
    lookup.learn(3, 0)
    assert len(lookup.guess(tokens, 100)) == 1
    lookup.learn(0, 0)  # nothing was guessed, nothing is learnt
    assert len(lookup.guess(tokens, 100)) == 1


def test_where_few_guesses_are_right_few_are_made() -> None:
    lookup = PromptLookup()
    tokens = [1, 2, 3] * 20
    for _ in range(4):
        lookup.learn(len(lookup.guess(tokens, 100)), 0)
    silent = [lookup.guess(tokens + [1, 2, 3] * more, 100) for more in range(PAUSE_TOKENS // 3 + 1)]
    assert silent == [[]] * len(silent)
    assert len(lookup.guess(tokens + [1, 2, 3] * (PAUSE_TOKENS // 3 + 1), 100)) == 1


LETTERS = {ord("a"): 100.0, ord("b"): 100.0, ord("c"): 100.0}  # answers of three letters repeat themselves


def counted(engine: LlamaCppEngine, monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """The guessed tokens of each step from now on."""
    runner, guessed = engine._worker._runner, []
    assert runner is not None
    forward = runner.forward

    def count(steps: list[Step]) -> list[int]:
        guessed.append(sum(len(step.guess) for step in steps))
        return forward(steps)

    monkeypatch.setattr(runner, "forward", count)
    return guessed


@pytest.mark.parametrize(
    "sampling",
    [{}, {"temperature": 0.2, "seed": 3}, {"frequency_penalty": 0.5}, {"n": 2, "temperature": 0.3, "seed": 5}],
)
async def test_answers_are_the_same_with_fewer_steps(
    tiny_gguf: Path, monkeypatch: pytest.MonkeyPatch, sampling: dict[str, Any]
) -> None:
    wanted = prompt("abcabcabcabc", max_tokens=120, logit_bias=LETTERS, **sampling)
    answers, steps, guesses = [], [], []
    for guessing in (False, True):
        async with engine_of(tiny_gguf, guesses=guessing) as engine:
            guessed = counted(engine, monkeypatch)
            answers.append(await complete(engine, wanted))
            steps.append(len(guessed))
            guesses.append(sum(guessed))
    assert answers[0] == answers[1]
    assert (guesses[0], guesses[1] > 0) == (0, True)
    assert steps[1] < steps[0]


async def test_a_stop_string_in_the_middle_of_a_guess_ends_the_answer(
    tiny_gguf: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with engine_of(tiny_gguf) as engine:
        whole = (await complete(engine, prompt("abcabcabc", max_tokens=100, logit_bias=LETTERS))).text
        stop = whole[60:66]
        counted(engine, monkeypatch)
        stopped = await complete(engine, prompt("abcabcabc", max_tokens=100, logit_bias=LETTERS, stop=(stop,)))
        assert stopped.text == whole[: whole.index(stop)]
        again = await complete(engine, prompt("abcabcabc", max_tokens=100, logit_bias=LETTERS))
        assert again.text == whole  # nothing of the guess was left in the slot
