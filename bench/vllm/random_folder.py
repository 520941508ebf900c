"""Writes a model folder (Hugging Face layout) of the shape of a real model, with random weights and our tokenizer.

The embedding is small beside what the layers add, so that the next token depends on everything before it. Special
tokens have no weight in it: a random model then never ends by itself.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

ROOT = Path(__file__).parents[2]
TOKENIZER = ROOT / "inference" / "bundled" / "nano-coder"
VOCABULARY, SPECIAL = 2048, 6

Matrix = NDArray[np.float16]


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes of the network, in the words of config.json; the default has half a billion weights."""

    hidden_size: int = 1280
    num_hidden_layers: int = 24
    num_attention_heads: int = 20
    num_key_value_heads: int = 4
    intermediate_size: int = 4480
    max_position_embeddings: int = 4096

    @property
    def head(self) -> int:
        """The width of a head."""
        return self.hidden_size // self.num_attention_heads


TINY = Shape(128, 2, 4, 4, 256, 256)  # vLLM's attention on processors wants heads of 32 or more


def write_random_folder(folder: Path, shape: Shape | None = None, seed: int = 7) -> Path:
    """Write the model to `folder` if it is not there yet, and return the folder."""
    from safetensors.numpy import save_file

    if folder.exists():
        return folder
    shape = shape or Shape()
    unfinished = folder.with_name(folder.name + ".unfinished")
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(parents=True)
    for name in ("tokenizer.json", "tokenizer_config.json", "special_tokens_map.json"):
        shutil.copy2(TOKENIZER / name, unfinished / name)
    (unfinished / "config.json").write_text(json.dumps(_config(shape)))
    save_file(dict(_tensors(shape, seed)), unfinished / "model.safetensors", metadata={"format": "pt"})
    return unfinished.rename(folder)


def _config(shape: Shape) -> dict[str, object]:
    return {
        **asdict(shape),
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": VOCABULARY,
        "head_dim": shape.head,
        "rope_theta": 10000.0,
        "rms_norm_eps": 1e-5,
        "hidden_act": "silu",
        "tie_word_embeddings": True,
        "torch_dtype": "bfloat16",
        "bos_token_id": 0,
        "eos_token_id": 2,
        "pad_token_id": 0,
    }


def _tensors(shape: Shape, seed: int) -> Iterator[tuple[str, Matrix]]:
    random = np.random.default_rng(seed)

    def matrix(rows: int, columns: int, gain: float) -> Matrix:
        scale = np.float32(gain / columns**0.5)
        return (random.standard_normal((rows, columns), dtype=np.float32) * scale).astype(np.float16)

    width, key = shape.hidden_size, shape.num_key_value_heads * shape.head
    norm = np.ones(width, dtype=np.float16)
    # As large as that its scores differ by more than number formats round.
    embedding = matrix(VOCABULARY, width, 4.0)
    embedding[:SPECIAL] = 0
    yield "model.embed_tokens.weight", embedding
    yield "model.norm.weight", norm
    for layer in range(shape.num_hidden_layers):
        name = f"model.layers.{layer}."
        yield name + "input_layernorm.weight", norm
        yield name + "post_attention_layernorm.weight", norm
        yield name + "self_attn.q_proj.weight", matrix(width, width, 1.0)
        yield name + "self_attn.k_proj.weight", matrix(key, width, 1.0)
        yield name + "self_attn.v_proj.weight", matrix(key, width, 1.0)
        yield name + "self_attn.o_proj.weight", matrix(width, width, 1.0)
        yield name + "mlp.gate_proj.weight", matrix(shape.intermediate_size, width, 2.0)
        yield name + "mlp.up_proj.weight", matrix(shape.intermediate_size, width, 2.0)
        yield name + "mlp.down_proj.weight", matrix(width, shape.intermediate_size, 1.0)
