"""Writes llama.cpp's file of a model: Q8_0 weights, vocabulary, chat template. Knows nothing of torch."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path

import gguf
import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

from training.corpus.markup import (
    CHAT_TEMPLATE,
    END_OF_TEXT,
    FIM_MIDDLE,
    FIM_PREFIX,
    FIM_SUFFIX,
    IM_END,
    SPECIAL_TOKENS,
)
from training.recipes import Shape
from training.tokenizer import token_id

GGUF_NAMES = {
    "input_layernorm": "attn_norm",
    "self_attn.q_proj": "attn_q",
    "self_attn.k_proj": "attn_k",
    "self_attn.v_proj": "attn_v",
    "self_attn.o_proj": "attn_output",
    "post_attention_layernorm": "ffn_norm",
    "mlp.gate_proj": "ffn_gate",
    "mlp.up_proj": "ffn_up",
    "mlp.down_proj": "ffn_down",
}


def write_gguf(weights: Mapping[str, NDArray[np.float32]], shape: Shape, tokenizer: Tokenizer, path: Path) -> None:
    """Write metadata, vocabulary, and tensors in Q8_0 (norms in float32); `weights` have Hugging Face's names."""
    writer = gguf.GGUFWriter(path, "llama")
    add_sizes(writer, shape, path.name.partition(".")[0])
    add_vocabulary(writer, tokenizer)
    for key, value in weights.items():
        array = interleave(value, shape.heads) if key.endswith(("q_proj.weight", "k_proj.weight")) else value
        if array.ndim == 2:
            quantised = gguf.quants.quantize(np.ascontiguousarray(array), gguf.GGMLQuantizationType.Q8_0)
            writer.add_tensor(gguf_name(key), quantised, raw_dtype=gguf.GGMLQuantizationType.Q8_0)
        else:
            writer.add_tensor(gguf_name(key), array)
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def add_sizes(writer: gguf.GGUFWriter, shape: Shape, name: str) -> None:
    """The architecture's metadata."""
    writer.add_name(name)
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q8_0)
    writer.add_context_length(shape.context_tokens)
    writer.add_embedding_length(shape.width)
    writer.add_block_count(shape.layers)
    writer.add_feed_forward_length(shape.feed_forward)
    writer.add_head_count(shape.heads)
    writer.add_head_count_kv(shape.heads)
    writer.add_layer_norm_rms_eps(shape.norm_epsilon)
    writer.add_rope_dimension_count(shape.head_width)
    writer.add_rope_freq_base(shape.rope_theta)
    writer.add_vocab_size(shape.vocab_size)


def add_vocabulary(writer: gguf.GGUFWriter, tokenizer: Tokenizer) -> None:
    """Tokens, merges, special ids and the chat template."""
    definition = json.loads(tokenizer.to_str())
    vocabulary = tokenizer.get_vocab()
    tokens = sorted(vocabulary, key=vocabulary.__getitem__)
    control, normal = gguf.TokenType.CONTROL, gguf.TokenType.NORMAL
    writer.add_tokenizer_model("gpt2")
    writer.add_tokenizer_pre("qwen2")
    writer.add_token_list(tokens)
    writer.add_token_types([control if token in SPECIAL_TOKENS else normal for token in tokens])
    writer.add_token_merges([" ".join(merge) for merge in definition["model"]["merges"]])
    writer.add_bos_token_id(token_id(tokenizer, END_OF_TEXT))
    writer.add_eos_token_id(token_id(tokenizer, IM_END))
    writer.add_eot_token_id(token_id(tokenizer, IM_END))
    writer.add_pad_token_id(token_id(tokenizer, END_OF_TEXT))
    writer.add_uint32("tokenizer.ggml.fim_pre_token_id", token_id(tokenizer, FIM_PREFIX))
    writer.add_uint32("tokenizer.ggml.fim_suf_token_id", token_id(tokenizer, FIM_SUFFIX))
    writer.add_uint32("tokenizer.ggml.fim_mid_token_id", token_id(tokenizer, FIM_MIDDLE))
    writer.add_add_bos_token(False)
    writer.add_chat_template(CHAT_TEMPLATE)


def gguf_name(key: str) -> str:
    """GGUF's name of a Hugging Face parameter."""
    if key == "model.embed_tokens.weight":
        return "token_embd.weight"
    if key == "model.norm.weight":
        return "output_norm.weight"
    _, _, layer, rest = key.split(".", 3)
    return f"blk.{layer}.{GGUF_NAMES[rest.removesuffix('.weight')]}.weight"


def interleave(rows: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    """Reorder the rows of a query or key matrix from halves side by side to llama.cpp's neighbouring pairs."""
    outputs, inputs = rows.shape
    halves = rows.reshape(heads, 2, outputs // heads // 2, inputs)
    return np.ascontiguousarray(halves.swapaxes(1, 2).reshape(outputs, inputs))
