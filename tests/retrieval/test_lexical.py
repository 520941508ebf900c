from __future__ import annotations

import pytest

from retrieval.fusion import fuse
from retrieval.lexical import LENGTH_SHARE, SATURATION, USUAL_TERMS, passage_vector, query_vector
from retrieval.protocol import Passage
from retrieval.spec import RetrievalWeights


def passage(text: str, path: str = "x", symbols: tuple[str, ...] = ()) -> Passage:
    return Passage(path, 1, 1, text, symbols, 0.0)


def score(query: str, target: Passage, weights: RetrievalWeights | None = None) -> float:
    vector = passage_vector(target, weights or RetrievalWeights())
    return sum(weight * vector.get(term, 0.0) for term, weight in query_vector(query).items())


def test_a_weight_is_that_of_bm25() -> None:
    text = "loan loan " + "word " * 33  # 35 terms: half the usual length
    length = 1 - LENGTH_SHARE + LENGTH_SHARE * 35 / USUAL_TERMS
    expected = 2 * (SATURATION + 1) / (2 + SATURATION * length)
    assert score("loans", passage(text)) == pytest.approx(expected)


def test_repetition_helps_ever_less_and_length_hurts() -> None:
    once, twice, thrice = (score("loan", passage("loan " * times)) for times in (1, 2, 3))
    assert once < twice < thrice
    assert thrice - twice < twice - once
    assert score("loan", passage("loan" + " word" * 200)) < once


def test_path_and_symbols_count_as_much_as_the_weights_say() -> None:
    weights = RetrievalWeights(path=3, symbols=0)
    assert score("loan", passage("x", path="loan"), weights) > score("loan", passage("loan x"), weights)
    assert score("loan", passage("x", symbols=("Loan",)), weights) == 0
    assert score("loan", passage("x", symbols=("LoanDesk.check",))) > 0


def test_a_query_counts_each_term_once() -> None:
    assert query_vector("loan loans LOAN") == query_vector("loan")
    assert query_vector("the of a") == {}
    assert list(query_vector("one two three four")) == sorted(query_vector("one two three four"))


def test_fusion_adds_weighted_reciprocal_ranks() -> None:
    one, two, three = (passage(path, path) for path in "abc")
    fused = fuse([(2.0, [one, two]), (1.0, [three, two])], 3)
    assert [hit.path for hit in fused] == ["b", "a", "c"]
    assert [hit.score for hit in fused] == pytest.approx([2 / 62 + 1 / 62, 2 / 61, 1 / 61])
    assert [hit.path for hit in fuse([(1.0, [two]), (1.0, [one])], 1)] == ["a"]  # a tie goes by path
