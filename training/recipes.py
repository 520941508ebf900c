"""The two models' recipes: shapes and schedules, chosen so that each trains in under an hour on two quiet cores."""

from __future__ import annotations

from dataclasses import dataclass

NAMES = ("pico-coder", "nano-coder")


@dataclass(frozen=True, slots=True)
class Shape:
    """The sizes of a model. Every width is a multiple of 32, the block of GGUF's Q8_0."""

    vocab_size: int
    width: int
    layers: int
    heads: int
    feed_forward: int
    context_tokens: int = 1024
    rope_theta: float = 10000.0
    norm_epsilon: float = 1e-5

    @property
    def head_width(self) -> int:
        """Components of one attention head."""
        return self.width // self.heads


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one model is trained; `tokens` are counted with padding."""

    shape: Shape
    batch_tokens: int
    peak_rate: float
    epochs: int = 1
    warmup_steps: int = 100
    weight_decay: float = 0.1
    seed: int = 1


def recipe(name: str, vocab_size: int) -> Recipe:
    """The recipe of a model. Raises ValueError for a name that is not in NAMES."""
    if name == "pico-coder":
        shape = Shape(vocab_size, width=128, layers=5, heads=4, feed_forward=352)
        return Recipe(shape, epochs=2, batch_tokens=2048, peak_rate=4e-3)
    if name == "nano-coder":
        shape = Shape(vocab_size, width=256, layers=6, heads=8, feed_forward=704)
        return Recipe(shape, epochs=2, batch_tokens=4096, peak_rate=3e-3)
    raise ValueError(f"There is no recipe for {name!r}; the names are {', '.join(NAMES)}.")
