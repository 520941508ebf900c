"""Sentences that several families of this folder share."""

from __future__ import annotations

from training.corpus.types import Rule

CASES: dict[str, Rule] = {
    "upper": ("The result is in upper case.", "Make everything upper case.", "Return it in upper case."),
    "lower": ("The result is in lower case.", "Make everything lower case.", "Return it in lower case."),
    "keep": ("Do not change the case.", "Keep the case of all letters.", "The letters keep their case."),
}
"""The case of the letters in a result."""

WORDS_GIVEN: dict[str, Rule] = {
    "text": (
        "Return one string with single spaces between the words.",
        "The result is a string that has single spaces between the words.",
        "Join the words with single spaces and return the string.",
    ),
    "list": (
        "Return the words as a list.",
        "The result is a list of words, not a string.",
        "Give a list of the words.",
    ),
}
"""Whether words are given as one text or as a list."""
