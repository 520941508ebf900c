"""Answers that are given only when they passed, by an appliance's parts with a real sandbox."""

from __future__ import annotations

from collections.abc import AsyncIterator
from dataclasses import replace
from decimal import Decimal
from pathlib import Path

import pytest

from codegen.verifying import PREFIX, NotVerified
from gateway.assemble import Appliance, opened_appliance
from gateway.config import parse_config
from gateway.settings import Settings
from inference.collect import complete
from inference.errors import InvalidRequest, UnsupportedParameter
from inference.protocol import Caller, ChatRequest, Chunk, Message, Sampling, Tool
from inference.verification import Verify
from tests.codegen.conftest import SITE

CONFIG = """
version: 1
tiers: [draft, strong]
models:
  - name: small
    engine: scripted
    tier: draft
    context_tokens: 4000
    price: {input_usd_per_million: 1, output_usd_per_million: 2}
    capabilities: [chat]
    replies:
      - {when: "The checks failed", text: "```python\\ndef low(text):\\n    return text.lower()\\n```", times: 1}
      - {when: "JSON", text: "[1, 2]"}
      - {text: "```python\\ndef low(text):\\n    return text.upper()\\n```"}
  - name: large
    engine: scripted
    tier: strong
    context_tokens: 4000
    price: {input_usd_per_million: 10, output_usd_per_million: 20}
    capabilities: [chat]
    replies:
      - {when: "JSON", text: "```json\\n{\\"a\\": 1}\\n```"}
      - {when: "exec", text: "```python\\nexec(input())\\n```"}
      - {text: "```python\\ndef low(text):\\n    return text.casefold()\\n```"}
routes:
  - {name: auto, models: [small, large], thresholds: [1.0]}
tenants:
  - {name: default, data_class: internal, budget: {limit_usd: 1}}
codegen: {attempts_per_tier: ATTEMPTS, max_attempts: 4}
"""
TESTS = "assert low('A') == 'a'"


@pytest.fixture
async def appliance(tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Appliance]:
    config = CONFIG.replace("ATTEMPTS", str(getattr(request, "param", 2)))
    settings = Settings(data=tmp_path / "data", sandbox_site=SITE)
    async with opened_appliance(parse_config(config, tmp_path / "models.yaml"), settings) as opened:
        yield opened


def asking(verify: Verify | None, model: str = "auto", text: str = "Write low(text).") -> ChatRequest:
    return ChatRequest(model, (Message("user", text),), caller=Caller("default"), verify=verify)


async def chunks_of(appliance: Appliance, request: ChatRequest) -> list[Chunk]:
    return [chunk async for chunk in appliance.engine.stream(request)]


async def test_a_wrong_draft_is_repaired_by_the_same_model_and_given_with_its_evidence(appliance: Appliance) -> None:
    request = asking(Verify(tests=TESTS))
    *progress, answer, usage = await chunks_of(appliance, request)
    assert [chunk.verified.progress for chunk in progress if chunk.verified] == [
        "attempt 1: asking for a draft",
        "attempt 1: checking the draft of small",
        "attempt 1: tests did not pass",
        "attempt 2: asking for a draft",
        "attempt 2: checking the draft of small",
    ]
    assert not any(chunk.text for chunk in progress)
    assert "lower" in answer.text
    assert answer.verified is not None
    wrong, right = answer.verified.attempts
    assert (wrong.outcome, wrong.check, right.outcome) == ("fail", "tests", "pass")
    assert "test_solution" in wrong.summary
    assert right.environment_digest
    assert usage.usage is not None
    assert usage.usage.cost_usd == wrong.cost_usd + right.cost_usd > 0
    told = [
        (each.data["passed"], each.data["failed_at"]) for each in await appliance.ledger.read(stream="verifications")
    ]
    assert told == [(False, "tests"), (True, "")]
    calls = [entry.key for entry in await appliance.ledger.read(stream="calls")]
    assert calls == [f"call/{request.request_id}.draft-{number}" for number in (1, 2)]


@pytest.mark.parametrize("appliance", [1], indirect=True)
async def test_a_stronger_model_is_asked_when_the_weaker_had_its_turns(appliance: Appliance) -> None:
    completion = await complete(appliance.engine, asking(Verify(tests=TESTS)))
    assert completion.model == "large"
    assert completion.verified is not None
    assert [(each.model, each.outcome) for each in completion.verified.attempts] == [
        ("small", "fail"),
        ("large", "pass"),
    ]


