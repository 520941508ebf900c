"""A tiny model of random weights in the recipe's own file format, and its forward pass in plain numpy.

What the tests compare llama.cpp with; nothing here knows torch.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import gguf
import numpy as np
from numpy.typing import NDArray

from training.recipes import Shape

Weights = dict[str, NDArray[np.float32]]
MATRICES = (
    "self_attn.q_proj",
    "self_attn.k_proj",
    "self_attn.v_proj",
    "self_attn.o_proj",
    "mlp.gate_proj",
    "mlp.up_proj",
)


@dataclass(frozen=True, slots=True)
class Model:
    """A shape with its weights, by Hugging Face's names."""

    shape: Shape
    weights: Weights


def random_model(vocab_size: int, seed: int) -> Model:
    """Two layers of random weights."""
    shape = Shape(vocab_size, width=64, layers=2, heads=2, feed_forward=96, context_tokens=256)
    rng = np.random.default_rng(seed)

    def normal(*size: int) -> NDArray[np.float32]:
        return rng.normal(0, 0.2, size).astype(np.float32)

    weights = {"model.embed_tokens.weight": normal(vocab_size, 64), "model.norm.weight": 1 + normal(64)}
    for layer in range(shape.layers):
        at = f"model.layers.{layer}"
        for name in MATRICES[:4]:
            weights[f"{at}.{name}.weight"] = normal(64, 64)
        for name in MATRICES[4:]:
            weights[f"{at}.{name}.weight"] = normal(96, 64)
        weights[f"{at}.mlp.down_proj.weight"] = normal(64, 96)
        weights[f"{at}.input_layernorm.weight"] = 1 + normal(64)
        weights[f"{at}.post_attention_layernorm.weight"] = 1 + normal(64)
    return Model(shape, weights)


def read_model(folder: Path) -> Model:
    """An exported model: config.json and the bfloat16 safetensors, whose numbers are the upper halves of float32."""
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    data = (folder / "model.safetensors").read_bytes()
    start = 8 + int.from_bytes(data[:8], "little")
    weights: Weights = {}
    for key, entry in json.loads(data[8:start]).items():
        if key != "__metadata__":
            assert entry["dtype"] == "BF16"
            begin, end = entry["data_offsets"]
            halves = np.frombuffer(data[start + begin : start + end], dtype=np.uint16).astype(np.uint32) << 16
            weights[key] = halves.view(np.float32).reshape(entry["shape"])
    shape = Shape(
        vocab_size=config["vocab_size"],
        width=config["hidden_size"],
        layers=config["num_hidden_layers"],
        heads=config["num_attention_heads"],
        feed_forward=config["intermediate_size"],
        context_tokens=config["max_position_embeddings"],
        rope_theta=config["rope_theta"],
        norm_epsilon=config["rms_norm_eps"],
    )
    return Model(shape, weights)


def as_q8(weights: Mapping[str, NDArray[np.float32]]) -> Weights:
    """The weights as GGUF's Q8_0 keeps them."""
    kind = gguf.GGMLQuantizationType.Q8_0
    return {
        key: gguf.quants.dequantize(gguf.quants.quantize(np.ascontiguousarray(value), kind), kind).reshape(value.shape)
        if value.ndim == 2
        else value
        for key, value in weights.items()
    }


def forward(model: Model, tokens: list[int]) -> NDArray[np.float32]:
    """Logits (time, vocabulary) of Llama, written from Hugging Face's description of it."""
    shape, weights = model.shape, model.weights
    x = weights["model.embed_tokens.weight"][tokens]
    frequencies = shape.rope_theta ** -(np.arange(0, shape.head_width, 2) / shape.head_width)
    angles = np.outer(np.arange(len(tokens)), frequencies)
    mask = np.triu(np.full((len(tokens), len(tokens)), -np.inf), 1)
    for layer in range(shape.layers):
        at = f"model.layers.{layer}"
        y = normalise(x, weights[f"{at}.input_layernorm.weight"], shape.norm_epsilon)
        q, k, v = (split_heads(y @ weights[f"{at}.self_attn.{name}_proj.weight"].T, shape.heads) for name in "qkv")
        scores = rotate(q, angles) @ rotate(k, angles).swapaxes(1, 2) / np.sqrt(shape.head_width) + mask
        share = np.exp(scores - scores.max(-1, keepdims=True))
        mixed = (share / share.sum(-1, keepdims=True)) @ v
        x = x + mixed.swapaxes(0, 1).reshape(len(tokens), -1) @ weights[f"{at}.self_attn.o_proj.weight"].T
        y = normalise(x, weights[f"{at}.post_attention_layernorm.weight"], shape.norm_epsilon)
        gate = y @ weights[f"{at}.mlp.gate_proj.weight"].T
        inner = gate / (1 + np.exp(-gate)) * (y @ weights[f"{at}.mlp.up_proj.weight"].T)
        x = x + inner @ weights[f"{at}.mlp.down_proj.weight"].T
    y = normalise(x, weights["model.norm.weight"], shape.norm_epsilon)
    return (y @ weights["model.embed_tokens.weight"].T).astype(np.float32)


def normalise(x: NDArray[np.float32], weight: NDArray[np.float32], epsilon: float) -> NDArray[np.float32]:
    """Root mean square layer normalisation of the last axis."""
    size: NDArray[np.float32] = np.sqrt((x**2).mean(-1, keepdims=True) + epsilon)
    return x / size * weight


def split_heads(x: NDArray[np.float32], heads: int) -> NDArray[np.float32]:
    """(time, width) as (heads, time, head width)."""
    return x.reshape(len(x), heads, -1).swapaxes(0, 1)


def rotate(x: NDArray[np.float32], angles: NDArray[np.float64]) -> NDArray[np.float32]:
    """Rotary positions: component i turns with component i + half."""
    half = x.shape[-1] // 2
    first, second = x[..., :half], x[..., half:]
    cosine, sine = np.cos(angles), np.sin(angles)
    return np.concatenate([first * cosine - second * sine, second * cosine + first * sine], -1).astype(np.float32)
