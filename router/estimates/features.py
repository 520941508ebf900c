"""A request's text as numbers: hashed n-grams and a few counts. Pure; no text comes out, and nothing is learnt here.

Words (one and two in a row) and characters (three to five in a row) are hashed into two spaces of 2^15 numbers each.
The counts say how long a text is, what it is made of, and what of code is in it. Training and estimates call this.
"""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from dataclasses import dataclass
from functools import cache

import numpy as np
from numpy.typing import NDArray

from inference.protocol import ChatRequest

Floats = NDArray[np.float32]
Ints = NDArray[np.int32]
_Hashes = NDArray[np.uint64]

FORMAT = 1
"""Raised when the same text gives other numbers than before: an artefact fits one format only."""
BITS = 15
WORD_SPACE = 1 << BITS
SPACE = 2 * WORD_SPACE
SHAPE_LENGTH = 35
_WORDS_IN_A_ROW, _CHARACTERS_IN_A_ROW = 2, (3, 4, 5)
# Of a longer text the beginning and the end are read: the task stands in one of them, and time stays bounded.
_READ_CHARACTERS = 8_000
_OPENING_CHARACTERS = 200

# Odd, so that it has an inverse modulo 2^64; the fractional part of the golden ratio (Knuth, TAOCP 3, 6.4).
_BASE = 0x9E3779B97F4A7C15
_INVERSE = pow(_BASE, -1, 1 << 64)

_WORD = re.compile(r"\w+")
_NUMBER = re.compile(r"\d+(?:[.,]\d+)*")
_SENTENCE = re.compile(r"[.;?!](?:\s|$)")
_NAME_INSIDE = re.compile(r"(?<=[a-z,] )[A-Z][a-z]+")
_NEGATIONS = frozenset(("not", "except", "never", "no", "least", "without", "false", "incorrect", "cannot"))
_CONDITIONS = frozenset(
    ("if", "then", "when", "suppose", "assume", "given", "each", "every", "than", "per", "unless", "must", "should")
)
_TESTS = frozenset(("pytest", "unittest", "assert", "test", "tests", "jest", "junit"))
_TRACEBACKS = ("Traceback (most recent call last)", "Exception in thread", "panicked at", "Error: ")
# Words in lower case, and pieces of text, that a language rarely does without.
_LANGUAGES: tuple[tuple[frozenset[str], tuple[str, ...]], ...] = (
    (frozenset({"python", "elif", "py"}), ("def ", "self.", "import ")),
    (frozenset({"javascript", "typescript", "js", "ts", "tsx"}), ("const ", "=> {", "function(")),
    (frozenset({"java", "kotlin", "csharp"}), ("public class", "public static", "C#")),
    (frozenset({"cpp", "malloc"}), ("#include", "std::", "C++")),
    (frozenset({"golang", "goroutine"}), ("func ", ":= ")),
    (frozenset({"rust", "cargo"}), ("fn ", "let mut ", "impl ")),
    (frozenset({"sql", "postgresql", "sqlite"}), ("SELECT ", "CREATE TABLE")),
    (frozenset({"bash", "grep", "sudo", "sh"}), ("#!/",)),
)
_SYMBOLS = np.array(sorted(map(ord, "+-*/=^<>()[]{}|\\_%$#&@~")), dtype=np.uint32)


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """`indices` ascend below SPACE, `values` are 1 + log(count) there, `shape` has SHAPE_LENGTH numbers.

    `digest` tells requests apart; `group` is the same for texts that open with the same 200 characters, which belong
    on one side of any split.
    """

    indices: Ints
    values: Floats
    shape: Floats
    digest: str
    group: str


def of_request(request: ChatRequest) -> Features:
    """Features of what the user asked: the user's messages, or the prompt of a completion."""
    asked = "\n".join(message.content for message in request.messages if message.role == "user")
    return featurize(asked or request.prompt or "", tools=len(request.tools))


def featurize(text: str, *, tools: int = 0) -> Features:
    """Features of a text; the same text always gives the same ones. Takes about a millisecond."""
    half = _READ_CHARACTERS // 2
    read = text if len(text) <= _READ_CHARACTERS else f"{text[:half]}\n{text[-half:]}"
    counts = np.bincount(_hashed(read), minlength=SPACE)
    indices = np.flatnonzero(counts).astype(np.int32)
    values = (1 + np.log(counts[indices])).astype(np.float32)
    shape = _shape(read, len(text), tools)
    digest = hashlib.sha256(indices.tobytes() + values.tobytes() + shape.tobytes()).hexdigest()
    opening = text[:_OPENING_CHARACTERS].encode("utf-8", "surrogatepass")
    return Features(indices, values, shape, digest, hashlib.sha256(opening).hexdigest()[:16])


