"""A loaded GGUF file: its metadata and its vocabulary."""

from __future__ import annotations

import ctypes
import functools
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from inference.catalog import InfillMarks
from inference.errors import WeightsError
from inference.llamacpp.library import library
from inference.memory import MIB


@dataclass(frozen=True, slots=True)
class InfillTokens:
    """The control tokens around the two halves of a text whose middle is to be filled in."""

    prefix: int
    suffix: int
    middle: int


class Model:
    """The weights in memory. Raises `WeightsError` if llama.cpp cannot load the file.

    A `sketch` has everything but the weights, and its contexts have sizes but no memory: it tells what there will be.
    """

    def __init__(self, path: Path, gpu_layers: int, *, sketch: bool = False) -> None:
        self.api: Any = library().api
        params = self.api.llama_model_default_params()
        params.n_gpu_layers = gpu_layers
        if sketch:
            params.no_alloc, params.load_mode = True, self.api.LLAMA_LOAD_MODE_NONE
        self.path = path
        self.sketch = sketch
        self.on_gpu = gpu_layers > 0
        self.pointer = self.api.llama_model_load_from_file(os.fsencode(path), params)
        if not self.pointer:
            raise WeightsError(f"llama.cpp cannot load {path}: {library().last_complaint}.")
        self.vocabulary = Vocabulary(self.api, self.api.llama_model_get_vocab(self.pointer))

    @property
    def weights_mib(self) -> float:
        """Size of all tensors in MiB.

        All of them are read for every token, so they count in full, although the file is mapped and the kernel could
        drop its pages. For some types of numbers llama.cpp makes copies in another order and then reads only those.
        """
        return float(self.api.llama_model_size(self.pointer) / MIB)

    @property
    def trained_context_tokens(self) -> int:
        """The longest sequence the model was made for."""
        return int(self.api.llama_model_n_ctx_train(self.pointer))

    @property
    def width(self) -> int:
        """Components of an embedding."""
        return int(self.api.llama_model_n_embd(self.pointer))

    @property
    def head_width(self) -> int:
        """Components of a key in one attention head."""
        stated = self.metadata(f"{self.metadata('general.architecture')}.attention.key_length")
        return int(stated) if stated else self.width // max(1, int(self.api.llama_model_n_head(self.pointer)))

    def metadata(self, key: str) -> str | None:
        """A value of the file's header as text; None if it has none of that name."""
        name = key.encode()
        length = self.api.llama_model_meta_val_str(self.pointer, name, None, 0)
        if length < 0:
            return None
        buffer = ctypes.create_string_buffer(length + 1)
        self.api.llama_model_meta_val_str(self.pointer, name, buffer, length + 1)
        return buffer.value.decode("utf-8", "replace")

    def close(self) -> None:
        """Free the memory; safe to call twice."""
        if self.pointer:
            self.api.llama_model_free(self.pointer)
            self.pointer = None


class Vocabulary:
    """Text to tokens and back. Safe to use from several threads."""

    def __init__(self, api: Any, pointer: Any) -> None:
        self._api = api
        self.pointer = pointer
        self.size = int(api.llama_vocab_n_tokens(pointer))
        self.begin = int(api.llama_vocab_bos(pointer))
        self.end = int(api.llama_vocab_eos(pointer))
        self.adds_begin = bool(api.llama_vocab_get_add_bos(pointer))
        self._pieces: dict[int, bytes] = {}

    def tokenize(self, text: str, *, control: bool, ends: bool = False) -> list[int]:
        """The tokens of `text`.

        The names of control tokens in it are read as such only with `control`; with `ends` the model's own
        begin and end tokens are added, where it has them.
        """
        data = text.encode("utf-8", "replace")
        count = len(data) + 8
        while True:
            room = count
            buffer = (self._api.llama_token * room)()
            count = self._api.llama_tokenize(self.pointer, data, len(data), buffer, room, ends, control)
            if count >= 0:
                return list(buffer[:count])
            count = -count

    def piece(self, token: int) -> bytes:
        """The bytes a token stands for; none for control tokens."""
        known = self._pieces.get(token)
        if known is None:
            known = self._pieces[token] = self._spell(token, control=False)
        return known

    def name(self, token: int) -> str:
        """The text of a control token, as chat templates write it; empty if there is no such token."""
        return self._spell(token, control=True).decode("utf-8", "replace") if token >= 0 else ""

    def is_end(self, token: int) -> bool:
        """Whether the token ends an answer."""
        return bool(self._api.llama_vocab_is_eog(self.pointer, token))

    @functools.cached_property
    def control_tokens(self) -> dict[int, str]:
        """The texts of all control tokens."""
        tokens = range(self.size)
        return {token: self.name(token) for token in tokens if self._api.llama_vocab_is_control(self.pointer, token)}

    @functools.cached_property
    def silent_tokens(self) -> frozenset[int]:
        """The control tokens that do not end an answer: they leave no trace in it."""
        return frozenset(token for token in self.control_tokens if not self.is_end(token))

    def infill_tokens(self, marks: InfillMarks | None = None) -> InfillTokens | None:
        """The tokens for filling in, those of `marks` or the file's own; None if the model has none."""
        if marks is not None:
            named = [self.tokenize(name, control=True) for name in (marks.prefix, marks.suffix, marks.middle)]
            whole = all(len(each) == 1 and each[0] in self.control_tokens for each in named)
            return InfillTokens(*(each[0] for each in named)) if whole else None
        api = self._api
        tokens = [
            int(ask(self.pointer))
            for ask in (api.llama_vocab_fim_pre, api.llama_vocab_fim_suf, api.llama_vocab_fim_mid)
        ]
        return InfillTokens(*tokens) if min(tokens) >= 0 else None

    def _spell(self, token: int, *, control: bool) -> bytes:
        buffer = ctypes.create_string_buffer(64)
        length = self._api.llama_token_to_piece(self.pointer, token, buffer, len(buffer), 0, control)
        if length < 0:
            buffer = ctypes.create_string_buffer(-length)
            length = self._api.llama_token_to_piece(self.pointer, token, buffer, -length, 0, control)
        return buffer.raw[:length]
