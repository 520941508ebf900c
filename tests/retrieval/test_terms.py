from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from retrieval.terms import STOP_WORDS, stem, terms


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("read_tree", ["read_tree", "read", "tre"]),
        ("readTree", ["readtree", "read", "tre"]),
        ("HTTPServer2", ["httpserver2", "http", "server"]),
        ("parseURLs", ["parseurls", "pars", "url"]),
        ("os.path.join", ["os.path.join", "os", "path", "join"]),
        ("self.assertEqual(x)", ["assertequal", "assert", "equal", "x"]),
        ("retrieval/chunk.py", ["retrieval", "chunk.py", "chunk", "py"]),
        ("__init__", ["init"]),
        ("MAX_LINE_2", ["max_line_2", "max", "lin"]),
        ("größe_max", ["größe_max", "größ", "max"]),
        ("the end of a function", []),
        ("_", []),
    ],
)
def test_names_are_split_and_kept_whole(text: str, expected: list[str]) -> None:
    assert list(terms(text)) == expected


@pytest.mark.parametrize(
    ("one", "other"),
    [("reads", "reading"), ("entries", "entry"), ("cached", "cache"), ("classes", "class"), ("indices", "indice")],
)
def test_forms_of_a_word_are_one_term(one: str, other: str) -> None:
    assert stem(one) == stem(other)


@pytest.mark.parametrize(("one", "other"), [("process", "proces"), ("string", "str"), ("red", "r"), ("bus", "b")])
def test_different_words_stay_apart(one: str, other: str) -> None:
    assert stem(one) != stem(other)


@settings(deadline=None)
@given(st.text())
def test_terms_are_lower_case_bounded_and_without_stop_words(text: str) -> None:
    for term in terms(text):
        assert term == term.lower()
        assert 0 < len(term) <= 64
        assert not any(letter.isspace() for letter in term)
    assert not set(terms(" ".join(STOP_WORDS)))


@settings(deadline=None)
@given(st.lists(st.from_regex(r"[a-z]{3,8}", fullmatch=True), min_size=2, max_size=4))
def test_every_way_to_join_words_shares_their_terms(words: list[str]) -> None:
    snake = set(terms("_".join(words)))
    camel = set(terms(words[0] + "".join(word.capitalize() for word in words[1:])))
    plain = set(terms(" ".join(words)))
    assert plain <= snake
    assert plain <= camel
