"""Tool calls by the llama.cpp engine on tiny models of every family; random weights call whatever they may."""

from __future__ import annotations

import json
from collections.abc import AsyncIterator
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from inference.collect import complete
from inference.errors import InvalidRequest, UnsupportedParameter
from inference.llamacpp.engine import LlamaCppEngine
from inference.protocol import ChatRequest, Choice, Message, ResponseFormat, Sampling, Tool, ToolCall, ToolChoice
from tests.inference.llama_engines import engine_of
from tests.inference.tiny_model import IM_END, write_tiny_model
from tests.inference.tool_models import ADD, CONTEXT, FIRST, SHAPES, TOOLS, ask, check_calls

pytestmark = pytest.mark.asyncio(loop_scope="module")

REQUIRED, AUTO, ONLY_ADD = ToolChoice("required"), ToolChoice("auto"), ToolChoice("function", "add")
MANY = Sampling(seed=5, n=12, max_tokens=240)


@pytest_asyncio.fixture(loop_scope="module", scope="module", params=SHAPES)
async def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Any]:
    weights = write_tiny_model(tmp_path_factory.mktemp("tools") / "tiny.gguf", SHAPES[request.param])
    capabilities = ["chat", "completion", "tools", "json_schema", "logprobs"]
    async with engine_of(weights, capabilities=capabilities, context_tokens=CONTEXT, concurrency=4) as engine:
        engine.family = request.param  # type: ignore[attr-defined]  # for tests that differ by it
        yield engine


async def choices(engine: LlamaCppEngine, **fields: Any) -> list[Choice]:
    return list((await complete(engine, ask(**{"sampling": MANY, **fields}))).choices)


def whole(answers: list[Choice]) -> list[Choice]:
    """The answers that are complete; there must be some."""
    complete_ones = [answer for answer in answers if answer.finish_reason != "length"]
    assert complete_ones
    return complete_ones


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
async def test_required_calls_fit_their_schemas(engine: LlamaCppEngine, temperature: float) -> None:
    answers = await choices(engine, sampling=replace(MANY, temperature=temperature), tool_choice=REQUIRED)
    assert {answer.text for answer in answers} == {""}
    for answer in whole(answers):
        assert answer.finish_reason == "tool_calls"
        assert check_calls(answer)


async def test_a_named_function_is_called_once(engine: LlamaCppEngine) -> None:
    for answer in whole(await choices(engine, tool_choice=ONLY_ADD)):
        assert (answer.text, answer.finish_reason, check_calls(answer)) == ("", "tool_calls", ["add"])


async def test_several_calls_only_if_they_may_be(engine: LlamaCppEngine) -> None:
    single = await choices(engine, tool_choice=REQUIRED, parallel_tool_calls=False)
    assert {len(check_calls(answer)) for answer in whole(single)} == {1}
    most = max(len(answer.tool_calls) for answer in await choices(engine, tool_choice=REQUIRED))
    assert most > 1 or engine.family == "llama3"  # type: ignore[attr-defined]  # see the fixture


@pytest.mark.parametrize("bias", [6.0, 14.0])
async def test_text_may_go_before_calls_and_nothing_of_them_is_in_it(engine: LlamaCppEngine, bias: float) -> None:
    sampling = replace(MANY, n=24, logit_bias={FIRST: bias, IM_END: 3.0})
    answers = await choices(engine, sampling=sampling, tool_choice=AUTO)
    called = [answer for answer in answers if answer.tool_calls]
    assert called
    assert bias > 10 or any(answer.text for answer in called)
    for answer in answers:
        assert not any(mark in answer.text for mark in ("<tool_call>", "[TOOL_CALLS]", "python_tag"))
        if answer.finish_reason != "length":
            assert answer.finish_reason == ("tool_calls" if answer.tool_calls else "stop")
            check_calls(answer)


async def test_a_call_that_is_cut_off_says_so(engine: LlamaCppEngine) -> None:
    sampling = replace(MANY, max_tokens=25 if engine.family == "mistral named" else 55)  # type: ignore[attr-defined]
    cut = [answer for answer in await choices(engine, sampling=sampling, tool_choice=ONLY_ADD) if answer.tool_calls]
    whole_ones = await choices(engine, sampling=replace(MANY, max_tokens=200), tool_choice=ONLY_ADD)
    assert cut
    for answer in cut:
        assert answer.finish_reason == "length"
        assert any(full.tool_calls[0].arguments.startswith(answer.tool_calls[0].arguments) for full in whole_ones)


