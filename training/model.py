"""A small Llama in torch, as plain as it can be: what `train.py` trains and `export.py` writes out.

Parameter names are those of Hugging Face's LlamaForCausalLM, so a state dict is a checkpoint that
vLLM loads. No cache, no generation: llama.cpp answers, this file only learns.
"""
# mypy: allow-subclassing-any
# Only whoever trains installs torch; without it the checker cannot see what nn.Module is.

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812 - the name everybody uses

from training.recipes import Shape


class RMSNorm(nn.Module):
    """Root mean square layer normalisation (Zhang and Sennrich, 2019)."""

    def __init__(self, width: int, epsilon: float) -> None:
        super().__init__()
        self.weight = nn.Parameter(torch.ones(width))
        self.epsilon = epsilon

    def forward(self, x: Tensor) -> Tensor:
        """Normalise the last axis."""
        return F.rms_norm(x, self.weight.shape, self.weight, self.epsilon)


class Attention(nn.Module):
    """Causal self-attention with rotary positions."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.heads, self.head_width = shape.heads, shape.head_width
        self.q_proj = nn.Linear(shape.width, shape.width, bias=False)
        self.k_proj = nn.Linear(shape.width, shape.width, bias=False)
        self.v_proj = nn.Linear(shape.width, shape.width, bias=False)
        self.o_proj = nn.Linear(shape.width, shape.width, bias=False)

    def forward(self, x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
        """Mix (batch, time, width) over time."""
        batch, time, width = x.shape
        split = (batch, time, self.heads, width // self.heads)
        q = rotate(self.q_proj(x).view(split).transpose(1, 2), cosine, sine)
        k = rotate(self.k_proj(x).view(split).transpose(1, 2), cosine, sine)
        v = self.v_proj(x).view(split).transpose(1, 2)
        # Written out: on a CPU the backward pass of torch's fused kernel takes a third of the whole step.
        future = torch.ones(time, time, dtype=torch.bool, device=x.device).triu(1)
        scores = (q @ k.transpose(-2, -1) / self.head_width**0.5).masked_fill(future, -torch.inf)
        mixed = scores.softmax(dim=-1).to(v.dtype) @ v
        return self.o_proj(mixed.transpose(1, 2).reshape(batch, time, width))


class FeedForward(nn.Module):
    """SwiGLU (Shazeer, 2020)."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.gate_proj = nn.Linear(shape.width, shape.feed_forward, bias=False)
        self.up_proj = nn.Linear(shape.width, shape.feed_forward, bias=False)
        self.down_proj = nn.Linear(shape.feed_forward, shape.width, bias=False)

    def forward(self, x: Tensor) -> Tensor:
        """Transform each position by itself."""
        return self.down_proj(F.silu(self.gate_proj(x)) * self.up_proj(x))


class Block(nn.Module):
    """Attention and feed-forward, each behind a norm and around a residual."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.input_layernorm = RMSNorm(shape.width, shape.norm_epsilon)
        self.self_attn = Attention(shape)
        self.post_attention_layernorm = RMSNorm(shape.width, shape.norm_epsilon)
        self.mlp = FeedForward(shape)

    def forward(self, x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
        """One layer of the residual stream."""
        x = x + self.self_attn(self.input_layernorm(x), cosine, sine)
        return x + self.mlp(self.post_attention_layernorm(x))


class Backbone(nn.Module):
    """Embedding, blocks and final norm: LlamaModel's part of the names."""

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.embed_tokens = nn.Embedding(shape.vocab_size, shape.width)
        self.layers = nn.ModuleList(Block(shape) for _ in range(shape.layers))
        self.norm = RMSNorm(shape.width, shape.norm_epsilon)


class Llama(nn.Module):
    """The whole model; the output layer is the embedding's transpose (tied)."""

    cosine: Tensor
    sine: Tensor

    def __init__(self, shape: Shape) -> None:
        super().__init__()
        self.shape = shape
        self.model = Backbone(shape)
        cosine, sine = rotary(shape)
        self.register_buffer("cosine", cosine, persistent=False)
        self.register_buffer("sine", sine, persistent=False)
        self.apply(initialise)
        for name, parameter in self.named_parameters():
            if name.endswith(("o_proj.weight", "down_proj.weight")):
                nn.init.normal_(parameter, std=0.02 / (2 * shape.layers) ** 0.5)

    def forward(self, tokens: Tensor, wanted: Tensor) -> Tensor:
        """Logits (count, vocabulary) of the positions where `wanted` (batch, time) is true."""
        x = self.model.embed_tokens(tokens)
        time = tokens.shape[1]
        for block in self.model.layers:
            x = block(x, self.cosine[:time], self.sine[:time])
        return F.linear(self.model.norm(x[wanted]), self.model.embed_tokens.weight)


def rotary(shape: Shape) -> tuple[Tensor, Tensor]:
    """Cosines and sines (context, head width) of the rotary embedding (Su et al., 2021), halves side by side."""
    half = torch.arange(0, shape.head_width, 2, dtype=torch.float32) / shape.head_width
    angles = torch.outer(torch.arange(shape.context_tokens, dtype=torch.float32), shape.rope_theta**-half)
    angles = torch.cat([angles, angles], dim=-1)
    return angles.cos(), angles.sin()


def rotate(x: Tensor, cosine: Tensor, sine: Tensor) -> Tensor:
    """Turn (batch, heads, time, head width) by its position, in Hugging Face's order of components."""
    first, second = x.chunk(2, dim=-1)
    return x * cosine + torch.cat([-second, first], dim=-1) * sine


def initialise(module: nn.Module) -> None:
    """Normal weights of deviation 0.02, as GPT-2."""
    if isinstance(module, nn.Linear | nn.Embedding):
        nn.init.normal_(module.weight, std=0.02)
