"""Embeds texts on a context of its own, so that they never wait for or disturb answers being written.

A model that declares how it pools is obeyed; any other is mean pooled over the text's tokens.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from inference.errors import EngineError
from inference.llamacpp.context import Context
from inference.llamacpp.library import library
from inference.llamacpp.model import Model
from inference.llamacpp.runner import Batch

BATCH_TEXTS = 16
LONGEST_TEXT_TOKENS = 2048  # a pooled text must be computed in one piece, and memory grows with its square


class Embedder:
    """Texts of up to `text_tokens` tokens each. Only one thread may use it at a time."""

    def __init__(self, model: Model, context_tokens: int) -> None:
        self._api = model.api
        self._width = model.width
        self.text_tokens = min(context_tokens, LONGEST_TEXT_TOKENS)
        params = self._api.llama_context_default_params()
        params.embeddings = True
        params.n_ctx = params.n_batch = params.n_ubatch = self.text_tokens
        params.n_seq_max = BATCH_TEXTS
        params.kv_unified = True
        params.no_perf = True
        if model.metadata(f"{model.metadata('general.architecture')}.pooling_type") is None:
            params.pooling_type = self._api.LLAMA_POOLING_TYPE_MEAN
        self._context = Context(model, params, self.text_tokens)  # every token has results
        self._memory = self._context.memory
        self._batch = Batch(model, self.text_tokens)
        self.memory_mib = {
            "embedder_context": self._context.memory_mib,
            "embedder_compute": self._context.compute_mib,
        }

    def reserve(self) -> None:
        """Allocate what the longest text needs; before the first one. Raises `WeightsError`."""
        self._batch.clear()
        self._batch.add([0] * self.text_tokens, 0, 0, outputs=self.text_tokens)
        self._context.reserve(self._batch.struct)

    def batches(self, texts: Sequence[list[int]]) -> list[list[list[int]]]:
        """The texts in order, in groups that one call of `embed` can take."""
        groups: list[list[list[int]]] = []
        room = 0
        for text in texts:
            if not groups or len(groups[-1]) == BATCH_TEXTS or len(text) > room:
                groups.append([])
                room = self.text_tokens
            groups[-1].append(text)
            room -= len(text)
        return groups

    def embed(self, texts: Sequence[list[int]]) -> NDArray[np.float32]:
        """One row per text (texts x width), not normalised. Raises `EngineError`."""
        self._batch.clear()
        for slot, tokens in enumerate(texts):
            self._batch.add(tokens, 0, slot, outputs=len(tokens))
        if self._memory:
            self._api.llama_memory_clear(self._memory, True)
        code = self._api.llama_decode(self._context.pointer, self._batch.struct)
        if code != 0:
            raise EngineError(f"llama.cpp could not embed the texts (code {code}: {library().last_complaint}).")
        rows = [self._api.llama_get_embeddings_seq(self._context.pointer, slot) for slot in range(len(texts))]
        return np.stack([np.ctypeslib.as_array(row, shape=(self._width,)) for row in rows])

    def use_threads(self, count: int) -> None:
        """Compute with so many threads from now on."""
        self._context.use_threads(count)

    def close(self) -> None:
        """Free the memory; safe to call twice."""
        self._context.close()
