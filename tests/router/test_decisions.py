"""Which models may answer, in which order, and why. Pure decisions: nothing is sent."""

from __future__ import annotations

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from inference.errors import ContextLengthExceeded, EngineError, ModelNotFound, NoStrongerModel, UnsupportedParameter
from inference.protocol import Caller, ChatRequest, Message, ResponseFormat, Tool, ToolCall
from router.decide import Decider
from router.difficulty import estimate
from router.errors import CostLimitExceeded, PolicyRefused
from router.policy import feasible, needs
from router.route import expected_cost, worst_cost
from router.router import Router
from router.versions.versions import Versions
from tests.router.conftest import CATALOG, rules

EASY = "Write a function `add(a, b)`."
HARD = "Refactor the distributed transaction protocol so that no deadlock can occur, and prove it. " * 2


def ask(text: str = EASY, model: str = "auto", data_class: str = "internal", **more: object) -> ChatRequest:
    caller = Caller("default", "ada", data_class)
    return ChatRequest(model, (Message("user", text),), caller=caller, **more)  # type: ignore[arg-type]


def chosen(router: Router, request: ChatRequest) -> list[str]:
    return [model.name for model in router.decide(request).candidates]


async def test_an_easy_request_starts_at_the_cheapest_tier(router: Router) -> None:
    route = router.decide(ask())
    assert [model.name for model in route.candidates] == ["small", "middle"]
    assert "cheapest tier for difficulty" in route.reason
    assert {passed.model: passed.reason for passed in route.passed_over}["cloud"] == (
        "it may not see data of class 'internal'"
    )


async def test_a_hard_request_starts_higher_and_says_so(router: Router) -> None:
    route = router.decide(ask(HARD))
    assert route.candidates[0].name == "middle"
    assert "is at least 0." in route.reason
    assert ("small", f"tier draft: {route.reason}") in [(p.model, p.reason) for p in route.passed_over]


async def test_failed_verification_goes_a_tier_up_until_there_is_none(router: Router) -> None:
    assert chosen(router, ask(tried=("small",))) == ["middle"]
    assert router.decide(ask(tried=("small",))).reason == "small failed verification"
    assert chosen(router, ask(tried=("small", "middle"), data_class="public")) == ["cloud"]
    with pytest.raises(NoStrongerModel, match="small and middle failed verification"):
        router.decide(ask(tried=("small", "middle")))


async def test_data_classes_bind_named_models_too(router: Router) -> None:
    assert chosen(router, ask(model="cloud", data_class="public")) == ["cloud"]
    with pytest.raises(PolicyRefused, match="cloud: it may not see data of class 'internal'"):
        router.decide(ask(model="cloud"))


async def test_in_an_air_gap_nothing_outside_is_a_candidate(router: Router) -> None:
    router._decider = Decider(rules(air_gapped=True), Versions(CATALOG), router.standing)
    assert chosen(router, ask(data_class="public")) == ["small", "middle"]
    with pytest.raises(PolicyRefused, match="air-gapped"):
        router.decide(ask(model="cloud", data_class="public"))


async def test_capabilities_and_context_pass_candidates_over(router: Router) -> None:
    assert chosen(router, ask("word " * 2000)) == ["middle"]
    with pytest.raises(ContextLengthExceeded):
        router.decide(ask("word " * 200_000))
    with pytest.raises(UnsupportedParameter, match="small: it lacks tools"):
        router.decide(ask(tools=(Tool("search"),)))


async def test_unknown_names_are_answered_with_the_valid_ones(router: Router) -> None:
    with pytest.raises(ModelNotFound, match="valid names: auto, small, middle, cloud"):
        router.decide(ask(model="nobody"))
    with pytest.raises(ModelNotFound, match="Tenant 'narrow' may not use model 'small'"):
        router.decide(ChatRequest("small", (Message("user", "x"),), caller=Caller("narrow", "ada")))
    with pytest.raises(PolicyRefused, match="not declared"):
        router.decide(ChatRequest("small", (Message("user", "x"),), caller=Caller("stranger", "ada")))


async def test_the_header_is_one_ascii_line(router: Router) -> None:
    route = router.decide(ask())
    line = route.line(route.candidates[0])
    assert line.startswith('model=small; tier=draft; reason="cheapest tier')
    assert line.isascii()
    assert "\n" not in line


@given(
    st.lists(st.sampled_from(["small", "middle", "cloud"]), unique=True, min_size=1),
    st.sampled_from(["public", "internal", "confidential"]),
    st.booleans(),
)
def test_no_remote_model_ever_sees_what_it_may_not(names: list[str], data_class: str, air_gapped: bool) -> None:
    candidates = [model for model in CATALOG.models if model.name in names]
    try:
        allowed = feasible(candidates, needs(ask(data_class=data_class)), air_gapped=air_gapped).models
    except EngineError:
        return
    for model in allowed:
        assert not model.remote or (not air_gapped and data_class == "public")


@given(st.text(max_size=300), st.text(max_size=300))
def test_difficulty_is_a_share_and_never_falls_when_text_is_added(first: str, second: str) -> None:
    less, more = estimate(ask(first)).score, estimate(ask(f"{first}\n{second} deadlock")).score
    assert 0 <= less <= 1
    assert 0 <= more <= 1
    assert estimate(ask(EASY)).score < estimate(ask(HARD)).score


@given(st.text(max_size=2000))
def test_the_worst_case_is_never_below_the_expected_one(text: str) -> None:
    for model in CATALOG.models:
        request = ask(text)
        if len(text.encode()) < model.context_tokens:
            assert worst_cost(model, request) >= expected_cost(model.price, request)


def test_tools_and_schemas_are_paid_for_too() -> None:
    bare = ChatRequest("small", (Message("user", "hi"),))
    model = CATALOG.get("middle")
    assert model is not None
    parameters = {"type": "object", "description": "x" * 3000}
    for more in (
        {"tools": (Tool("f", parameters=parameters),)},
        {"response_format": ResponseFormat("json_schema", schema=parameters)},
        {"messages": (Message("assistant", tool_calls=(ToolCall("1", "f", "y" * 3000),)),)},
    ):
        assert worst_cost(model, replace(bare, **more)) > worst_cost(model, bare) + 2990 * Decimal("0.00001")


async def test_a_call_goes_only_to_models_that_its_limit_pays_for_at_worst(router: Router) -> None:
    small, middle = (worst_cost(model, ask()) for model in router.decide(ask()).candidates)
    assert chosen(router, ask(max_cost_usd=middle)) == ["small", "middle"]
    route = router.decide(ask(max_cost_usd=small))
    assert [model.name for model in route.candidates] == ["small"]
    assert f"it may cost up to {middle:f} USD" in [passed.reason for passed in route.passed_over]
    too_little = small - Decimal("1e-9")
    for model in ("auto", "small"):
        with pytest.raises(CostLimitExceeded, match=f"for the {too_little:f} USD"):
            router.decide(ask(model=model, max_cost_usd=too_little))
