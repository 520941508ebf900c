"""What is made of a text: the same every time, in order, bounded, and whatever the text is."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from inference.protocol import ChatRequest, Message, Tool
from router.estimates.features import SHAPE_LENGTH, SPACE, WORD_SPACE, Features, featurize, of_request

# Lone surrogates too: JSON may carry them.
TEXTS = st.text(st.characters(), max_size=400)


def same(one: Features, other: Features) -> bool:
    return one.digest == other.digest and one.group == other.group and np.array_equal(one.indices, other.indices)


def words(features: Features) -> set[int]:
    return {int(index) for index in features.indices if index < WORD_SPACE}


@given(TEXTS)
def test_the_same_text_gives_the_same_features_in_order(text: str) -> None:
    features = featurize(text)
    assert same(features, featurize(text))
    assert np.all(np.diff(features.indices) > 0)
    assert np.all((features.indices >= 0) & (features.indices < SPACE))
    assert features.indices.dtype == np.int32
    assert features.values.dtype == features.shape.dtype == np.float32
    assert np.all(features.values >= 1)
    assert len(features.shape) == SHAPE_LENGTH
    assert np.all(np.isfinite(features.shape))


@given(TEXTS, TEXTS)
def test_blanks_and_capitals_do_not_change_the_n_grams(first: str, second: str) -> None:
    one, other = featurize(f"{first} {second}"), featurize(f"  {first}\n\t{second} ")
    assert np.array_equal(one.indices, other.indices)
    assert np.array_equal(one.values, other.values)
    assert np.array_equal(featurize("Add Two NUMBERS").indices, featurize("add two numbers").indices)


@given(st.lists(st.sampled_from(["alpha", "beta", "größe", "数", "x_1", "42"]), min_size=1, max_size=20))
def test_words_are_counted(said: list[str]) -> None:
    features = featurize(" ".join(said))
    for word in set(said):
        (index,) = words(featurize(word))
        expected = 1 + np.log(said.count(word))
        # Another n-gram may fall on the same place; it never takes from the count.
        assert features.values[np.flatnonzero(features.indices == index)[0]] >= np.float32(expected) - 1e-6


def test_the_order_of_words_matters_only_to_what_stands_together() -> None:
    one, other = words(featurize("first second third")), words(featurize("third second first"))
    assert len(one & other) == 3
    assert len(one) == len(other) == 5


def test_code_shows_in_the_shape() -> None:
    plain = featurize("Tell me about the weather")
    for telling in (
        "Traceback (most recent call last)",
        "def add(a, b):",
        "#include <stdio.h>",
        "let mut x = 1;",
        "fix src/app/main.py",
        "make the unittest pass",
    ):
        assert not np.allclose(featurize(f"Tell me about the weather {telling}").shape[13:], plain.shape[13:])
    assert np.count_nonzero(featurize("x", tools=3).shape != featurize("x").shape) == 1


def test_of_a_long_text_both_ends_are_read() -> None:
    middle = "filler " * 20_000
    assert words(featurize("sentinel")) <= words(featurize(f"sentinel {middle}"))
    assert words(featurize("sentinel")) <= words(featurize(f"{middle} sentinel"))
    assert featurize(middle).shape[0] == np.float32(np.log1p(len(middle)))
    assert len(featurize("İ" * 20_000).indices)  # longer in lower case


def test_texts_that_open_alike_are_one_group() -> None:
    passage = "This question refers to the following passage. " * 10
    assert featurize(f"{passage} Who?").group == featurize(f"{passage} When?").group
    assert featurize("Who?").group != featurize("When?").group
    assert featurize(f"{passage} Who?").digest != featurize(f"{passage} When?").digest


def test_of_a_request_only_what_the_user_says_is_read() -> None:
    messages = (
        Message("system", "Be brief"),
        Message("user", "Add"),
        Message("assistant", "ok"),
        Message("user", "Sub"),
    )
    assert same(of_request(ChatRequest("m", messages)), featurize("Add\nSub"))
    assert same(of_request(ChatRequest("m", prompt="def f(")), featurize("def f("))
    assert same(of_request(ChatRequest("m", messages, tools=(Tool("t"),))), featurize("Add\nSub", tools=1))
