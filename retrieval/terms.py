"""Splits text and code into the terms that lexical search compares.

`Router.readTree` gives `router.readtree`, `router`, `readtree` and the stems of `read` and `tree`: the parts find
what somebody half remembers, the whole what they copied. Pure functions; used for passages and queries alike.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import lru_cache
from itertools import chain

_WORD = re.compile(r"\w+(?:\.\w+)*")
_PART = re.compile(r"[A-Z]{2,}s?(?![a-z])|[A-Z]?[a-z]+|[A-Z]|\d+")
_LONGEST = 64
_VOWELS = frozenset("aeiouy")

STOP_WORDS = frozenset({
    # English, and the words that every program is made of
    "a", "an", "and", "are", "as", "at", "be", "been", "but", "by", "can", "do", "does", "for", "from", "has",
    "have", "how", "i", "if", "in", "into", "is", "it", "its", "not", "of", "on", "or", "so", "than", "that", "the",
    "their", "then", "there", "these", "this", "to", "was", "we", "what", "when", "where", "which", "will", "with",
    "you", "your", "self", "cls", "return", "def", "import", "class", "none", "null", "true", "false", "var", "let",
    "const", "function", "func", "end",
})  # fmt: skip


def terms(text: str) -> Iterator[str]:
    """The terms of a text in order, repeated as often as they occur, in lower case and without stop words."""
    return chain.from_iterable(map(_word, _WORD.findall(text)))


@lru_cache(maxsize=1 << 16)  # a repository repeats few words many times: more than twice as fast
def _word(word: str) -> tuple[str, ...]:
    """A word between spaces: whole if it is a dotted path, and each name in it."""
    names = [name for name in word.split(".") if name.lower() not in STOP_WORDS and name.strip("_")]
    whole = [".".join(names).lower()[:_LONGEST]] if len(names) > 1 else []
    return (*whole, *(term for name in names for term in _name(name.strip("_"))))


def _name(name: str) -> Iterator[str]:
    """A name: whole if it is made of several parts, and the stem of each part."""
    parts = _PART.findall(name) if name.isascii() else [part for part in name.split("_") if part]
    if len(parts) > 1:
        yield name.lower()[:_LONGEST]
    for part in parts:
        lowered = part.lower()
        if lowered not in STOP_WORDS and (len(lowered) > 1 or len(parts) == 1):
            yield stem(lowered)[:_LONGEST]


def stem(word: str) -> str:
    """A light English stem: plural, `-ed` and `-ing` go where a syllable of three letters remains, then a final `e`."""
    if len(word) > 4 and word.endswith("ies"):
        return word[:-3] + "y"
    for ending in ("ing", "ed", "es", "s"):
        rest = word.removesuffix(ending)
        if rest != word and len(rest) >= 3 and not word.endswith("ss") and not _VOWELS.isdisjoint(rest):
            word = rest
            break
    return word.removesuffix("e") if len(word) > 3 else word
