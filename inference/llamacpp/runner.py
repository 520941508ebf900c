"""Computes steps: a llama.cpp context with room for several sequences, and the batch it is fed with.

Each sequence has its own part of the context's memory, so none can take another's room and attention does not
look at other sequences. Only one thread may use a runner at a time.
"""

from __future__ import annotations

import ctypes
from collections.abc import Sequence as Many
from typing import Any

import numpy as np

from inference.errors import EngineError
from inference.llamacpp.context import Context
from inference.llamacpp.library import library
from inference.llamacpp.model import Model
from inference.llamacpp.scheduler import GUESS_TOKENS, Step
from inference.llamacpp.slots import Placement

# On CPUs ggml multiplies 16-bit numbers by 64 at once and the rest of a row one by one. With narrower heads than that,
# keys kept in blocks of 32 eight-bit numbers are read more than twice as fast (and take half the memory), and flash
# attention takes up to three times the time of plain attention, which however needs memory for batch x context x
# heads scores. With wider heads flash attention is faster: by a sixth in prompts, a twentieth in answers.
NARROW_HEAD, BLOCK = 64, 32
LONG_CONTEXT_TOKENS = 8192


class Batch:
    """The arrays of a `llama_batch`, owned by numpy so that a step is filled in with slices."""

    def __init__(self, model: Model, tokens: int) -> None:
        self._token = np.zeros(tokens, dtype=np.int32)
        self._position = np.zeros(tokens, dtype=np.int32)
        self._slot = np.zeros(tokens, dtype=np.int32)
        self._output = np.zeros(tokens, dtype=np.int8)
        self._slots_per_token = np.ones(tokens, dtype=np.int32)
        self._slot_pointers = self._slot.ctypes.data + self._slot.itemsize * np.arange(tokens, dtype=np.uintp)
        api = model.api
        self.struct = api.llama_batch(
            n_tokens=0,
            token=self._token.ctypes.data_as(ctypes.POINTER(api.llama_token)),
            embd=None,
            pos=self._position.ctypes.data_as(ctypes.POINTER(api.llama_pos)),
            n_seq_id=self._slots_per_token.ctypes.data_as(ctypes.POINTER(ctypes.c_int32)),
            seq_id=self._slot_pointers.ctypes.data_as(ctypes.POINTER(ctypes.POINTER(api.llama_seq_id))),
            logits=self._output.ctypes.data_as(ctypes.POINTER(ctypes.c_int8)),
        )

    def clear(self) -> None:
        """Empty the batch."""
        self.struct.n_tokens = 0

    def add(self, tokens: Many[int], start: int, slot: int, outputs: int) -> int:
        """Append tokens at positions from `start`, with results for the last `outputs`; the row of the last one."""
        first: int = self.struct.n_tokens
        end = first + len(tokens)
        self._token[first:end] = tokens
        self._position[first:end] = np.arange(start, start + len(tokens))
        self._slot[first:end] = slot
        self._output[first:end] = 0
        self._output[end - outputs : end] = 1
        self.struct.n_tokens = end
        return end - 1


class Runner:
    """`slots` sequences of up to `context_tokens` each. Raises `WeightsError` if there is not enough memory."""

    def __init__(self, model: Model, slots: int, context_tokens: int, batch_tokens: int) -> None:
        self._api = model.api
        self._slots = slots
        self._most_rows = min(batch_tokens, slots + GUESS_TOKENS)
        params = self._api.llama_context_default_params()
        params.n_ctx = slots * context_tokens
        params.n_seq_max = slots
        params.n_batch = params.n_ubatch = batch_tokens
        params.n_outputs_max = self._most_rows  # otherwise room for the results of every token of a batch is kept
        params.kv_unified = False
        narrow = model.head_width < NARROW_HEAD and not model.on_gpu
        if narrow and model.head_width % BLOCK == 0:
            params.type_k = self._api.GGML_TYPE_Q8_0
        if narrow and context_tokens <= LONG_CONTEXT_TOKENS:
            params.flash_attn_type = self._api.LLAMA_FLASH_ATTN_TYPE_DISABLED
        params.no_perf = True
        self._context = Context(model, params, self._most_rows)
        self._memory = self._context.memory
        self._batch = Batch(model, batch_tokens)
        recurrent = self._api.llama_model_is_recurrent(model.pointer) or self._api.llama_model_is_hybrid(model.pointer)
        self.can_take_back = not recurrent

        self.memory_mib = {"context": self._context.memory_mib, "compute": self._context.compute_mib}

    @property
    def context(self) -> Any:
        """llama.cpp's pointer, for samplers."""
        return self._context.pointer

    def reserve(self) -> None:
        """Allocate what the step with the most results needs; before the first step. Raises `WeightsError`."""
        self._batch.clear()
        each, rest = divmod(self._most_rows, self._slots)
        for slot in range(self._slots):
            count = each + (slot < rest)
            self._batch.add([0] * count, 0, slot, outputs=count)
        self._context.reserve(self._batch.struct)

    def forward(self, steps: list[Step]) -> list[int]:
        """Compute a step; for each entry the row after which its next token is drawn. Raises `EngineError`.

        The rows of a guess follow it.
        """
        self._batch.clear()
        rows = {}
        for step in sorted(steps, key=lambda step: step.sequence.slot or 0):  # neighbours are computed together
            tokens = [*step.sequence.tokens[step.start : step.start + step.count], *step.guess]
            slot, outputs = step.sequence.slot, step.output + len(step.guess)
            assert slot is not None
            rows[slot] = self._batch.add(tokens, step.start, slot, outputs) - len(step.guess)
        if (results := sum(step.output + len(step.guess) for step in steps)) > self._most_rows:
            raise EngineError(f"A step wants {results} results; there is room for {self._most_rows}.")
        code = self._api.llama_decode(self.context, self._batch.struct)
        if code != 0:
            raise EngineError(f"llama.cpp could not compute a step (code {code}: {library().last_complaint}).")
        return [rows[step.sequence.slot] for step in steps if step.sequence.slot is not None]

    def place(self, placement: Placement) -> int:
        """Let a slot's memory begin with what another (or itself) holds; how many tokens it then does.

        None, where a model's memory cannot be cut: one that is recurrent, or has slid past its beginning.
        """
        api, memory, slot = self._api, self._memory, placement.slot
        if placement.saved is not None:
            self._copy(slot, placement.saved)
        if placement.source != slot:
            self._copy(placement.source, slot)
        whole = api.llama_memory_seq_pos_min(memory, slot) == 0
        if whole and api.llama_memory_seq_rm(memory, slot, placement.reused, -1):
            return placement.reused
        api.llama_memory_seq_rm(memory, slot, -1, -1)
        return 0

    def _copy(self, source: int, slot: int) -> None:
        self._api.llama_memory_seq_rm(self._memory, slot, -1, -1)
        self._api.llama_memory_seq_cp(self._memory, source, slot, -1, -1)

    def take_back(self, slot: int, computed: int) -> None:
        """Forget what a slot's memory holds after its first `computed` tokens; only if `can_take_back`."""
        self._api.llama_memory_seq_rm(self._memory, slot, computed, -1)

    def use_threads(self, count: int) -> None:
        """Compute with so many threads from now on."""
        self._context.use_threads(count)

    def close(self) -> None:
        """Free the memory; safe to call twice."""
        self._context.close()
