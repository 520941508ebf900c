"""Drawing tokens: the shortcuts come to what sorting the whole vocabulary does, and to what llama.cpp's samplers do."""

from __future__ import annotations

import math
from typing import Any, cast

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from inference.collect import complete
from inference.errors import EngineError
from inference.llamacpp import sampler
from inference.llamacpp.draw import Draw, Penalties, Scores, candidates, likeliest, nucleus, pick
from inference.llamacpp.engine import LlamaCppEngine
from inference.llamacpp.model import Vocabulary
from inference.protocol import Sampling
from tests.inference.llama_engines import prompt

thorough = settings(max_examples=150, deadline=None)


def rows(scores: st.SearchStrategy[float]) -> st.SearchStrategy[Scores]:
    """Rows of scores with ties and masks among them, and something that can be drawn."""
    each = st.one_of(st.integers(-3, 3).map(float), st.just(-math.inf), scores)
    made = arrays(np.float32, st.integers(1, 700), elements=each, fill=each)
    return made.filter(lambda row: bool(np.isfinite(row).any()))


any_rows = rows(st.floats(-30, 30, width=32))
# Weights of 32 bits tell these apart, as they do not scores whose difference is below 1e-7.
distinct_rows = rows(st.integers(-3000, 3000).map(lambda hundredths: float(np.float32(hundredths / 100))))
samplings = st.builds(
    Sampling,
    temperature=st.sampled_from([0.01, 0.7, 1.0, 2.0]),
    top_k=st.sampled_from([0, 1, 2, 5, 40, 10**9]),
    top_p=st.sampled_from([1e-9, 0.1, 0.5, 0.9, 0.99, 0.999999, 1.0]),
    min_p=st.sampled_from([0.0, 0.01, 0.3, 1.0]),
)


def masked(size: int, *allowed: int) -> Scores:
    row = np.full(size, -np.inf, np.float32)
    row[list(allowed)] = 2.0
    return row


def frozen(row: Scores) -> Scores:
    row.flags.writeable = False
    return row


def drawn_from(draw: Draw, row: Scores) -> int:
    """A token; the scores are as before, also where they were changed to draw it."""
    mine = row.copy()
    token = draw.token(mine)
    assert mine.tobytes() == row.tobytes()
    return token


def in_order(row: Scores) -> list[int]:
    """The tokens that are not masked, best first, the lowest of equals first."""
    tokens = (token for token, score in enumerate(row.tolist()) if score > -math.inf)
    return sorted(tokens, key=lambda token: (-row[token], token))


def kept(row: Scores, sampling: Sampling, doubt: float = 0.0) -> dict[int, float]:
    """The weights of the tokens that may be drawn, by sorting all; with a doubt the borders are moved by it."""
    tokens = in_order(row)[: sampling.top_k or None]
    weights = [math.exp((float(row[token]) - float(row[tokens[0]])) / sampling.temperature) for token in tokens]
    total, count, reached = sum(weights), 0, 0.0
    while count < len(tokens) and (count == 0 or reached < (sampling.top_p + doubt) * total or sampling.top_p == 1):
        reached += weights[count]
        count += 1
    pairs = zip(tokens[:count], weights[:count], strict=True)
    return {token: weight for token, weight in pairs if weight >= sampling.min_p * (1 - doubt) or weight == 1}


def ours(row: Scores, sampling: Sampling) -> dict[int, float]:
    tokens, weights = candidates(frozen(row), sampling)
    found = dict(zip(range(len(row)) if tokens is None else tokens.tolist(), weights.tolist(), strict=True))
    assert len(found) == len(weights)
    return {token: weight for token, weight in found.items() if weight > 0}


@thorough
@given(distinct_rows, samplings)
@example(masked(500, 499), Sampling(top_k=40, top_p=0.9))
@example(masked(500, 0, 130, 499), Sampling(top_k=2))
@example(np.zeros(700, np.float32), Sampling(top_p=0.5))
@example(np.zeros(1, np.float32), Sampling(top_k=1, top_p=0.5, min_p=0.5))
def test_the_tokens_that_may_be_drawn_are_those_of_a_full_sort(row: Scores, sampling: Sampling) -> None:
    found = ours(row, sampling)
    # 32 bits are not exact: at a border one more or one less is right, anywhere else it is not.
    least, most = kept(row, sampling, -1e-5), kept(row, sampling, 1e-5)
    assert {token for token, weight in least.items() if weight > 1e-37} <= found.keys() <= most.keys()
    assert set(found) == set(in_order(row)[: len(found)])
    for token, weight in found.items():
        assert weight == pytest.approx(most[token], rel=1e-3 if sampling.temperature < 0.1 else 1e-5, abs=1e-37)


