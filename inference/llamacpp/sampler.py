"""What a sequence's next token is: drawn freely (`draw.py`), or as a grammar has it, for JSON and for calls of tools.

Also how likely it was. Of llama.cpp's own samplers only the grammar is used.
"""

from __future__ import annotations

import ctypes
from collections.abc import Callable, Collection
from typing import Any

import numpy as np

from inference.errors import EngineError, InvalidRequest
from inference.llamacpp.draw import Draw, Scores, likeliest
from inference.llamacpp.model import Model, Vocabulary
from inference.llamacpp.toolcalls.calling import Calling
from inference.llamacpp.toolcalls.watch import Seen
from inference.protocol import Sampling, TokenLogprob


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
        self._draw = Draw(sampling, index, longest_answer)

    def sample(self, context: Any, row: int) -> int:
        """The next token after the row's token, remembered for penalties and grammar."""
        scores = logits(self._api, context, row, self._vocabulary.size)
        if self._constraint is not None:
            token = self._constraint.pick(self._draw.token, scores)
        else:
            token = self._draw.token(scores)
            if self._watch is not None and not self._follow(token):
                token = self._draw_again(scores, token)
        self._draw.count(token)
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

    def _draw_again(self, scores: Scores, token: int) -> int:
        """Another token in place of one that cannot be."""
        left = scores.copy()
        fits = False
        while not fits:
            left[token] = -np.inf
            token = self._draw.token(left)
            fits = self._follow(token)
        return token

    def logprob(self, context: Any, row: int, token: int) -> TokenLogprob | None:
        """The token's log probability before bias, penalties and temperature, if asked for."""
        if not self._sampling.logprobs:
            return None
        scores = logits(self._api, context, row, self._vocabulary.size)
        return token_logprob(scores, token, self._sampling.top_logprobs, self._vocabulary)

    def close(self) -> None:
        """Free the grammar; safe to call twice."""
        if self._constraint is not None:
            self._constraint.close()


class Constraint:
    """A grammar that every token must fit. It reads control tokens by their names, so those that the answer has no text
    of are kept out; `marks` are the ones it has."""

    def __init__(self, model: Model, grammar: str, marks: Collection[int] = ()) -> None:
        self._api = model.api
        self._silent = model.vocabulary.silent_tokens.difference(marks)
        self._silent_rows = np.array(sorted(self._silent), np.int64)
        self._candidates = np.zeros(
            model.vocabulary.size, dtype=[("id", np.int32), ("logit", np.float32), ("p", np.float32)]
        )
        self._candidates["id"] = np.arange(model.vocabulary.size, dtype=np.int32)
        self._grammar = self._api.llama_sampler_init_grammar(model.vocabulary.pointer, grammar.encode(), b"root")
        if not self._grammar:
            raise InvalidRequest(
                "The schema in 'response_format' cannot be used: llama.cpp does not accept its grammar.",
                param="response_format",
            )

    def pick(self, draw: Callable[[Scores], int], scores: Scores) -> int:
        """Draw freely; if the grammar forbids that token, draw among those it allows."""
        token = draw(scores)
        if not self.take(token):
            token = draw(self._allowed(scores))
            self._api.llama_sampler_accept(self._grammar, token)
        return token

    def _allowed(self, scores: Scores) -> Scores:
        """The scores (vocabulary size) with -inf for what the grammar forbids."""
        self._candidates["logit"] = scores
        pointer = self._candidates.ctypes.data_as(self._api.llama_token_data_p)
        array = self._api.llama_token_data_array(data=pointer, size=len(scores), selected=-1, sorted=False)
        self._api.llama_sampler_apply(self._grammar, ctypes.byref(array))
        allowed: Scores = self._candidates["logit"].copy()
        allowed[self._silent_rows] = -np.inf
        if not np.isfinite(allowed).any():
            raise EngineError("No token of this model can continue the JSON that was asked for.")
        return allowed

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


def logits(api: Any, context: Any, row: int, size: int) -> Scores:
    """The scores of all tokens (vocabulary size) after the row's token; valid until the next step.

    They are llama.cpp's own memory: whoever changes them puts them back, because log probabilities are of these very
    numbers.
    """
    return np.ctypeslib.as_array(api.llama_get_logits_ith(context, row), shape=(size,))


def token_logprob(scores: Scores, token: int, top: int, vocabulary: Vocabulary) -> TokenLogprob:
    """Log softmax of the scores (vocabulary size) at `token`, and at the `top` likeliest tokens."""
    highest = scores.max()
    total = float(highest) + float(np.log(np.exp(scores - highest).sum(dtype=np.float64)))

    def entry(candidate: int) -> tuple[str, float]:
        return vocabulary.piece(candidate).decode("utf-8", "replace"), float(scores[candidate]) - total

    return TokenLogprob(*entry(token), top=tuple(entry(candidate) for candidate in likeliest(scores, top).tolist()))
