"""Encoded samples and the order in which a run sees them, the same on every run and after every resume."""

from __future__ import annotations

import json
import random
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from tokenizers import Tokenizer

FIRST_SEEN = {"context": 0.35, "repair": 0.35, "long": 0.8}
"""How much of a run has passed before samples of a kind are mixed in; all others are there from the start."""
POOL_TOKENS = 65536
LENGTH_STEP = 16


@dataclass(frozen=True, slots=True)
class Dataset:
    """All samples end to end: token ids, whether each is learnt, and where each sample starts and ends."""

    tokens: NDArray[np.uint16]
    learn: NDArray[np.bool_]
    bounds: NDArray[np.int64]
    kinds: tuple[str, ...]

    def __len__(self) -> int:
        return len(self.bounds) - 1

    def lengths(self) -> NDArray[np.int64]:
        """Tokens of each sample."""
        return np.diff(self.bounds)


def read_texts(path: Path) -> Iterator[str]:
    """The whole text of each sample of a corpus file."""
    for _, segments in read_samples(path):
        yield "".join(text for text, _ in segments)


def read_samples(path: Path) -> Iterator[tuple[str, list[tuple[str, bool]]]]:
    """Kind and segments of each sample of a corpus file."""
    with path.open(encoding="utf-8") as file:
        for line in file:
            row = json.loads(line)
            yield row["kind"], [(text, learn) for text, learn in row["segments"]]


def encode(path: Path, tokenizer: Tokenizer, longest: int) -> Dataset:
    """Encode a corpus file, segment by segment as a prompt and its answer are; longer samples are left out."""
    tokens: list[NDArray[np.uint16]] = []
    learn: list[NDArray[np.bool_]] = []
    kinds: list[str] = []
    for kind, segments in read_samples(path):
        encoded = [tokenizer.encode(text, add_special_tokens=False).ids for text, _ in segments]
        if sum(map(len, encoded)) <= longest:
            flags = zip(encoded, segments, strict=True)
            tokens.append(np.concatenate([np.array(ids, dtype=np.uint16) for ids in encoded]))
            learn.append(np.concatenate([np.full(len(ids), flag) for ids, (_, flag) in flags]))
            kinds.append(kind)
    bounds = np.concatenate([[0], np.cumsum([len(ids) for ids in tokens])]).astype(np.int64)
    return Dataset(np.concatenate(tokens), np.concatenate(learn), bounds, tuple(kinds))


def plan_batches(dataset: Dataset, epochs: int, batch_tokens: int, seed: int) -> list[list[int]]:
    """A run's sample numbers, in batches of similar length and of at most `batch_tokens` with padding."""
    rng = random.Random(f"{seed}:batches")
    lengths = dataset.lengths().tolist()
    starts = [FIRST_SEEN.get(kind, 0.0) for kind in dataset.kinds]
    places = [
        (start + (1.0 - start) * (epoch + rng.random()) / epochs, number)
        for epoch in range(epochs)
        for number, start in enumerate(starts)
    ]
    batches: list[list[int]] = []
    pool: list[int] = []
    for _, number in sorted(places):
        pool.append(number)
        if sum(lengths[member] for member in pool) >= POOL_TOKENS:
            batches += fill_batches(pool, lengths, batch_tokens, rng)
            pool = []
    return batches + fill_batches(pool, lengths, batch_tokens, rng)


def fill_batches(pool: Sequence[int], lengths: Sequence[int], batch_tokens: int, rng: random.Random) -> list[list[int]]:
    """Cut a pool of samples, longest first, into batches, and shuffle these."""
    ordered = sorted(pool, key=lambda number: -lengths[number])
    batches: list[list[int]] = []
    while ordered:
        rows = max(1, batch_tokens // padded(lengths[ordered[0]]))
        batches.append(ordered[:rows])
        ordered = ordered[rows:]
    rng.shuffle(batches)
    return batches


def padded(length: int) -> int:
    """Lengths are rounded up, so that few shapes of batches occur: the CPU's kernels are compiled for each."""
    return -(-length // LENGTH_STEP) * LENGTH_STEP


def pad_batch(dataset: Dataset, numbers: Sequence[int]) -> tuple[NDArray[np.int64], NDArray[np.int64]]:
    """Inputs and targets (samples, time); a target is -1 where nothing is learnt."""
    longest = padded(max(int(dataset.bounds[number + 1] - dataset.bounds[number]) for number in numbers))
    inputs = np.zeros((len(numbers), longest), dtype=np.int64)
    targets = np.full((len(numbers), longest), -1, dtype=np.int64)
    for row, number in enumerate(numbers):
        start, end = dataset.bounds[number], dataset.bounds[number + 1]
        inputs[row, : end - start - 1] = dataset.tokens[start : end - 1]
        wanted = np.where(dataset.learn[start + 1 : end], dataset.tokens[start + 1 : end].astype(np.int64), -1)
        targets[row, : end - start - 1] = wanted
    return inputs, targets