@pytest.mark.parametrize("size", [2048, 20_001, 151_936])
@pytest.mark.parametrize("large", [0, 8])
@pytest.mark.parametrize("fields", [{"top_p": 0.95}, {"top_k": 40, "top_p": 0.95}, {"top_p": 0.3}, {"min_p": 0.05}])
def test_so_they_are_in_vocabularies_of_real_sizes(size: int, large: int, fields: dict[str, Any]) -> None:
    random, sampling = np.random.default_rng(size), Sampling(temperature=0.7, **fields)
    row = random.normal(0, 3, size).astype(np.float32)
    row[random.integers(0, size, large)] = random.uniform(15, 22, large)
    found = ours(row, sampling)
    assert kept(row, sampling, -1e-5).keys() <= found.keys() <= kept(row, sampling, 1e-5).keys()


@thorough
@given(any_rows, st.integers(0, 800))
def test_the_likeliest_are_those_of_a_full_sort(row: Scores, count: int) -> None:
    assert likeliest(frozen(row), count).tolist() == in_order(row)[:count]


@pytest.mark.parametrize(("share", "count"), [(5e-324, 1), (0.5, 1), (0.51, 2), (0.75, 2), (0.76, 3), (1 - 1e-12, 4)])
def test_a_nucleus_is_no_larger_than_it_has_to_be(share: float, count: int) -> None:
    weights = np.array([0.25, 0.0, 1.0, 0.25, 0.5], np.float32)
    assert sorted(nucleus(weights, share).tolist()) == sorted([2, 4, 0, 3][:count])


