"""Drawing tokens beside llama.cpp's own samplers, on the scores of the tiny model."""

from __future__ import annotations

import ctypes
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from inference.llamacpp.draw import Penalties, Scores, candidates
from inference.protocol import Sampling

SAMPLINGS = [
    Sampling(0.7),
    Sampling(1.0, top_p=0.9),
    Sampling(1.5, top_k=30),
    Sampling(0.8, min_p=0.05),
    Sampling(0.6, top_k=50, top_p=0.8),
    Sampling(1.2, top_k=80, top_p=0.95, min_p=0.02),
]


@pytest.fixture(scope="module")
def tiny_rows(tiny_gguf: Path) -> Scores:
    """The scores after each character of a text (characters x vocabulary)."""
    from llama_cpp import Llama

    reference = Llama(str(tiny_gguf), n_ctx=256, n_threads=1, logits_all=True, verbose=False)
    tokens = reference.tokenize(b"def add(a, b):", add_bos=False)
    reference.eval(tokens)
    rows: Scores = np.array(reference.scores[: len(tokens)], np.float32)
    reference.close()
    return rows


def applied(row: Scores, *samplers: Any, accepted: tuple[int, ...] = ()) -> dict[int, float]:
    """The scores that llama.cpp's samplers leave, by token."""
    import llama_cpp as api

    chain = api.llama_sampler_chain_init(api.llama_sampler_chain_default_params())
    for each in samplers:
        api.llama_sampler_chain_add(chain, each)
    for token in accepted:
        api.llama_sampler_accept(chain, token)
    data = np.zeros(len(row), dtype=[("id", np.int32), ("logit", np.float32), ("p", np.float32)])
    data["id"], data["logit"] = np.arange(len(row)), row
    array = api.llama_token_data_array(
        data=data.ctypes.data_as(api.llama_token_data_p), size=len(row), selected=-1, sorted=False
    )
    api.llama_sampler_apply(chain, ctypes.byref(array))
    api.llama_sampler_free(chain)
    left = data[: array.size]
    return dict(zip(left["id"].tolist(), left["logit"].tolist(), strict=True))


@pytest.mark.parametrize("sampling", SAMPLINGS, ids=str)
def test_the_same_tokens_may_be_drawn_and_as_likely(tiny_rows: Scores, sampling: Sampling) -> None:
    import llama_cpp as api

    for row in tiny_rows:
        samplers = [api.llama_sampler_init_temp(sampling.temperature)]
        if sampling.top_k:
            samplers.append(api.llama_sampler_init_top_k(sampling.top_k))
        samplers.append(api.llama_sampler_init_top_p(sampling.top_p, 1))
        samplers.append(api.llama_sampler_init_min_p(sampling.min_p, 1))
        theirs = applied(row, *samplers)
        tokens, weights = candidates(row, sampling)
        found = dict(zip(range(len(row)) if tokens is None else tokens.tolist(), weights.tolist(), strict=True))
        assert found.keys() == theirs.keys()
        best = max(theirs.values())
        for token, weight in found.items():
            assert weight == pytest.approx(np.exp(theirs[token] - best), rel=1e-4)


def test_penalties_are_the_same(tiny_rows: Scores) -> None:
    import llama_cpp as api

    answer, vocabulary = (7, 9, 7, 200, 7, 9), tiny_rows.shape[1]
    penalties = Penalties(Sampling(repetition_penalty=1.3, frequency_penalty=0.7, presence_penalty=0.4), len(answer))
    for token in answer:
        penalties.count(token)
    for row in tiny_rows:
        theirs = applied(row, api.llama_sampler_init_penalties(vocabulary, len(answer), 1.3, 0.7, 0.4), accepted=answer)
        penalised = row.copy()
        penalties.apply(penalised)
        assert penalised.tolist() == pytest.approx([theirs[token] for token in range(vocabulary)], rel=1e-5)
        assert np.flatnonzero(penalised != row).tolist() == [7, 9, 200]