def _hashed(text: str) -> NDArray[np.int64]:
    """Where each n-gram of a text falls. The hash of a piece comes from two sums over all that stands before."""
    padded = f" {' '.join(text.lower().split())} "
    codes = np.frombuffer(padded.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    powers, inverses = _powers()
    sums = np.zeros(len(codes) + 1, dtype=np.uint64)
    np.cumsum((codes + np.uint64(1)) * powers[: len(codes)], out=sums[1:])
    pieces = []
    for length in _CHARACTERS_IN_A_ROW:
        starts = np.arange(max(len(codes) - length + 1, 0))
        hashes = _mixed((sums[starts + length] - sums[starts]) * inverses[starts] + np.uint64(length))
        pieces.append(WORD_SPACE + _places(hashes))
    word = _is_word(codes)
    edges = np.flatnonzero(np.diff(np.concatenate(([False], word, [False])).astype(np.int8)))
    starts, ends = edges[::2], edges[1::2]
    words = one = _mixed((sums[ends] - sums[starts]) * inverses[starts])
    pieces.append(_places(words))
    for _ in range(_WORDS_IN_A_ROW - 1):
        words = _mixed(words[:-1] * np.uint64(_BASE) + one[len(one) - len(words) + 1 :])
        pieces.append(_places(words))
    return np.concatenate(pieces)


@cache
def _powers() -> tuple[_Hashes, _Hashes]:
    """Powers of the base and of its inverse, modulo 2^64, for every place in the longest text that is read.

    Lower case can make a text longer, at most threefold.
    """
    made = []
    for base in (_BASE, _INVERSE):
        factors = np.full(3 * _READ_CHARACTERS + 8, base, dtype=np.uint64)
        factors[0] = 1
        made.append(np.cumprod(factors, dtype=np.uint64))
    return made[0], made[1]


def _mixed(hashes: _Hashes) -> _Hashes:
    """Every bit of the input moves the upper bits (the finaliser of MurmurHash3, 64 bits)."""
    hashes = (hashes ^ (hashes >> np.uint64(33))) * np.uint64(0xFF51AFD7ED558CCD)
    hashes = (hashes ^ (hashes >> np.uint64(33))) * np.uint64(0xC4CEB9FE1A85EC53)
    return hashes ^ (hashes >> np.uint64(33))


def _places(hashes: _Hashes) -> NDArray[np.int64]:
    return (hashes >> np.uint64(64 - BITS)).astype(np.int64)


def _is_word(codes: NDArray[np.uint32]) -> NDArray[np.bool_]:
    """Letters, digits and the underscore; of other scripts everything."""
    letters = ((codes >= 97) & (codes <= 122)) | (codes == 95) | (codes >= 128)
    return np.asarray(letters | ((codes >= 48) & (codes <= 57)), dtype=np.bool_)


def _shape(text: str, characters: int, tools: int) -> Floats:
    """Counts as logarithms and shares, all of the order of one."""
    codes = np.frombuffer(text.encode("utf-32-le", "surrogatepass"), dtype=np.uint32)
    length = max(len(codes), 1)
    lines, numbers = text.split("\n"), _NUMBER.findall(text)
    words = Counter(_WORD.findall(text.lower()))
    said = words.total()
    paths = {piece for piece in text.split() if "/" in piece[1:] and "." in piece}
    shares = (
        (codes >= 48) & (codes <= 57),
        (codes >= 65) & (codes <= 90),
        np.isin(codes, _SYMBOLS),
        codes >= 128,
        (codes == 34) | (codes == 39),
    )
    counted = (
        characters, said, len(numbers), len(lines), max(map(len, lines)), text.count(","),
        max(map(len, numbers), default=0), len(_SENTENCE.findall(text)), _said(words, _NEGATIONS),
        _said(words, _CONDITIONS), len(_NAME_INSIDE.findall(text)), text.count("?"), text.count("__"),
        text.count("```"), text.count("\n    "), len(paths), _said(words, _TESTS), tools,
    )  # fmt: skip
    means = (
        sum(len(word) * times for word, times in words.items()) / max(said, 1) / 5,
        len(words) / max(said, 1),
        len(text) / len(lines) / 100,
    )
    hints = (
        any(piece in text for piece in _TRACEBACKS),
        *(not names.isdisjoint(words) or any(piece in text for piece in pieces) for names, pieces in _LANGUAGES),
    )
    return np.array(
        [
            *np.log1p(np.array(counted, dtype=np.float64)),
            *means,
            *(np.count_nonzero(share) / length for share in shares),
            *hints,
        ],
        dtype=np.float32,
    )


def _said(words: Counter[str], which: frozenset[str]) -> int:
    return sum(words[word] for word in which)
