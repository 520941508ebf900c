"""Draws tokens: a chain of llama.cpp's samplers per sequence, with a grammar for JSON and for calls of tools.

The order is OpenAI's: bias and penalties, temperature, the likeliest (k, nucleus, share), draw. Penalties count
the answer's tokens only.
"""

from __future__ import annotations

import ctypes
from collections.abc import Collection
from typing import Any

import numpy as np
from numpy.typing import NDArray

from inference.errors import EngineError, InvalidRequest
from inference.llamacpp.model import Model, Vocabulary
from inference.llamacpp.toolcalls.calling import Calling
from inference.llamacpp.toolcalls.watch import Seen
from inference.protocol import Sampling, TokenLogprob

RANDOM_SEED = 0xFFFFFFFF  # llama.cpp then takes one from the operating system


class Sampler:
    """The state of one sequence's draws; `close` must be called. Raises `InvalidRequest` for a bad grammar."""

    def __init__(
        self, model: Model, sampling: Sampling, index: int, longest_answer: int, grammar: str | Calling | None
    ) -> None:
        self._api = model.api
        self._model = model
        self._vocabulary = model.vocabulary
        self._sampling = sampling
        self._calling = grammar if isinstance(grammar, Calling) else None
        self._watch = self._calling.watch if self._calling is not None and self._calling.free else None
        self._constraint = None
        if isinstance(grammar, str):
            self._constraint = Constraint(model, grammar)
        elif grammar is not None and not grammar.free:
            self._constraint = Constraint(model, grammar.grammar, grammar.marks)
        self._chain = self._api.llama_sampler_chain_init(self._api.llama_sampler_chain_default_params())
        self._add_bias(sampling)
        self._add_penalties(sampling, longest_answer)
        self._add_draw(sampling, index)

    def sample(self, context: Any, row: int) -> int:
        """The next token after the row's token, remembered for penalties and grammar."""
        if self._constraint is None:
            token = int(self._api.llama_sampler_sample(self._chain, context, row))
            return token if self._watch is None or self._follow(token) else self._draw_again(context, row, token)
        token = self._constraint.pick(self._chain, logits(self._api, context, row, self._vocabulary.size))
        self._api.llama_sampler_accept(self._chain, token)
        return token

    def _follow(self, token: int) -> bool:
        """Watch the answer until calls begin; False if the token begins them and goes on as none can."""
        assert self._watch is not None
        assert self._calling is not None
        if self._vocabulary.is_end(token):
            return True
        piece = self._calling.marks.get(token) or self._vocabulary.piece(token)
        # One character for each byte: triggers are ASCII, and a token may end in the middle of a character.
        seen, watch = self._watch.read(piece.decode("latin-1"))
        if seen.trigger is not None:
            return self._enforce(self._calling, seen, piece, token)
        self._watch = watch
        return True

    def _enforce(self, calling: Calling, seen: Seen, piece: bytes, token: int) -> bool:
        """From this token on, which completes a trigger, the grammar holds; False if the token does not fit it."""
        assert seen.trigger is not None
        before = piece[: seen.end].decode("utf-8", "replace")
        constraint = Constraint(self._model, calling.grammar_after(seen.trigger, before), calling.marks)
        if not constraint.take(token):
            constraint.close()
            return False
        self._constraint, self._watch = constraint, None
        return True

    def _draw_again(self, context: Any, row: int, token: int) -> int:
        """Another token in place of one that cannot be. Penalties count both, which is rare and does not matter."""
        scores = logits(self._api, context, row, self._vocabulary.size).copy()
        draw = Draw(self._api, self._vocabulary.size)
        fits = False
        while not fits:
            scores[token] = -np.inf
            token = draw.token(self._chain, scores)
            fits = self._follow(token)
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


class Draw:
    """The candidates for a token, in an array that the C API reads and writes."""

    def __init__(self, api: Any, size: int) -> None:
        self._api = api
        self.candidates = np.zeros(size, dtype=[("id", np.int32), ("logit", np.float32), ("p", np.float32)])
        self.array = api.llama_token_data_array(
            data=self.candidates.ctypes.data_as(api.llama_token_data_p), size=size, selected=-1, sorted=False
        )

    def fill(self, scores: NDArray[np.float32]) -> None:
        """Make every token a candidate, with these scores."""
        self.candidates["id"] = np.arange(len(scores), dtype=np.int32)
        self.candidates["logit"] = scores
        self.array.size, self.array.selected, self.array.sorted = len(scores), -1, False

    def token(self, chain: Any, scores: NDArray[np.float32]) -> int:
        """What the chain draws."""
        self.fill(scores)
        self._api.llama_sampler_apply(chain, ctypes.byref(self.array))
        return int(self.candidates["id"][self.array.selected])


class Constraint:
    """A grammar that every token must fit. It reads control tokens by their names, so those that the answer has no text
    of are kept out; `marks` are the ones it has."""

    def __init__(self, model: Model, grammar: str, marks: Collection[int] = ()) -> None:
        self._api = model.api
        self._silent = model.vocabulary.silent_tokens.difference(marks)
        self._silent_rows = np.array(sorted(self._silent), np.int64)
        self._draw = Draw(model.api, model.vocabulary.size)
        self._grammar = self._api.llama_sampler_init_grammar(model.vocabulary.pointer, grammar.encode(), b"root")
        if not self._grammar:
            raise InvalidRequest(
                "The schema in 'response_format' cannot be used: llama.cpp does not accept its grammar.",
                param="response_format",
            )

    def pick(self, chain: Any, scores: NDArray[np.float32]) -> int:
        """Draw freely; if the grammar forbids that token, draw among those it allows."""
        token = self._draw.token(chain, scores)
        if not self.take(token):
            self._draw.fill(scores)
            self._api.llama_sampler_apply(self._grammar, ctypes.byref(self._draw.array))
            allowed = self._draw.candidates["logit"].copy()
            allowed[self._silent_rows] = -np.inf
            if not np.isfinite(allowed).any():
                raise EngineError("No token of this model can continue the JSON that was asked for.")
            token = self._draw.token(chain, allowed)
            self._api.llama_sampler_accept(self._grammar, token)
        return token

    def take(self, token: int) -> bool:
        """Go on with the token, if the grammar allows it."""
        if token in self._silent:
            return False
        one = self._api.llama_token_data(id=token, logit=1.0, p=0.0)
        array = self._api.llama_token_data_array(data=ctypes.pointer(one), size=1, selected=-1, sorted=False)
        self._api.llama_sampler_apply(self._grammar, ctypes.byref(array))
        allowed = bool(np.isfinite(one.logit))
        if allowed:
            self._api.llama_sampler_accept(self._grammar, token)
        return allowed

    def close(self) -> None:
        """Free the grammar; safe to call twice."""
        if self._grammar:
            self._api.llama_sampler_free(self._grammar)
            self._grammar = None


def check_grammar(model: Model, calling: Calling) -> None:
    """See to it that calls can be enforced before any has begun; raises `InvalidRequest`."""
    grammar = model.api.llama_sampler_init_grammar(model.vocabulary.pointer, calling.grammar.encode(), b"root")
    if not grammar:
        raise InvalidRequest(
            "The tools' parameters cannot be used: llama.cpp does not accept their grammar.", param="tools"
        )
    model.api.llama_sampler_free(grammar)


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
