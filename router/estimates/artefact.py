"""What was learnt, as one versioned value: readable facts and arrays of numbers. It holds no text of any request.

The bytes are a line with the format's name, one with the digest of what follows, one of JSON, and the arrays in
little-endian order; the same artefact always has the same bytes. Reading them runs no code. `learning.py` keeps them.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from router.estimates import features
from router.estimates.features import Floats
from router.estimates.head import HeadModel, Seen
from router.estimates.mix import Mix
from router.estimates.prior import Head, Prior
from router.estimates.regression import Regression
from router.estimates.representation import Representation

_MAGIC = b"bailey-estimates/1"
_TYPES = {"f4": np.dtype("<f4"), "i4": np.dtype("<i4")}


class UnknownArtefact(ValueError):
    """Bytes that are no artefact of estimates, or one of another version, or damaged."""


@dataclass(frozen=True, slots=True)
class Quantiles:
    """Half of what was observed is at most `p50`, 95 % at most `p95`."""

    p50: float
    p95: float


@dataclass(frozen=True, slots=True)
class Facts:
    """What a person asks of an artefact first. Times are ISO 8601; `outcomes` are audited ones, per model."""

    first: str
    last: str
    requests: int
    outcomes: Mapping[str, int]
    infrastructure_failures: int
    half_life_days: float


@dataclass(frozen=True, slots=True, eq=False)
class Artefact:
    """`readings` has the dense vector of every request in a row; a head without a model has too few outcomes.

    Without any model there is no representation, and the prior alone speaks.
    """

    facts: Facts
    prior: Prior
    cost_usd: Mapping[str, Quantiles]
    seconds: Mapping[str, Quantiles]
    representation: Representation | None
    readings: Floats
    heads: Mapping[Head, HeadModel]

    @property
    def digest(self) -> str:
        """SHA-256 of the bytes, in hexadecimal."""
        return hashlib.sha256(self.to_bytes()).hexdigest()

    def to_bytes(self) -> bytes:
        """All of it; equal artefacts give equal bytes."""
        arrays = list(self._arrays())
        described: dict[str, Any] = {
            "features": features.FORMAT,
            "facts": _plain(self.facts),
            "prior": [[*key, *counts] for key, counts in sorted(self.prior.counts.items())],
            "cost_usd": {model: _plain(found) for model, found in sorted(self.cost_usd.items())},
            "seconds": {model: _plain(found) for model, found in sorted(self.seconds.items())},
            "heads": [_head(head, model) for head, model in sorted(self.heads.items())],
            "arrays": [[array.dtype.str[1:], list(array.shape)] for array in arrays],
        }
        content = b"".join(array.astype(array.dtype.newbyteorder("<")).tobytes() for array in arrays)
        body = json.dumps(described, sort_keys=True, ensure_ascii=False).encode() + b"\n" + content
        return b"\n".join((_MAGIC, hashlib.sha256(body).hexdigest().encode(), body))

    @classmethod
    def from_bytes(cls, content: bytes) -> Artefact:
        """Read it back, all of it or nothing. Raises `UnknownArtefact`."""
        magic, _, rest = content.partition(b"\n")
        if magic != _MAGIC:
            raise UnknownArtefact(
                f"These bytes are no artefact of estimates that this version reads: they begin with {magic[:40]!r} "
                f"where {_MAGIC.decode()!r} is expected. Train a new one from the outcomes in the ledger."
            )
        digest, _, body = rest.partition(b"\n")
        if hashlib.sha256(body).hexdigest().encode() != digest:
            raise UnknownArtefact("The artefact is not the one that was written. Train a new one.")
        described, _, numbers = body.partition(b"\n")
        try:
            facts = json.loads(described)
            format_ = facts["features"]
            found = _read(facts, iter(_cut(facts["arrays"], numbers))) if format_ == features.FORMAT else None
        except (ValueError, LookupError, TypeError, AttributeError, StopIteration) as error:
            raise UnknownArtefact(f"The artefact cannot be read ({error!r}). Train a new one.") from error
        if found is None:
            raise UnknownArtefact(
                f"The artefact was made for features of format {format_}, this version makes format {features.FORMAT}. "
                "Train a new one from the outcomes in the ledger."
            )
        return found

    def _arrays(self) -> Iterator[NDArray[Any]]:
        if self.representation is None:
            return
        known = self.representation
        yield from (
            known.vocabulary,
            known.idf,
            known.centre,
            known.scale,
            known.basis,
            known.waves,
            known.phases,
            self.readings,
        )
        for _, model in sorted(self.heads.items()):
            yield from (model.regression.coefficients, model.seen.rows, model.seen.passed, model.seen.weights)


def _plain(value: Facts | Quantiles) -> dict[str, Any]:
    return {name: getattr(value, name) for name in value.__slots__}


def _head(head: Head, model: HeadModel) -> dict[str, Any]:
    return {
        "head": list(head),
        "neighbours": model.neighbours,
        "mix": [list(model.mix.weights), model.mix.slope, model.mix.shift],
        "metrics": dict(model.metrics),
    }


def _cut(described: list[tuple[str, list[int]]], numbers: bytes) -> Iterator[NDArray[Any]]:
    at = 0
    for kind, shape in described:
        array = np.frombuffer(numbers, _TYPES[kind], int(np.prod(shape)), at).reshape(shape)
        at += array.nbytes
        yield array


def _read(facts: dict[str, Any], arrays: Iterator[NDArray[Any]]) -> Artefact:
    known = Representation(*(next(arrays) for _ in range(7))) if facts["arrays"] else None
    readings = next(arrays) if known else np.zeros((0, 0), dtype=np.float32)
    heads: dict[Head, HeadModel] = {}
    for each in facts["heads"]:
        weights, slope, shift = each["mix"]
        regression = Regression(next(arrays))
        seen = Seen(next(arrays), next(arrays), next(arrays))
        mix = Mix(tuple(weights), slope, shift)
        heads[each["head"][0], each["head"][1]] = HeadModel(regression, seen, each["neighbours"], mix, each["metrics"])
    prior = Prior({tuple(key): (seen, passed) for *key, seen, passed in facts["prior"]})
    costs, seconds = (
        {model: Quantiles(**found) for model, found in facts[name].items()} for name in ("cost_usd", "seconds")
    )
    return Artefact(Facts(**facts["facts"]), prior, costs, seconds, known, readings, heads)