async def test_no_answer_is_given_when_none_passed(appliance: Appliance) -> None:
    request = asking(Verify(tests="def test_it():\n    assert low('A') == 'nothing'"))
    with pytest.raises(NotVerified, match=r"limit of 4 attempts.*large: tests: ") as refused:
        await complete(appliance.engine, request)
    assert (refused.value.status, refused.value.code) == (422, "verification_failed")
    with pytest.raises(NotVerified, match=r"strongest tier that may answer"):
        await complete(appliance.engine, replace(request, tried=("small", "large"), request_id="another"))


async def test_what_drafts_may_cost_is_one_limit_for_all_of_them(appliance: Appliance) -> None:
    request = replace(asking(Verify(tests=TESTS), "small"), sampling=Sampling(max_tokens=40))
    free = await complete(appliance.engine, request)
    first = free.verified.attempts[0].cost_usd if free.verified else Decimal(0)
    limited = replace(request, request_id="limited", max_cost_usd=first + Decimal("0.000120"))
    with pytest.raises(NotVerified, match=r"0.000120 USD that this call may cost.*small: tests"):
        await complete(appliance.engine, limited)


async def test_the_name_alone_asks_for_code_that_parses_and_lints(appliance: Appliance) -> None:
    completion = await complete(appliance.engine, asking(None, PREFIX + "auto"))
    assert completion.verified is not None
    (attempt,) = completion.verified.attempts
    assert (attempt.model, attempt.check, attempt.outcome) == ("small", "lint", "pass")
    names = [card.id for card in appliance.engine.models()]
    assert names == ["auto", "small", "large", "verified/auto", "verified/small", "verified/large"]


async def test_further_checks_go_by_name(appliance: Appliance) -> None:
    asked = asking(Verify(checks=("security",)), "large", "Use exec")
    with pytest.raises(NotVerified, match=r"security: .*S102"):
        await complete(appliance.engine, asked)
    completion = await complete(appliance.engine, replace(asked, verify=Verify(), request_id="without"))
    assert "exec" in completion.text


@pytest.mark.parametrize("appliance", [1], indirect=True)
async def test_json_is_verified_by_its_schema(appliance: Appliance) -> None:
    schema: dict[str, object] = {"type": "object", "properties": {"a": {"minimum": 1}}, "required": ["a"]}
    completion = await complete(appliance.engine, asking(Verify(schema=schema), text="JSON please"))
    assert completion.verified is not None
    wrong, right = completion.verified.attempts
    assert (wrong.check, wrong.summary) == ("schema", 'The answer: [1,2] is not of type "object"')
    assert (right.model, right.outcome) == ("large", "pass")


REFUSED = [
    (Verify(tests="assert ("), "not valid Python", "verify.tests"),
    (Verify(tests="x = 1"), "assert nothing", "verify.tests"),
    (Verify(checks=("security", "magic")), r"no check 'magic'; valid: parse, lint", "verify.checks"),
    (Verify(schema={"type": "strange"}), "cannot be used", "verify.schema"),
    (Verify(schema={"$ref": "https://example.com/schema"}), "cannot be used", "verify.schema"),
    (Verify(schema={"pattern": "(?=a)"}), "cannot be used", "verify.schema"),
    (Verify(schema={}, tests="assert 1"), "leave one out", "verify.schema"),
]


@pytest.mark.parametrize(("verify", "why", "param"), REFUSED)
async def test_what_cannot_be_verified_is_refused_before_a_model_is_asked(
    appliance: Appliance, verify: Verify, why: str, param: str
) -> None:
    with pytest.raises(InvalidRequest, match=why) as refused:
        await complete(appliance.engine, asking(verify))
    assert refused.value.param == param
    assert not await appliance.ledger.read(stream="calls")


async def test_what_is_no_single_answer_is_refused(appliance: Appliance) -> None:
    request = asking(Verify())
    for changed, param in [
        (replace(request, sampling=Sampling(n=2)), "n"),
        (replace(request, tools=(Tool("f", "", {}),)), "tools"),
        (replace(request, messages=(), prompt="def "), "verify"),
    ]:
        with pytest.raises(UnsupportedParameter) as refused:
            await complete(appliance.engine, changed)
        assert refused.value.param == param


async def test_a_prompt_is_counted_as_without_verification(appliance: Appliance) -> None:
    plain = await appliance.engine.tokenize(asking(None, "small"))
    assert await appliance.engine.tokenize(asking(Verify(), "verified/small")) == plain
