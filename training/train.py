"""The training loop: seeded and resumable; two CPU cores are enough, a GPU is used if there is one."""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812 - the name everybody uses

from training.dataset import Dataset, pad_batch, plan_batches
from training.model import Llama
from training.recipes import Recipe

MAX_GRADIENT = 1.0


@dataclass(frozen=True, slots=True)
class Step:
    """What a progress display shows of a step that is done."""

    number: int
    of: int
    loss: float
    tokens: int
    seconds: float


def learning_rate(step: int, steps: int, recipe: Recipe) -> float:
    """Linear warm-up, then linear decay to zero (Defazio et al., 2023)."""
    if step < recipe.warmup_steps:
        return recipe.peak_rate * (step + 1) / recipe.warmup_steps
    return recipe.peak_rate * (steps - step) / max(1, steps - recipe.warmup_steps)


class Trainer:
    """One run over a dataset; its state is a checkpoint file."""

    def __init__(self, recipe: Recipe, dataset: Dataset, checkpoint: Path) -> None:
        torch.manual_seed(recipe.seed)
        self.device = torch.device("cuda" if torch.cuda.is_available() else "cpu")
        self.recipe = recipe
        self.dataset = dataset
        self.checkpoint = checkpoint
        self.batches: Sequence[Sequence[int]] = plan_batches(dataset, recipe.epochs, recipe.batch_tokens, recipe.seed)
        self.model = Llama(recipe.shape).to(self.device)
        self.optimizer = Optimizer(self.model, recipe)
        self.step = 0
        self.tokens = 0
        self.seconds = 0.0
        if checkpoint.exists():
            self.load()

    def run(
        self, report: Callable[[Step], None], save_every_seconds: float = 180.0, stop_at: int | None = None
    ) -> None:
        """Train to the end of the plan (or to step `stop_at`), saving a checkpoint now and then and at the end."""
        saved = started = time.monotonic()
        before = self.seconds
        stop = len(self.batches) if stop_at is None else min(stop_at, len(self.batches))
        while self.step < stop:
            loss = self.learn(self.batches[self.step])
            self.seconds = before + time.monotonic() - started
            report(Step(self.step, len(self.batches), loss, self.tokens, self.seconds))
            if time.monotonic() - saved > save_every_seconds:
                self.save()
                saved = time.monotonic()
        self.save()

    def learn(self, batch: Sequence[int]) -> float:
        """One step; the loss is the mean over the learnt tokens."""
        inputs, targets = (torch.from_numpy(array).to(self.device) for array in pad_batch(self.dataset, batch))
        with torch.autocast(self.device.type, torch.bfloat16):
            loss = self.loss(inputs, targets)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(self.model.parameters(), MAX_GRADIENT)
        self.optimizer.step(learning_rate(self.step, len(self.batches), self.recipe))
        self.step += 1
        self.tokens += inputs.numel()
        return float(loss.detach())

    def loss(self, inputs: Tensor, targets: Tensor) -> Tensor:
        """Cross-entropy of the learnt positions."""
        wanted = targets >= 0
        return F.cross_entropy(self.model(inputs, wanted).float(), targets[wanted])

    def save(self) -> None:
        """Write the checkpoint in one piece."""
        state = {
            "recipe": asdict(self.recipe),
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "step": self.step,
            "tokens": self.tokens,
            "seconds": self.seconds,
        }
        partial = self.checkpoint.with_suffix(".partial")
        torch.save(state, partial)
        partial.replace(self.checkpoint)

    def load(self) -> None:
        """Continue from the checkpoint. Raises ValueError if it belongs to another recipe."""
        state = torch.load(self.checkpoint, map_location=self.device, weights_only=True)
        if state["recipe"] != asdict(self.recipe):
            raise ValueError(f"{self.checkpoint} was made with another recipe; delete it or use another work folder.")
        self.model.load_state_dict(state["model"])
        self.optimizer.load_state_dict(state["optimizer"])
        self.step, self.tokens, self.seconds = state["step"], state["tokens"], state["seconds"]


class Optimizer:
    """Muon (Jordan et al., 2024) for the matrices inside the blocks, AdamW for the embedding and the norms.

    Muon's updates are scaled to the size of AdamW's, so that both take the same rate (Liu et al., 2025).
    """

    def __init__(self, model: Llama, recipe: Recipe) -> None:
        inside = [p for name, p in model.named_parameters() if p.ndim == 2 and "embed" not in name]
        others = [p for name, p in model.named_parameters() if p.ndim != 2 or "embed" in name]
        self.parts: tuple[torch.optim.Optimizer, ...] = (
            torch.optim.Muon(inside, weight_decay=recipe.weight_decay, adjust_lr_fn="match_rms_adamw"),
            torch.optim.AdamW(others, weight_decay=0.0, betas=(0.9, 0.98), fused=True),
        )

    def step(self, rate: float) -> None:
        """Apply the gradients at this learning rate and forget them."""
        for part in self.parts:
            for group in part.param_groups:
                group["lr"] = rate
            part.step()
            part.zero_grad(set_to_none=True)

    def state_dict(self) -> list[dict[str, Any]]:
        """What a checkpoint keeps."""
        return [part.state_dict() for part in self.parts]

    def load_state_dict(self, states: Sequence[dict[str, Any]]) -> None:
        """Go on from a checkpoint."""
        for part, state in zip(self.parts, states, strict=True):
            part.load_state_dict(state)
