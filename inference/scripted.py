"""An engine that answers from a list: deterministic, for tests, demonstrations and dry runs.

It is not a model: a token is a word with the spaces before it, or a single other character with the
spaces before it; every token is one chunk. Embeddings are made of hashes of words and word pairs.
"""

from __future__ import annotations

import asyncio
import hashlib
import itertools
import re
import zlib
from collections.abc import AsyncGenerator, Iterator, Sequence
from dataclasses import replace

from inference.capabilities import check_embed, check_request
from inference.catalog import ScriptedModel
from inference.deadline import until_deadline, within_deadline
from inference.errors import ContextLengthExceeded, InvalidRequest
from inference.protocol import (
    ChatRequest,
    Chunk,
    Embeddings,
    EmbedRequest,
    FinishReason,
    Health,
    ModelCard,
    Sampling,
    TokenLogprob,
    Tokens,
    Usage,
)
from inference.stop import StopFilter
from inference.vectors import unit_vectors

EMBEDDING_WIDTH = 64

_TOKEN = re.compile(r"\s*(?:\w+|[^\w\s])|\s+")


class ScriptedEngine:
    """Gives the first reply of the script that fits the last message; logprobs are those of certainty."""

    def __init__(self, model: ScriptedModel) -> None:
        self._model = model
        self._given = [0] * len(model.replies)
        self.in_flight = 0

    def models(self) -> Sequence[ModelCard]:
        """The one scripted model."""
        return (self._model.card(),)

    def stream(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        """Answer piece by piece; with n above 1 the choices are equal and come one after another."""
        return within_deadline(self._answer(request), request.deadline)

    async def embed(self, request: EmbedRequest) -> Embeddings:
        """Embed the texts by hashing their words and word pairs."""
        check_embed(self.models(), request)
        import numpy as np

        async with until_deadline(request.deadline):
            rows = np.array([_features(text) for text in request.texts], dtype=np.float32)
        usage = Usage(prompt_tokens=sum(self.count_tokens(text) for text in request.texts))
        return Embeddings(unit_vectors(rows, request.dimensions), usage, self._model.name)

    async def tokenize(self, request: ChatRequest) -> Tokens:
        """The prompt by this engine's own rule, with numbers made of hashes."""
        check_request(self.models(), request)
        ids = tuple(zlib.crc32(token.encode()) for part in _parts(request) for token in _tokens(part))
        return Tokens(len(ids), ids, self._model.name)

    async def health(self) -> Health:
        """Always ready."""
        return Health(ready=True, detail="The script is ready.")

    async def close(self) -> None:
        """Nothing is held."""

    def count_tokens(self, text: str) -> int:
        """Tokens in `text` by this engine's own rule."""
        return len(_tokens(text))

    async def _answer(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        check_request(self.models(), request)
        prompt_tokens = self._prompt_tokens(request)
        reply = _tokens(self._reply(request))
        limit = min(request.sampling.max_tokens or len(reply), self._model.context_tokens - prompt_tokens)
        name, completion_tokens = self._model.name, 0
        self.in_flight += 1
        try:
            for index in range(request.sampling.n):
                for chunk in _choice(reply, limit, request.sampling):
                    await asyncio.sleep(self._model.delay_seconds)
                    completion_tokens += len(chunk.logprobs)
                    logprobs = chunk.logprobs if request.sampling.logprobs else ()
                    yield replace(chunk, index=index, logprobs=logprobs, model=name)
            yield Chunk(model=name, usage=Usage(prompt_tokens, completion_tokens))
        finally:
            self.in_flight -= 1

    def _prompt_tokens(self, request: ChatRequest) -> int:
        prompt_tokens = sum(self.count_tokens(part) for part in _parts(request))
        wanted = prompt_tokens + (request.sampling.max_tokens or 1)
        if wanted > self._model.context_tokens:
            raise ContextLengthExceeded(
                f"The prompt has {prompt_tokens} tokens and with the answer needs {wanted}; "
                f"the context of {self._model.name!r} is {self._model.context_tokens} tokens.",
                param="messages" if request.messages else "prompt",
            )
        return prompt_tokens

    def _reply(self, request: ChatRequest) -> str:
        last = request.messages[-1].content if request.messages else request.prompt or ""
        for number, reply in enumerate(self._model.replies):
            if reply.when in last and (reply.times is None or self._given[number] < reply.times):
                self._given[number] += 1
                return reply.text
        raise InvalidRequest(
            f"The script of {self._model.name!r} has no reply for this request; add one whose 'when' is part of it."
        )


def _parts(request: ChatRequest) -> list[str]:
    return [message.content for message in request.messages] or [request.prompt or "", request.suffix or ""]


def _tokens(text: str) -> list[str]:
    return _TOKEN.findall(text)


def _choice(reply: list[str], limit: int, sampling: Sampling) -> Iterator[Chunk]:
    """One chunk per token, with the token among its logprobs, and a last one that says why it ended."""
    stop = StopFilter(sampling.stop)
    for token in reply[:limit]:
        yield Chunk(stop.feed(token), logprobs=(TokenLogprob(token, 0.0, ((token, 0.0),)),))
        if stop.stopped:
            break
    reason: FinishReason = "stop" if stop.stopped or len(reply) <= limit else "length"
    yield Chunk(stop.flush(), finish_reason=reason, stop_string=stop.matched)


def _features(text: str) -> list[int]:
    """The sum of a pseudo-random vector for each word and word pair: texts that share words are close."""
    words = re.findall(r"\w+", text.lower()) or [text]
    row = [0] * EMBEDDING_WIDTH
    for feature in [*words, *(" ".join(pair) for pair in itertools.pairwise(words))]:
        digest = hashlib.blake2b(feature.encode(), digest_size=EMBEDDING_WIDTH).digest()
        row = [total + 2 * byte - 255 for total, byte in zip(row, digest, strict=True)]
    return row
