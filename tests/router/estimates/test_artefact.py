"""The artefact: the same bytes there and back, no text in them, and a clear sentence for bytes that are none."""

from __future__ import annotations

import hashlib
import json
import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from router.estimates.artefact import Artefact, UnknownArtefact
from router.estimates.estimator import Estimator
from router.estimates.features import featurize
from router.estimates.outcome import Context
from router.estimates.training import TrainingSpec, train
from tests.router.estimates.made import EASY, FILLERS, HARD, outcomes, text

MODELS = ("small", "large", "new")


@pytest.fixture(scope="module")
def artefact() -> Artefact:
    return train(outcomes(120), TrainingSpec())


def test_the_same_there_and_back(artefact: Artefact) -> None:
    written = artefact.to_bytes()
    read = Artefact.from_bytes(written)
    assert read.to_bytes() == written
    assert read.digest == artefact.digest
    assert read.facts == artefact.facts
    for hard in (True, False):
        features = featurize(text(random.Random(5), hard))
        one = Estimator(artefact).estimate(features, MODELS, Context("fix", "ada"))
        other = Estimator(read).estimate(features, MODELS, Context("fix", "ada"))
        assert dict(one) == dict(other)
        assert one.rescue("small", "large") == other.rescue("small", "large")


def test_an_artefact_of_nothing_is_one_too() -> None:
    empty = train([], TrainingSpec())
    read = Artefact.from_bytes(empty.to_bytes())
    assert read.facts.requests == 0
    assert read.representation is None
    assert read.to_bytes() == empty.to_bytes()


def test_the_order_of_outcomes_does_not_matter(artefact: Artefact) -> None:
    shuffled = outcomes(120)
    random.Random(1).shuffle(shuffled)
    assert train(shuffled, TrainingSpec()).digest == artefact.digest


def test_no_word_of_a_request_is_in_it(artefact: Artefact) -> None:
    written = artefact.to_bytes().lower()
    assert artefact.heads
    for word in (*EASY, *HARD, *FILLERS):
        assert word.encode() not in written
        assert word.encode("utf-16-le") not in written
        assert word.encode("utf-32-le") not in written


def test_it_says_what_it_was_learnt_from(artefact: Artefact) -> None:
    facts = artefact.facts
    assert (facts.requests, dict(facts.outcomes)) == (120, {"large": 120, "small": 120})
    assert (facts.first, facts.last) == ("2026-01-01T00:00:00+00:00", "2026-01-05T23:00:00+00:00")
    metrics = artefact.heads["", "small"].metrics
    assert metrics["outcomes"] == 120
    assert metrics["log_loss"] < metrics["log_loss_prior"]


def changed(written: bytes, **facts: object) -> bytes:
    """An artefact that says other things of itself, with the right digest."""
    magic, _, described, numbers = written.split(b"\n", 3)
    body = b"\n".join((json.dumps({**json.loads(described), **facts}).encode(), numbers))
    return b"\n".join((magic, hashlib.sha256(body).hexdigest().encode(), body))


def test_other_bytes_are_refused_in_a_sentence(artefact: Artefact) -> None:
    written = artefact.to_bytes()
    assert changed(written) == written
    for content, sentence in (
        (b"", "are no artefact of estimates"),
        (b"\x80\x04\x95 a pickle", "are no artefact of estimates"),
        (written.replace(b"bailey-estimates/1", b"bailey-estimates/2", 1), "begin with b'bailey-estimates/2'"),
        (b"bailey-estimates/1\n{", "not the one that was written"),
        (written[:-1] + bytes([written[-1] ^ 1]), "not the one that was written"),
        (written[:-4], "not the one that was written"),
        (written.replace(b'"slope"', b'"slops"', 1).replace(b"0", b"1", 1), "not the one that was written"),
        (changed(written, features=99), "made for features of format 99"),
        (changed(written, heads=[{}]), "cannot be read"),
        (changed(written, arrays=[["f8", [1]]]), "cannot be read"),
        (changed(written, arrays=[["f4", [10**9]]]), "cannot be read"),
        (changed(written, facts={}), "cannot be read"),
        (changed(written, prior=7), "cannot be read"),
    ):
        with pytest.raises(UnknownArtefact, match=sentence):
            Artefact.from_bytes(content)


@given(st.binary(max_size=200))
def test_whatever_the_bytes_are_they_are_read_or_refused(content: bytes) -> None:
    body = hashlib.sha256(content).hexdigest().encode() + b"\n" + content
    for written in (content, b"bailey-estimates/1\n" + body):
        with pytest.raises(UnknownArtefact):
            Artefact.from_bytes(written)
