"""An interrupted run ends where an uninterrupted one ends. Needs torch, which only whoever trains installs."""

from __future__ import annotations

import json
import random
from pathlib import Path

import pytest

from training.corpus.mixing import KINDS, Material, make_sample
from training.dataset import Dataset, encode, pad_batch, plan_batches, read_texts
from training.recipes import Recipe, Shape, recipe
from training.tokenizer import train_tokenizer


@pytest.fixture(scope="module")
def dataset(materials: list[Material], tmp_path_factory: pytest.TempPathFactory) -> Dataset:
    """A few hundred samples of all kinds, encoded."""
    path = tmp_path_factory.mktemp("corpus") / "train.jsonl"
    rng = random.Random(1)
    made = [make_sample(kind, material, rng) for material in materials for kind in KINDS]
    rows = [{"kind": x.kind, "segments": [[segment.text, segment.learn] for segment in x.segments]} for x in made]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
    return encode(path, train_tokenizer(read_texts(path), 400), longest=1024)


def test_a_plan_shows_every_sample_once_an_epoch_and_keeps_batches_small(dataset: Dataset) -> None:
    batches = plan_batches(dataset, epochs=2, batch_tokens=2048, seed=1)
    assert sorted(number for batch in batches for number in batch) == sorted([*range(len(dataset))] * 2)
    assert batches == plan_batches(dataset, epochs=2, batch_tokens=2048, seed=1)
    assert batches != plan_batches(dataset, epochs=2, batch_tokens=2048, seed=2)
    lengths = dataset.lengths()
    assert all(len(batch) == 1 or len(batch) * lengths[batch].max() <= 2048 for batch in batches)


def test_only_answers_are_learnt(dataset: Dataset) -> None:
    numbers = [number for number, kind in enumerate(dataset.kinds) if kind == "draft"][:4]
    inputs, targets = pad_batch(dataset, numbers)
    for row, number in enumerate(numbers):
        start, end = dataset.bounds[number], dataset.bounds[number + 1]
        tokens, learn = dataset.tokens[start:end], dataset.learn[start:end]
        assert inputs[row, : end - start - 1].tolist() == tokens[:-1].tolist()
        assert targets[row][targets[row] >= 0].tolist() == tokens[learn].tolist()
        assert 0 < learn.sum() < len(tokens) and learn[-1] and not learn[0]


def test_a_recipe_that_does_not_exist_is_refused() -> None:
    with pytest.raises(ValueError, match="names are pico-coder, nano-coder"):
        recipe("giga-coder", 2048)


def test_a_resumed_run_gives_the_same_weights(dataset: Dataset, tmp_path: Path) -> None:
    torch = pytest.importorskip("torch")
    from training.train import Trainer

    made = Recipe(
        Shape(400, width=32, layers=1, heads=1, feed_forward=64), batch_tokens=1024, peak_rate=1e-2, warmup_steps=3
    )
    whole = Trainer(made, dataset, tmp_path / "whole.pt")
    losses: list[float] = []
    whole.run(lambda step: losses.append(step.loss), stop_at=12)
    assert losses[-1] < losses[0], "nothing was learnt"
    Trainer(made, dataset, tmp_path / "parts.pt").run(lambda step: None, stop_at=5)
    resumed = Trainer(made, dataset, tmp_path / "parts.pt")
    assert resumed.step == 5
    resumed.run(lambda step: None, stop_at=12)
    ours, theirs = whole.model.state_dict(), resumed.model.state_dict()
    assert ours.keys() == theirs.keys() and all(torch.equal(ours[key], theirs[key]) for key in ours)
    assert (whole.step, whole.tokens) == (resumed.step, resumed.tokens)
    with pytest.raises(ValueError, match="another recipe"):
        Trainer(recipe("pico-coder", 400), dataset, tmp_path / "parts.pt")