@pytest.mark.parametrize("size", [1, 2, 127, 2048, 2049, 40_000])
@pytest.mark.parametrize("chance", [0.0, 1e-9, 0.25, 0.5, 0.999, 1 - 2**-53, 1.0])
def test_a_chance_falls_where_the_weights_added_up_reach_it(size: int, chance: float) -> None:
    weights = np.random.default_rng(size).exponential(1, size).astype(np.float32)
    weights[: size // 3] = 0
    weights[size - size // 3 :] = 0
    token, shares = pick(weights, chance), weights.astype(np.float64) / weights.sum(dtype=np.float64)
    assert shares[token] > 0
    assert shares[:token].sum() - 1e-6 <= chance <= shares[: token + 1].sum() + 1e-6


@pytest.mark.parametrize("seed", range(8))
def test_rounding_takes_no_chance_to_a_weight_of_nothing(seed: int) -> None:
    random = np.random.default_rng(seed)
    weights = (10 ** random.uniform(-14, 0, (200, 1)) * random.exponential(1, (200, 128))).astype(np.float32)
    weights[:, :60] = weights[:, 70:] = 0
    borders = np.cumsum(weights.sum(axis=1), dtype=np.float64)
    for chance in (borders[:-1] / borders[-1]).tolist():
        assert weights.reshape(-1)[pick(weights.reshape(-1), chance)] > 0


@pytest.mark.parametrize("seed", range(8))
def test_rounding_leaves_no_share_out_of_reach(seed: int) -> None:
    weights = (10 ** np.random.default_rng(seed).uniform(-14, 0, 3000)).astype(np.float32)
    heavy = weights[nucleus(weights, 1 - 2**-53)]
    assert heavy.sum(dtype=np.float64) == pytest.approx(weights.sum(dtype=np.float64), rel=1e-15)


@pytest.mark.parametrize("sampling", [Sampling(1.3, seed=4), Sampling(1.3, seed=4, top_p=0.999)])
@pytest.mark.parametrize("size", [12, 3000])
def test_tokens_come_as_often_as_is_likely(size: int, sampling: Sampling) -> None:
    row = np.full(size, -12.0, np.float32)
    row[:: size // 12] = np.linspace(0, 4, 12)
    draw, draws = Draw(sampling, 0, 1), 8000
    counts = np.bincount([draw.token(row) for _ in range(draws)], minlength=size)
    weights = np.zeros(size)
    weights[list(ours(row, sampling))] = list(ours(row, sampling).values())
    expected = draws * weights / weights.sum()
    assert counts[expected == 0].sum() == 0
    usual = expected >= 5
    assert usual.sum() >= 11
    # Chi-square with some 11 degrees of freedom: more than 45 would come once in 200,000 seeds.
    assert ((counts - expected)[usual] ** 2 / expected[usual]).sum() < 45
    assert abs(counts[~usual].sum() - expected[~usual].sum()) < 25


def drawn(row: Scores, seed: int | None, index: int = 0, **fields: Any) -> list[int]:
    draw = Draw(Sampling(seed=seed, **fields), index, 60)
    return [drawn_from(draw, row) for _ in range(60)]


def test_a_seed_repeats_draws_and_every_choice_has_its_own() -> None:
    row = frozen(np.random.default_rng(1).normal(0, 1, 300).astype(np.float32))
    assert drawn(row, 5) == drawn(row, 5) == drawn(row, 3, index=2)
    assert drawn(row, 5) != drawn(row, 6)
    assert drawn(row, -(2**63), top_p=0.9) == drawn(row, -(2**63), top_p=0.9)
    assert drawn(row, None) != drawn(row, None)
    assert drawn(row, None, top_k=1) == [int(row.argmax())] * 60


def test_greedy_takes_the_first_of_equals_and_heeds_the_bias() -> None:
    row = frozen(np.array([1, 3, 3, 2], np.float32))
    assert drawn_from(Draw(Sampling(0), 0, 9), row) == 1
    assert drawn_from(Draw(Sampling(0, logit_bias={3: 1.5, 1: -1.0}), 0, 9), row) == 3
    assert drawn_from(Draw(Sampling(0, logit_bias={1: -0.5}), 0, 9), row) == 2


def test_penalties_are_counted_by_the_formulas() -> None:
    penalties = Penalties(Sampling(repetition_penalty=1.6, frequency_penalty=0.5, presence_penalty=-0.25), 4)
    for token in (3, 0, 3, 3):
        penalties.count(token)
    scores = np.array([-2, 1, 0, 4, -np.inf], np.float32)
    penalties.apply(scores)
    expected = [-2 * 1.6 - 0.5 + 0.25, 1, 0, 4 / 1.6 - 3 * 0.5 + 0.25, -np.inf]
    assert scores == pytest.approx(np.array(expected), rel=1e-6)


def test_penalties_hold_for_what_was_counted_only() -> None:
    row = frozen(np.array([1.0, 0.9, 0.8], np.float32))
    draw, tokens = Draw(Sampling(0, presence_penalty=0.15, frequency_penalty=0.04), 0, 5), []
    assert drawn_from(draw, row) == drawn_from(draw, row) == 0
    for _ in range(5):
        tokens.append(drawn_from(draw, row))
        draw.count(tokens[-1])
    assert tokens == [0, 1, 0, 2, 0]


@pytest.mark.parametrize(
    "fields",
    [{"temperature": 5e-324}, {"repetition_penalty": 5e-324}, {"top_p": 5e-324}, {"top_k": 1}, {"min_p": 1.0}],
)
def test_extremes_are_greedy_and_overflow_nothing(fields: dict[str, Any]) -> None:
    row = frozen(np.array([-30, 30, 29, -np.inf], np.float32))
    draw = Draw(Sampling(**{"temperature": 1e-5, "seed": 1, **fields}), 0, 20)
    for _ in range(20):
        assert drawn_from(draw, row) == 1
        draw.count(1)


@pytest.mark.parametrize("temperature", [0, 1])
@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_scores_that_are_no_numbers_are_an_error(temperature: float, bad: float) -> None:
    row = np.array([0, bad, 1], np.float32)
    for scores in (row, np.full(3, -np.inf, np.float32)):
        with pytest.raises(EngineError, match="finite"):
            Draw(Sampling(temperature, top_p=0.5, top_k=2), 0, 9).token(scores)


async def test_such_an_answer_fails_alone(engine: LlamaCppEngine, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(sampler, "logits", lambda *_: np.full(262, np.nan, np.float32))
        with pytest.raises(EngineError, match="finite"):
            await complete(engine, prompt(temperature=1, top_p=0.5))
    assert (await complete(engine, prompt(temperature=1, top_p=0.5))).text


class Numbers:
    """A vocabulary whose tokens are their numbers."""

    def piece(self, token: int) -> bytes:
        return str(token).encode()


@thorough
@given(arrays(np.float32, st.integers(1, 400), elements=st.floats(-30, 30, width=32)), st.integers(0, 20), st.data())
def test_log_probabilities_are_a_log_softmax(row: Scores, top: int, data: st.DataObject) -> None:
    token = data.draw(st.integers(0, len(row) - 1))
    found = sampler.token_logprob(frozen(row), token, top, cast(Vocabulary, Numbers()))
    total = math.log(sum(math.exp(float(score)) for score in row))
    assert found.token == str(token)
    assert found.logprob == pytest.approx(float(row[token]) - total, abs=1e-5)
    assert [name for name, _ in found.top] == [str(other) for other in in_order(row)[:top]]
    for name, value in found.top:
        assert value == pytest.approx(float(row[int(name)]) - total, abs=1e-5)
