"""Draws tokens: a chain of llama.cpp's samplers per sequence, with a grammar when JSON is asked for.

The order is OpenAI's: bias and penalties, temperature, the likeliest (k, nucleus, share), draw. Penalties count
the answer's tokens only.
"""

from __future__ import annotations

import ctypes
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.errors import EngineError, InvalidRequest
from inference.llamacpp.model import Model, Vocabulary
from inference.protocol import Sampling, TokenLogprob

RANDOM_SEED = 0xFFFFFFFF  # llama.cpp then takes one from the operating system


class Sampler:
    """The state of one sequence's draws; `close` must be called. Raises `InvalidRequest` for a bad grammar."""

    def __init__(self, model: Model, sampling: Sampling, index: int, longest_answer: int, grammar: str | None) -> None:
        self._api = model.api
        self._vocabulary = model.vocabulary
        self._sampling = sampling
        self._constraint = Constraint(model, grammar) if grammar is not None else None
        self._chain = self._api.llama_sampler_chain_init(self._api.llama_sampler_chain_default_params())
        self._add_bias(sampling)
        self._add_penalties(sampling, longest_answer)
        self._add_draw(sampling, index)

    def sample(self, context: Any, row: int) -> int:
        """The next token after the row's token, remembered for penalties and grammar."""
        if self._constraint is None:
            return int(self._api.llama_sampler_sample(self._chain, context, row))
        token = self._constraint.pick(self._chain, logits(self._api, context, row, self._vocabulary.size))
        self._api.llama_sampler_accept(self._chain, token)
        return token

    def logprob(self, context: Any, row: int, token: int) -> TokenLogprob | None:
        """The token's log probability before bias, penalties and temperature, if asked for."""
        if not self._sampling.logprobs:
            return None
        scores = logits(self._api, context, row, self._vocabulary.size)
        return token_logprob(scores, token, self._sampling.top_logprobs, self._vocabulary)

    def close(self) -> None:
        """Free the chain; safe to call twice."""
        if self._chain:
            self._api.llama_sampler_free(self._chain)
            self._chain = None
        if self._constraint is not None:
            self._constraint.close()

    def _add(self, sampler: Any) -> None:
        self._api.llama_sampler_chain_add(self._chain, sampler)

    def _add_bias(self, sampling: Sampling) -> None:
        if sampling.logit_bias:
            biases = (self._api.llama_logit_bias * len(sampling.logit_bias))()
            for entry, (token, bias) in zip(biases, sampling.logit_bias.items(), strict=True):
                entry.token, entry.bias = token, bias
            self._add(self._api.llama_sampler_init_logit_bias(self._vocabulary.size, len(biases), biases))

    def _add_penalties(self, sampling: Sampling, longest_answer: int) -> None:
        if sampling.frequency_penalty or sampling.presence_penalty or sampling.repetition_penalty != 1:
            self._add(
                self._api.llama_sampler_init_penalties(
                    self._vocabulary.size,
                    longest_answer,
                    sampling.repetition_penalty,
                    sampling.frequency_penalty,
                    sampling.presence_penalty,
                )
            )

    def _add_draw(self, sampling: Sampling, index: int) -> None:
        if sampling.temperature == 0:
            self._add(self._api.llama_sampler_init_greedy())
            return
        if sampling.temperature != 1:
            self._add(self._api.llama_sampler_init_temp(sampling.temperature))
        if sampling.top_k:
            self._add(self._api.llama_sampler_init_top_k(sampling.top_k))
        if sampling.top_p < 1:
            self._add(self._api.llama_sampler_init_top_p(sampling.top_p, 1))
        if sampling.min_p:
            self._add(self._api.llama_sampler_init_min_p(sampling.min_p, 1))
        seed = RANDOM_SEED if sampling.seed is None else (sampling.seed + index) % RANDOM_SEED
        self._add(self._api.llama_sampler_init_dist(seed))


class Constraint:
    """A grammar that every token must fit, with the candidates it is applied to."""

    def __init__(self, model: Model, grammar: str) -> None:
        self._api = model.api
        size = model.vocabulary.size
        self._candidates = np.zeros(size, dtype=[("id", np.int32), ("logit", np.float32), ("p", np.float32)])
        self._array = self._api.llama_token_data_array(
            data=self._candidates.ctypes.data_as(self._api.llama_token_data_p), size=size, selected=-1, sorted=False
        )
        self._grammar = self._api.llama_sampler_init_grammar(model.vocabulary.pointer, grammar.encode(), b"root")
        if not self._grammar:
            raise InvalidRequest(
                "The schema in 'response_format' cannot be used: llama.cpp does not accept its grammar.",
                param="response_format",
            )

    def pick(self, chain: Any, scores: NDArray[np.float32]) -> int:
        """Draw freely; if the grammar forbids that token, draw among those it allows."""
        token = self._draw(chain, scores)
        if not self._allows(token):
            self._fill(scores)
            self._api.llama_sampler_apply(self._grammar, ctypes.byref(self._array))
            allowed = self._candidates["logit"].copy()
            if not np.isfinite(allowed).any():
                raise EngineError("No token of this model can continue the JSON that was asked for.")
            token = self._draw(chain, allowed)
        self._api.llama_sampler_accept(self._grammar, token)
        return token

    def close(self) -> None:
        """Free the grammar; safe to call twice."""
        if self._grammar:
            self._api.llama_sampler_free(self._grammar)
            self._grammar = None

    def _fill(self, scores: NDArray[np.float32]) -> None:
        self._candidates["id"] = np.arange(len(scores), dtype=np.int32)
        self._candidates["logit"] = scores
        self._array.size, self._array.selected, self._array.sorted = len(scores), -1, False

    def _draw(self, chain: Any, scores: NDArray[np.float32]) -> int:
        self._fill(scores)
        self._api.llama_sampler_apply(chain, ctypes.byref(self._array))
        return int(self._candidates["id"][self._array.selected])

    def _allows(self, token: int) -> bool:
        one = self._api.llama_token_data(id=token, logit=1.0, p=0.0)
        array = self._api.llama_token_data_array(data=ctypes.pointer(one), size=1, selected=-1, sorted=False)
        self._api.llama_sampler_apply(self._grammar, ctypes.byref(array))
        return bool(np.isfinite(one.logit))


def logits(api: Any, context: Any, row: int, size: int) -> NDArray[np.float32]:
    """The scores of all tokens (vocabulary size) after the row's token; valid until the next step."""
    return np.ctypeslib.as_array(api.llama_get_logits_ith(context, row), shape=(size,))


def token_logprob(scores: NDArray[np.float32], token: int, top: int, vocabulary: Vocabulary) -> TokenLogprob:
    """Log softmax of the scores at `token`, and at the `top` likeliest tokens."""
    highest = float(scores.max())
    total = highest + float(np.log(np.exp(scores.astype(np.float64) - highest).sum()))
    likeliest = np.argsort(-scores, kind="stable")[:top].tolist()

    def entry(candidate: int) -> tuple[str, float]:
        return vocabulary.piece(candidate).decode("utf-8", "replace"), float(scores[candidate]) - total

    return TokenLogprob(*entry(token), top=tuple(entry(candidate) for candidate in likeliest))