async def test_none_means_that_the_model_does_not_hear_of_tools(engine: LlamaCppEngine) -> None:
    sampling = Sampling(0, max_tokens=20)
    plain = await complete(engine, ask(tools=(), sampling=sampling))
    none = await complete(engine, ask(tool_choice=ToolChoice("none"), sampling=sampling))
    assert (none.choices, none.usage.prompt_tokens) == (plain.choices, plain.usage.prompt_tokens)
    told = await complete(engine, ask(sampling=sampling))
    assert told.usage.prompt_tokens > plain.usage.prompt_tokens


async def test_a_conversation_with_calls_goes_on(engine: LlamaCppEngine) -> None:
    talk = (
        Message("user", "What is 1 and 2?"),
        Message("assistant", tool_calls=(ToolCall("call_0123456789", "add", '{"a": true}'),)),
        Message("tool", "It is 3.", tool_call_id="call_0123456789"),
        Message("assistant", "3"),
        Message("user", "And then?"),
    )
    request = ChatRequest("tiny", talk, tools=TOOLS, tool_choice=ONLY_ADD, sampling=replace(MANY, n=2))
    for answer in whole(list((await complete(engine, request)).choices)):
        check_calls(answer)
    assert (await complete(engine, replace(request, tools=(), tool_choice=AUTO))).usage.prompt_tokens


STRICT = Tool("f", parameters={"properties": {"a": {"type": "integer", "minimum": 3}}}, strict=True)


@pytest.mark.parametrize(
    ("change", "error", "param", "sentence"),
    [
        ({"tools": (STRICT,)}, UnsupportedParameter, "tools", "'minimum' of the tool 'f'"),
        ({"tools": (ADD, ADD)}, InvalidRequest, "tools", "there twice"),
        ({"tools": (Tool("f g"),)}, InvalidRequest, "tools", "other characters"),
        ({"tool_choice": ToolChoice("function", "h")}, InvalidRequest, "tool_choice", "'h' is none of"),
        ({"tools": (), "tool_choice": REQUIRED}, InvalidRequest, "tool_choice", "at least one"),
        ({"sampling": Sampling(0, logprobs=True)}, UnsupportedParameter, "logprobs", "no log probabilities"),
        ({"messages": (), "prompt": "a"}, InvalidRequest, "tools", "in a chat"),
        (
            {"tools": tuple(Tool(f"{number:060}", parameters={"enum": ["x" * 9]}) for number in range(900))},
            InvalidRequest,
            "tools",
            "longer than",
        ),
    ],
)
async def test_what_cannot_be_kept_is_refused(
    engine: LlamaCppEngine, change: dict[str, Any], error: type[InvalidRequest], param: str, sentence: str
) -> None:
    with pytest.raises(error, match=sentence) as caught:
        await complete(engine, replace(ask(), **change))
    assert (type(caught.value), caught.value.param) == (error, param)


FORM = ResponseFormat("json_schema", schema={"enum": ["yes", "no <tool_call> [TOOL_CALLS]"]})


async def test_a_form_holds_unless_tools_are_called(engine: LlamaCppEngine) -> None:
    if engine.family == "llama3":  # type: ignore[attr-defined]  # see the fixture
        with pytest.raises(InvalidRequest, match="could not be told") as caught:
            await choices(engine, response_format=FORM)
        assert caught.value.param == "response_format"
        return
    spoken = await choices(engine, response_format=FORM, sampling=replace(MANY, logit_bias={ord('"'): 30.0}))
    assert {answer.text for answer in spoken} <= {'"yes"', '"no <tool_call> [TOOL_CALLS]"'}
    assert {(answer.finish_reason, answer.tool_calls) for answer in spoken} == {("stop", ())}
    called = whole(
        await choices(engine, response_format=FORM, sampling=replace(MANY, logit_bias={FIRST: 30.0, IM_END: 40.0}))
    )
    assert all(check_calls(answer) for answer in called)
    assert {(answer.text, answer.finish_reason) for answer in called} == {("", "tool_calls")}


async def test_a_form_says_nothing_about_calls_that_must_be(engine: LlamaCppEngine) -> None:
    (spoken,) = await choices(
        engine, response_format=FORM, tool_choice=ToolChoice("none"), sampling=Sampling(0, max_tokens=40)
    )
    assert json.loads(spoken.text) in ("yes", "no <tool_call> [TOOL_CALLS]")
    for answer in whole(await choices(engine, response_format=FORM, tool_choice=ONLY_ADD)):
        assert check_calls(answer) == ["add"]
