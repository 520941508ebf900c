"""Writes a llama-architecture GGUF with random weights: small, deterministic, loaded in milliseconds.

Its text is noise, but every mechanism is real: byte-level tokens, a ChatML template, fill-in-the-middle
tokens, an end-of-turn token. Tests of the llama.cpp engine run on it.
"""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np

CHATML = (
    "{% for message in messages %}<|im_start|>{{ message.role }}\n{{ message.content }}<|im_end|>\n{% endfor %}"
    "{% if add_generation_prompt %}<|im_start|>assistant\n{% endif %}"
)
PLAIN_SPECIAL = ("<|endoftext|>", "<|im_start|>", "<|im_end|>")
SPECIAL = (*PLAIN_SPECIAL, "<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>")
END_OF_TEXT, IM_START, IM_END, FIM_PREFIX, FIM_SUFFIX, FIM_MIDDLE = range(256, 262)
FIRST_WORD = 262


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes of the network; `plain` leaves out the chat template and the fill-in-the-middle tokens.

    The vocabulary ends with `words`, which are tokens of their own as <tool_call> is to Qwen, and `control` tokens.
    """

    width: int = 32
    layers: int = 2
    heads: int = 4
    feed_forward: int = 64
    context: int = 256
    plain: bool = False
    template: str = CHATML
    words: tuple[str, ...] = ()
    control: tuple[str, ...] = ()


def _byte_tokens() -> list[str]:
    """The 256 byte tokens in GPT-2's printable spelling."""
    printable = [*range(33, 127), *range(161, 173), *range(174, 256)]
    spelling = {byte: chr(byte) for byte in printable}
    spare = iter(range(256, 512))
    return [spelling[byte] if byte in spelling else chr(next(spare)) for byte in range(256)]


def _write_vocabulary(writer: gguf.GGUFWriter, shape: Shape) -> int:
    special = PLAIN_SPECIAL if shape.plain else SPECIAL
    tokens = [*_byte_tokens(), *special, *shape.words, *shape.control]
    kinds = [gguf.TokenType.NORMAL] * 256 + [gguf.TokenType.CONTROL] * len(special)
    kinds += [gguf.TokenType.USER_DEFINED] * len(shape.words) + [gguf.TokenType.CONTROL] * len(shape.control)
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("gpt-2")
    writer.add_token_list(tokens)
    writer.add_token_types(kinds)
    writer.add_token_merges(["a b"])
    writer.add_bos_token_id(END_OF_TEXT)
    writer.add_eos_token_id(IM_END)
    writer.add_add_bos_token(False)
    if not shape.plain:
        writer.add_uint32("tokenizer.ggml.fim_pre_token_id", FIM_PREFIX)
        writer.add_uint32("tokenizer.ggml.fim_suf_token_id", FIM_SUFFIX)
        writer.add_uint32("tokenizer.ggml.fim_mid_token_id", FIM_MIDDLE)
        writer.add_chat_template(shape.template)
    return len(tokens)


def _write_weights(writer: gguf.GGUFWriter, shape: Shape, vocabulary: int, seed: int) -> None:
    random = np.random.default_rng(seed)

    def matrix(name: str, rows: int, columns: int, scale: float) -> None:
        writer.add_tensor(name, random.normal(0.0, scale, (rows, columns)).astype(np.float32))

    def norm(name: str) -> None:
        writer.add_tensor(name, np.ones(shape.width, dtype=np.float32))

    scale = shape.width**-0.5
    matrix("token_embd.weight", vocabulary, shape.width, 1.0)
    for layer in range(shape.layers):
        norm(f"blk.{layer}.attn_norm.weight")
        for part in ("attn_q", "attn_k", "attn_v", "attn_output"):
            matrix(f"blk.{layer}.{part}.weight", shape.width, shape.width, 2 * scale)
        norm(f"blk.{layer}.ffn_norm.weight")
        matrix(f"blk.{layer}.ffn_gate.weight", shape.feed_forward, shape.width, 2 * scale)
        matrix(f"blk.{layer}.ffn_up.weight", shape.feed_forward, shape.width, 2 * scale)
        matrix(f"blk.{layer}.ffn_down.weight", shape.width, shape.feed_forward, 2 * scale)
    norm("output_norm.weight")
    matrix("output.weight", vocabulary, shape.width, 2 * scale)


def write_tiny_model(path: Path, shape: Shape | None = None, seed: int = 7, tensors_a_file: int = 0) -> Path:
    """Write the model to `path` (a .gguf file) and return it; split, if there may only be so many tensors in a file."""
    shape = shape or Shape()
    writer = gguf.GGUFWriter(path, "llama", split_max_tensors=tensors_a_file)
    writer.add_name("tiny")
    writer.add_context_length(shape.context)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.heads)
    writer.add_layer_norm_rms_eps(1e-5)
    writer.add_rope_dimension_count(shape.width // shape.heads)
    writer.add_file_type(gguf.LlamaFileType.ALL_F32)
    vocabulary = _write_vocabulary(writer, shape)
    writer.add_vocab_size(vocabulary)
    _write_weights(writer, shape, vocabulary, seed)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return path
