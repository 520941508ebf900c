"""Writes a GGUF of the shape of a real model with random weights: as much work per token, nothing to download.

Every ASCII character is one token, so texts of an exact length are easy to make. The embedding is small beside what
the layers add: the next token then depends on everything before it, and answers do not run in circles, which would
give engines that guess from repetitions an advantage that they would not have on a real model.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np
from numpy.typing import NDArray

CHATML = (
    "{%- for message in messages %}{{- '<|im_start|>' + message['role'] + '\\n' + (message['content'] or '') "
    "+ '<|im_end|>' + '\\n' }}{%- endfor %}{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"
)
SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>", "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>")
END_OF_TEXT, IM_END = 256, 258
FIM_PREFIX, FIM_SUFFIX, FIM_MIDDLE = 259, 260, 261
END_TOKENS = (END_OF_TEXT, IM_END)
_BLOCK = 32
_EMBEDDING_SIZE = 0.02
_ATTENTION_GAIN = 0.1


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes of the network; the default is Qwen2.5's 0.5 B model."""

    width: int = 896
    layers: int = 24
    heads: int = 14
    kv_heads: int = 2
    feed_forward: int = 4864
    vocabulary: int = 151_936
    context: int = 32_768

    @property
    def head(self) -> int:
        """The width of a head."""
        return self.width // self.heads


class Weights:
    """Random tensors in llama.cpp's block formats, always the same for one seed."""

    def __init__(self, seed: int = 7) -> None:
        self._random = np.random.default_rng(seed)

    def q4_0(self, rows: int, columns: int, gain: float) -> NDArray[np.uint8]:
        """Blocks of a half-precision scale and 32 four-bit numbers; the output is `gain` times as large as the input.

        The numbers are -8 to 7, not centred; scales of either sign make their mean zero again.
        """
        scale = gain / (4.6 * columns**0.5)
        return self._blocks(rows, columns, scale, _BLOCK // 2)

    def q8_0(self, rows: int, columns: int, size: float) -> NDArray[np.uint8]:
        """Blocks of a half-precision scale and 32 bytes."""
        return self._blocks(rows, columns, size / 74.0, _BLOCK)

    def _blocks(self, rows: int, columns: int, scale: float, numbers: int) -> NDArray[np.uint8]:
        count = columns // _BLOCK
        blocks = np.empty((rows, count, 2 + numbers), dtype=np.uint8)
        sizes = self._random.uniform(0.8, 1.2, (rows, count)) * self._random.choice((-1.0, 1.0), (rows, count))
        blocks[:, :, :2] = (scale * sizes).astype(np.float16)[:, :, None].view(np.uint8)
        blocks[:, :, 2:] = self._random.integers(0, 256, (rows, count, numbers), dtype=np.uint8)
        return blocks.reshape(rows, -1)


def _byte_tokens() -> list[str]:
    """The 256 byte tokens in GPT-2's printable spelling."""
    printable = {*range(33, 127), *range(161, 173), *range(174, 256)}
    spare = iter(range(256, 512))
    return [chr(byte) if byte in printable else chr(next(spare)) for byte in range(256)]


def _write_vocabulary(writer: gguf.GGUFWriter, size: int) -> None:
    known = [*_byte_tokens(), *SPECIAL]
    filler = [f"\u0120w{number}" for number in range(len(known), size)]
    kinds = [gguf.TokenType.NORMAL] * 256 + [gguf.TokenType.CONTROL] * len(SPECIAL)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list([*known, *filler])
    writer.add_token_types([*kinds, *([gguf.TokenType.NORMAL] * len(filler))])
    writer.add_token_merges(["a b"])  # llama.cpp refuses an empty list; the pair has no token, so nothing is merged
    writer.add_bos_token_id(END_OF_TEXT)
    writer.add_eos_token_id(IM_END)
    writer.add_add_bos_token(False)
    writer.add_uint32("tokenizer.ggml.fim_pre_token_id", FIM_PREFIX)
    writer.add_uint32("tokenizer.ggml.fim_suf_token_id", FIM_SUFFIX)
    writer.add_uint32("tokenizer.ggml.fim_mid_token_id", FIM_MIDDLE)
    writer.add_chat_template(CHATML)
    writer.add_vocab_size(size)


def _matrices(shape: Shape) -> Iterator[tuple[str, int, int, float]]:
    """Name, rows, columns and gain of the matrices of a layer."""
    kv = shape.kv_heads * shape.head
    yield "attn_q", shape.width, shape.width, 1.0
    yield "attn_k", kv, shape.width, 1.0
    yield "attn_v", kv, shape.width, 1.0
    yield "attn_output", shape.width, shape.width, _ATTENTION_GAIN
    yield "ffn_gate", shape.feed_forward, shape.width, 2.0
    yield "ffn_up", shape.feed_forward, shape.width, 2.0
    yield "ffn_down", shape.width, shape.feed_forward, 1.0


def _write_weights(writer: gguf.GGUFWriter, shape: Shape) -> None:
    weights = Weights()
    norm = np.ones(shape.width, dtype=np.float32)
    embedding = weights.q8_0(shape.vocabulary, shape.width, _EMBEDDING_SIZE)
    # There is no output matrix: llama.cpp then takes the embedding, as the models of this shape do.
    writer.add_tensor("token_embd.weight", embedding, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
    writer.add_tensor("output_norm.weight", norm)
    for layer in range(shape.layers):
        for name in ("attn_norm", "ffn_norm"):
            writer.add_tensor(f"blk.{layer}.{name}.weight", norm)
        for name, rows, columns, gain in _matrices(shape):
            blocks = weights.q4_0(rows, columns, gain)
            writer.add_tensor(f"blk.{layer}.{name}.weight", blocks, raw_dtype=gguf.GGMLQuantizationType.Q4_0)


def write_random_model(path: Path, shape: Shape | None = None) -> Path:
    """Write the model to `path` if it is not there yet, and return the path."""
    if path.exists():
        return path
    shape = shape or Shape()
    path.parent.mkdir(parents=True, exist_ok=True)
    unfinished = path.with_suffix(".unfinished")
    writer = gguf.GGUFWriter(unfinished, "llama")
    writer.add_name(path.stem)
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.kv_heads)
    writer.add_layer_norm_rms_eps(1e-6)
    writer.add_rope_dimension_count(shape.head)
    writer.add_rope_freq_base(1_000_000.0)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q4_0)
    _write_vocabulary(writer, shape.vocabulary)
    _write_weights(writer, shape)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return unfinished.replace(path)
