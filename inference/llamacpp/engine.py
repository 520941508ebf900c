"""The engine: prepares requests, bounds how many are accepted, and passes on what the worker computes.

`concurrency` sequences are decoded together; up to `queue` more requests wait for a slot, and the next
one is refused at once with a time to come back.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncGenerator, Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import TypeVar

from inference.capabilities import check_embed, check_request
from inference.catalog import LlamaCppModel
from inference.deadline import until_deadline, within_deadline
from inference.errors import ContextLengthExceeded, EngineUnavailable, InvalidRequest
from inference.llamacpp.grammar import json_grammar
from inference.llamacpp.loading import load
from inference.llamacpp.sampler import check_grammar
from inference.llamacpp.scheduler import Scheduler
from inference.llamacpp.sequence import Generation
from inference.llamacpp.toolcalls.calling import Calling
from inference.llamacpp.worker import Worker
from inference.memory import in_words
from inference.protocol import (
    ChatRequest,
    Chunk,
    Embeddings,
    EmbedRequest,
    Health,
    ModelCard,
    Priority,
    Tokens,
    Usage,
)
from inference.vectors import unit_vectors

T = TypeVar("T")

RETRY_AFTER_SECONDS = 1.0


class LlamaCppEngine:
    """One GGUF model. Building it loads the weights, which blocks; raises `WeightsError`.

    All memory is allocated then: requests do not make it grow.
    """

    def __init__(self, model: LlamaCppModel, weights: Path) -> None:
        self._spec = model
        self._loaded = load(model, weights)
        self._model, self._prompts = self._loaded.model, self._loaded.prompts
        runner, self._embedder = self._loaded.runner, self._loaded.embedder
        guesses = model.guesses and runner is not None and runner.can_take_back
        scheduler = Scheduler(model.concurrency, self._loaded.batch_tokens, guesses=guesses)
        self._worker = Worker(self._loaded, scheduler)
        self._preparation = ThreadPoolExecutor(2, thread_name_prefix=f"prepare {model.name}")
        self._accepted: Counter[Priority] = Counter()
        self._closed = False

    @property
    def in_flight(self) -> int:
        """Sequences that are being written or wait for a slot."""
        return sum(self._worker.load)

    def models(self) -> Sequence[ModelCard]:
        """The one loaded model."""
        return (self._spec.card(),)

    def count_tokens(self, text: str) -> int:
        """The model's own count of the tokens in `text`, read as data. Raises `EngineUnavailable` when closed."""
        self._check_open()
        return len(self._model.vocabulary.tokenize(text, control=False))

    def stream(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        """Answer piece by piece; closing the generator frees the slot before the next step."""
        return within_deadline(self._answer(request), request.deadline)

    async def embed(self, request: EmbedRequest) -> Embeddings:
        """Embed the texts; each must fit the context (at most 2,048 tokens)."""
        check_embed(self.models(), request)
        async with until_deadline(request.deadline):
            with self._accept(request.priority):
                texts = await self._in_thread(lambda: self._tokenize_texts(request.texts))
                job = self._worker.embed(texts, request.priority)
                try:
                    rows = await asyncio.wrap_future(job.result)
                finally:
                    self._worker.drop(job)
        usage = Usage(prompt_tokens=sum(map(len, texts)))
        return Embeddings(unit_vectors(rows, request.dimensions), usage, self._spec.name)

    async def tokenize(self, request: ChatRequest) -> Tokens:
        """The prompt with the model's own template, tools and all."""
        check_request(self.models(), request)
        ids = await self._in_thread(lambda: self._prompts.tokens(request))
        return Tokens(len(ids), tuple(ids), self._spec.name)

    async def health(self) -> Health:
        """Ready unless closed or full; with what the model has allocated."""
        if not self._worker.alive:
            return Health(ready=False, detail="The llama.cpp engine is closed.")
        live, waiting = self._worker.load
        memory = self._loaded.memory_mib
        detail = f"{live} of {self._spec.concurrency} sequences are being written, {waiting} wait."
        detail += f" Memory: {in_words(memory)}."
        return Health(self._accepted["interactive"] < self._limit, detail, memory)

    async def close(self) -> None:
        """Stop after the current step and free the memory."""
        if not self._closed:
            self._closed = True
            await asyncio.to_thread(self._free)

    def _free(self) -> None:
        """End whatever may still use the memory, then free it."""
        self._worker.stop()
        self._preparation.shutdown()
        self._loaded.close()

    def _check_open(self) -> None:
        if self._closed:
            raise EngineUnavailable("The llama.cpp engine is closed.")

    async def _in_thread(self, prepare: Callable[[], T]) -> T:
        """Run what reads the vocabulary in a thread that `close` waits for."""
        self._check_open()
        return await asyncio.get_running_loop().run_in_executor(self._preparation, prepare)

    @property
    def _limit(self) -> int:
        return self._spec.concurrency + self._spec.queue

    @contextmanager
    def _accept(self, priority: Priority) -> Iterator[None]:
        """Count a request. Batch ones take no place from interactive ones: all together may be twice the limit."""
        before = self._accepted["interactive"] if priority == "interactive" else self._accepted.total()
        if before >= self._limit:
            raise EngineUnavailable(
                f"The model {self._spec.name!r} is full: {self._spec.concurrency} requests are answered and "
                f"{self._spec.queue} may wait.",
                retry_after_seconds=RETRY_AFTER_SECONDS,
            )
        self._accepted[priority] += 1
        try:
            yield
        finally:
            self._accepted[priority] -= 1

    async def _answer(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        check_request(self.models(), request)
        self._check_bias(request)
        with self._accept(request.priority):
            prompt, grammar = await self._in_thread(lambda: self._prepare(request))
            generation = Generation(request, prompt, self._longest_answer(request, prompt), grammar)
            self._worker.submit(generation)
            try:
                while True:
                    for chunk in await generation.receive():
                        yield chunk
                        if chunk.usage is not None:
                            return
            finally:
                self._worker.cancel(generation)

    def _prepare(self, request: ChatRequest) -> tuple[list[int], str | Calling | None]:
        calling = self._prompts.calling(request)
        if calling is not None:
            check_grammar(self._model, calling)
        return self._prompts.tokens(request), calling or json_grammar(request.response_format)

    def _longest_answer(self, request: ChatRequest, prompt: list[int]) -> int:
        """How many tokens the answer may have; raises `ContextLengthExceeded`, nothing is ever cut."""
        context, wanted = self._spec.context_tokens, request.sampling.max_tokens
        if not prompt:
            raise InvalidRequest("The prompt is empty.", param="prompt")
        if len(prompt) + (wanted or 1) > context:
            raise ContextLengthExceeded(
                f"The prompt has {len(prompt)} tokens and with the answer needs {len(prompt) + (wanted or 1)}; "
                f"the context of {self._spec.name!r} is {context} tokens.",
                param="messages" if request.messages else "prompt",
            )
        return wanted or context - len(prompt)

    def _tokenize_texts(self, texts: Sequence[str]) -> list[list[int]]:
        assert self._embedder is not None
        tokens = [self._model.vocabulary.tokenize(text, control=False, ends=True) for text in texts]
        longest = max(map(len, tokens))
        if longest > self._embedder.text_tokens:
            raise ContextLengthExceeded(
                f"A text has {longest} tokens; {self._spec.name!r} embeds up to {self._embedder.text_tokens}.",
                param="input",
            )
        return tokens

    def _check_bias(self, request: ChatRequest) -> None:
        unknown = [token for token in request.sampling.logit_bias if not 0 <= token < self._model.vocabulary.size]
        if unknown:
            raise InvalidRequest(
                f"The token {unknown[0]} in 'logit_bias' does not exist; "
                f"{self._spec.name!r} has tokens 0 to {self._model.vocabulary.size - 1}.",
                param="logit_bias",
            )
