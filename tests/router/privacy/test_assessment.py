"""What follows from findings: for each candidate, at the sending, and in the record; values never appear."""

from __future__ import annotations

import itertools
import json

import pytest
from pydantic import ValidationError

from inference.protocol import ChatRequest, EmbedRequest, Message, Sampling
from router.errors import PolicyRefused
from router.privacy.assessment import NOTHING_FOUND, Assessment, assess, outbound
from router.privacy.spec import Action, PrivacySpec

EMAIL, SECRET = "bob@widgets.io", "Xk93-pQ7zLm20vBt"
BOTH = ChatRequest("cloud", (Message("user", f"{EMAIL}\npassword = '{SECRET}'\nann@widgets.io"),))
CLEAN = ChatRequest("cloud", (Message("user", "x = 1"),))
ACTIONS: tuple[Action, ...] = ("allow", "redact", "local", "refuse")
RULES = [PrivacySpec(secrets=first, personal=second) for first, second in itertools.product(ACTIONS, repeat=2)]


def test_by_default_nothing_that_was_found_leaves() -> None:
    assert PrivacySpec() == PrivacySpec(secrets="local", personal="local")
    assessment = assess(BOTH, PrivacySpec())
    assert assessment.refusal(remote=False) is None
    assert assessment.refusal(remote=True) == (
        "it is outside the walls and may not see secrets (1 assigned-secret) and personal data (2 email)"
    )
    with pytest.raises(PolicyRefused, match="Nothing was sent to cloud: it is outside the walls"):
        outbound(BOTH, PrivacySpec(), remote=True)
    assert outbound(BOTH, PrivacySpec(), remote=False) == (BOTH, None)


def test_a_model_outside_the_walls_sees_placeholders_and_one_inside_everything() -> None:
    rules = PrivacySpec(secrets="redact", personal="redact")
    sent, restorer = outbound(BOTH, rules, remote=True)
    assert sent.messages[0].content == "REDACTED_1_EMAIL\npassword = 'REDACTED_2_SECRET'\nREDACTED_3_EMAIL"
    assert restorer is not None
    assert outbound(BOTH, rules, remote=False) == (BOTH, None)
    assert outbound(CLEAN, rules, remote=True) == (CLEAN, None)
    vectors, _ = outbound(EmbedRequest("cloud", (EMAIL,)), rules, remote=True)
    assert vectors.texts == ("REDACTED_1_EMAIL",)


def test_what_is_refused_is_refused_everywhere() -> None:
    rules = PrivacySpec(secrets="refuse", personal="allow")
    for remote in (False, True):
        assert assess(BOTH, rules).refusal(remote=remote) == "no model may see secrets (1 assigned-secret)"
        with pytest.raises(PolicyRefused):
            outbound(BOTH, rules, remote=remote)
        assert outbound(CLEAN, rules, remote=remote) == (CLEAN, None)


def test_logprobs_are_refused_where_they_would_be_those_of_placeholders() -> None:
    asked = ChatRequest("cloud", BOTH.messages, sampling=Sampling(logprobs=True))
    rules = PrivacySpec(secrets="redact", personal="allow")
    assert "has no logprobs" in str(assess(asked, rules).refusal(remote=True))
    assert assess(asked, rules).refusal(remote=False) is None
    assert assess(BOTH, rules).refusal(remote=True) is None


@pytest.mark.parametrize("rules", RULES, ids=lambda rules: f"{rules.secrets}-{rules.personal}")
def test_what_may_leave_under_any_rules(rules: PrivacySpec) -> None:
    """The decision and the sending agree, and what is sent holds what is allowed and nothing else."""
    refusal = assess(BOTH, rules).refusal(remote=True)
    assert (refusal is None) == ({rules.secrets, rules.personal} <= {"allow", "redact"})
    if refusal is None:
        sent = outbound(BOTH, rules, remote=True)[0].messages[0].content
        assert (SECRET in sent) == (rules.secrets == "allow")
        assert (EMAIL in sent) == (rules.personal == "allow")
    else:
        with pytest.raises(PolicyRefused):
            outbound(BOTH, rules, remote=True)


@pytest.mark.parametrize(("first", "second"), list(itertools.product(RULES, RULES[::3])))
def test_of_two_rules_the_stricter_holds(first: PrivacySpec, second: PrivacySpec) -> None:
    both = first.stricter(second)
    assert both == second.stricter(first)
    for remote in (False, True):
        refusals = [assess(BOTH, rules).refusal(remote=remote) for rules in (first, second, both)]
        assert (refusals[2] is not None) == (refusals[0] is not None or refusals[1] is not None)


def test_lines_for_the_record() -> None:
    assert NOTHING_FOUND.line(remote=True) == ""
    assert NOTHING_FOUND.refusal(remote=True) is None
    assessment = assess(BOTH, PrivacySpec(secrets="redact", personal="allow"))
    assert assessment.line(remote=True) == "secrets redacted: 1 assigned-secret; personal data allowed: 2 email"
    assert assessment.line(remote=False) == "secrets kept local: 1 assigned-secret; personal data allowed: 2 email"
    assert assessment.counts == {"secret": {"assigned-secret": 1}, "personal": {"email": 2}}
    assert json.dumps(assessment.counts)


def test_values_appear_nowhere() -> None:
    said: list[object] = []
    for rules in RULES:
        assessment = assess(BOTH, rules)
        said += [assessment, assessment.line(remote=True), assessment.refusal(remote=True)]
        try:
            said.append(outbound(BOTH, rules, remote=True)[1])
        except PolicyRefused as error:
            said.append(error)
    shown = "\n".join(f"{each} {each!r}" for each in said)
    assert not [value for value in (EMAIL, SECRET, "ann@widgets.io") if value in shown]


def test_unknown_actions_and_kinds_are_refused() -> None:
    for wrong in ({"secrets": "maybe"}, {"names": "local"}):
        with pytest.raises(ValidationError):
            PrivacySpec.model_validate(wrong)


def test_an_assessment_may_be_made_of_nothing() -> None:
    assert Assessment() == NOTHING_FOUND
