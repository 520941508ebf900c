"""A llama.cpp context: the sequences' memory, the buffers that steps are computed in, and how large they are.

The C API does not tell sizes, so they are read from what llama.cpp logs when it makes a context. All of it is there
before the first request, and no request makes it grow.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Any

from inference.errors import WeightsError
from inference.llamacpp.library import library
from inference.llamacpp.model import Model
from inference.memory import MIB

# One line for each kind of memory: "llama_kv_cache: size = 24.00 MiB (1024 cells, ...". Those of buffers say nothing
# in a sketch.
_MEMORY = re.compile(r"(?<!buffer )size = +([0-9.]+) MiB")
_COMPUTE = re.compile(r"compute buffer size = +([0-9.]+) MiB")
_FLOAT_BYTES = 4
_CALLED_OFF = 2


class Context:
    """A step has at most `rows` results, to which the parameters must be fit. Raises `WeightsError`.

    `memory_mib` is what the sequences have, `compute_mib` the buffers of a step and its results.
    """

    def __init__(self, model: Model, params: Any, rows: int) -> None:
        self._api = model.api
        self._sketch = model.sketch
        # OpenMP keeps the threads of everyone who has computed with several. With more than there are cores, all of
        # them sleep at once where they would wait for each other for a moment: so nobody but the worker may begin.
        params.n_threads = params.n_threads_batch = 1
        with library().heard() as lines:
            self.pointer = self._api.llama_init_from_model(model.pointer, params)
        if not self.pointer:
            raise WeightsError(f"llama.cpp cannot make a context for {model.path}: {library().last_complaint}.")
        self._threads = params.n_threads
        self.memory = self._api.llama_get_memory(self.pointer)
        row = model.vocabulary.size + (model.width if params.embeddings else 0)
        self.memory_mib = _total(_MEMORY, lines)
        self.compute_mib = _total(_COMPUTE, lines) + rows * row * _FLOAT_BYTES / MIB

    def reserve(self, batch: Any) -> None:
        """Have the room for results allocated that a `llama_batch` needs, the largest that will come.

        llama.cpp allocates it when it is first wanted, which is before anything is computed: a step that is
        called off as soon as it begins is enough. GPUs cannot be called off; they compute it. In a sketch nothing
        happens. Raises `WeightsError`.
        """
        if self._sketch:
            return
        call_off = self._api.ggml_abort_callback(lambda _: True)
        self._api.llama_set_abort_callback(self.pointer, call_off, None)
        code = self._api.llama_decode(self.pointer, batch)
        self._api.llama_set_abort_callback(self.pointer, self._api.ggml_abort_callback(), None)
        if code not in (0, _CALLED_OFF):
            raise WeightsError(f"llama.cpp cannot make room for results (code {code}: {library().last_complaint}).")
        library().forget_complaint()
        if self.memory:
            self._api.llama_memory_clear(self.memory, True)

    def use_threads(self, count: int) -> None:
        """Compute with so many threads from the next step on."""
        if count != self._threads:
            self._threads = count
            self._api.llama_set_n_threads(self.pointer, count, count)

    def close(self) -> None:
        """Free the memory; safe to call twice."""
        if self.pointer:
            self._api.llama_free(self.pointer)
            self.pointer = None


def _total(pattern: re.Pattern[str], lines: Iterable[str]) -> float:
    return sum(float(found[1]) for line in lines if (found := pattern.search(line)))
