"""The figures of the group `routing` are RouteLLM's, and no group of prompts is on both sides of a split."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from bench.routing import data
from bench.routing.curve import bootstrapped, figures
from bench.routing.group import PUBLISHED, Result, table
from bench.routing.splits import FOLDS, grouped

WEAK = np.array([True, False, False, True, False] * 20)
STRONG = np.array([True, True, False, False, True] * 20)


def test_who_knows_nothing_closes_half_of_the_gap() -> None:
    found = figures(np.zeros(100), WEAK, STRONG)
    assert (found.apgr, found.cpt50, found.cpt80) == pytest.approx((0.5, 50, 80))


def test_who_knows_all_needs_few_strong_calls() -> None:
    found = figures(STRONG.astype(float) - WEAK, WEAK, STRONG)
    # 40 of 100 gain, 20 lose: half of the gap of 20 after 10 calls; above the strong model after 40.
    assert found.cpt50 == pytest.approx(10)
    assert found.cpt80 == pytest.approx(16)
    assert found.apgr == pytest.approx(1.5)
    assert figures(WEAK.astype(float) - STRONG, WEAK, STRONG).apgr == pytest.approx(1 - 1.5)


@given(st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=100, max_size=100), st.randoms(use_true_random=False))
def test_only_the_order_of_scores_matters_and_not_that_of_prompts(given: list[float], source: object) -> None:
    scores, order = np.array(given), list(range(100))
    source.shuffle(order)  # type: ignore[attr-defined]
    found = figures(scores, WEAK, STRONG)
    assert figures(scores[order], WEAK[order], STRONG[order]).apgr == pytest.approx(found.apgr)
    assert figures(2 * scores + 3, WEAK, STRONG) == found


def test_the_bounds_hold_the_figure() -> None:
    scores = STRONG - 0.3 * WEAK
    low, high = bootstrapped([scores, scores], WEAK, STRONG)
    assert low < figures(scores, WEAK, STRONG).apgr < high


@given(st.lists(st.integers(0, 30), min_size=40, max_size=120), st.integers(1, 50), st.integers(0, 5))
def test_no_group_is_on_both_sides(numbers: list[int], labels: int, seed: int) -> None:
    groups = [str(number) for number in numbers]
    asked: list[int] = []
    for learnt, about in grouped(groups, labels, seed):
        assert not {groups[row] for row in learnt} & {groups[row] for row in about}
        assert len(set(learnt.tolist())) == len(learnt) <= labels
        asked += about.tolist()
    assert sorted(asked) == list(range(len(groups)))
    assert len(list(grouped(groups, labels, seed))) == FOLDS


def test_contaminated_prompts_are_dropped(tmp_path: Path) -> None:
    head = f"prompt,{data.WEAK},{data.STRONG}"
    law, sums, dropped = tmp_path / "mmlu_law.csv", tmp_path / "sums.csv", tmp_path / "dropped.jsonl"
    law.write_text(f'{head}\n"One,\ntwo",True,False\nThree,False,True\n')
    sums.write_text(f"{head},answer\nThree,True,True,3\nFour,False,True,4\n")
    dropped.write_text(json.dumps({"eval_prompt": "Three"}) + "\n")
    source = data.Source(tmp_path, dropped, sums, dropped)
    assert data.mmlu(source) == [data.Item("One,\ntwo", weak=True, strong=False, subject="law")]
    assert data.gsm8k(source) == [data.Item("Four", weak=False, strong=True, subject="gsm8k")]


def test_the_table_has_a_line_per_result() -> None:
    lines = table(
        [
            Result("mmlu", "RouteLLM, published", PUBLISHED["mmlu"]),
            Result("gsm8k", "ours", PUBLISHED["gsm8k"], 0.6, 0.7),
        ]
    )
    assert lines[2] == "| MMLU | RouteLLM, published | 0.603 | 35.4 | 70.3 |"
    assert lines[3] == "| GSM8K | ours | 0.622 (0.600-0.700) | 33.6 | 63.3 |"
