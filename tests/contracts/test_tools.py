"""What every Engine that offers tools must do, run over every implementation in tool_engines.py."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import aclosing
from dataclasses import replace
from typing import Any

import pytest
import pytest_asyncio

from inference.collect import complete
from inference.errors import InvalidRequest, UnsupportedParameter
from inference.protocol import ChatRequest, Chunk, Completion, Engine, Message, Sampling, Tool, ToolChoice
from tests.contracts.tool_engines import NAME, TOOL_ENGINES, Factory
from tests.inference.tiny_model import IM_END
from tests.inference.tool_models import FIRST, TOOLS, ask, check_calls

pytestmark = pytest.mark.asyncio(loop_scope="module")

SAMPLING = Sampling(seed=2, max_tokens=400, logit_bias={IM_END: 5.0})
REQUIRED = ToolChoice("required")


@pytest_asyncio.fixture(loop_scope="module", scope="module", params=TOOL_ENGINES.values(), ids=TOOL_ENGINES.keys())
async def engine(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Engine]:
    factory: Factory = request.param
    async with factory(tmp_path_factory.mktemp("engine")) as engine:
        yield engine


async def answer(engine: Engine, **fields: Any) -> Completion:
    return await complete(engine, ask(**{"sampling": SAMPLING, **fields}))


async def test_lists_what_it_offers(engine: Engine) -> None:
    (card,) = [card for card in engine.models() if card.id == NAME]
    assert "tools" in card.capabilities


async def test_required_calls_come_whole_and_fit(engine: Engine) -> None:
    completion = await answer(engine, sampling=replace(SAMPLING, n=4), tool_choice=REQUIRED)
    call_ids = [call.id for choice in completion.choices for call in choice.tool_calls]
    assert len(set(call_ids)) == len(call_ids) >= 4
    for choice in completion.choices:
        assert (choice.text, choice.finish_reason) == ("", "tool_calls")
        assert check_calls(choice)


async def test_one_function_by_name(engine: Engine) -> None:
    (choice,) = (await answer(engine, tool_choice=ToolChoice("function", "ping"))).choices
    assert (choice.text, choice.finish_reason, check_calls(choice)) == ("", "tool_calls", ["ping"])


async def test_one_call_if_there_may_be_no_more(engine: Engine) -> None:
    sampling = replace(SAMPLING, n=4)
    completion = await answer(engine, sampling=sampling, tool_choice=REQUIRED, parallel_tool_calls=False)
    assert [len(check_calls(choice)) for choice in completion.choices] == [1] * 4


async def test_text_and_then_calls_if_the_model_wants_to(engine: Engine) -> None:
    sampling = replace(SAMPLING, n=6, max_tokens=200, logit_bias={FIRST: 8.0})
    completion = await answer(engine, sampling=sampling)
    called = [choice for choice in completion.choices if choice.tool_calls]
    assert called
    for choice in completion.choices:
        assert "<tool_call" not in choice.text
        assert all(call.name in {tool.name for tool in TOOLS} for call in choice.tool_calls)


async def test_an_answer_in_words_is_one(engine: Engine) -> None:
    for choice in (ToolChoice("auto"), ToolChoice("none")):
        spoken = await answer(engine, tool_choice=choice, sampling=Sampling(0, max_tokens=8))
        assert (spoken.text != "", spoken.choices[0].tool_calls) == (True, ())
        assert spoken.choices[0].finish_reason == "length"


async def test_in_a_stream_the_name_comes_first_and_then_the_arguments(engine: Engine) -> None:
    chunks: list[Chunk] = []
    async with aclosing(engine.stream(ask(sampling=SAMPLING, tool_choice=REQUIRED))) as stream:
        chunks = [chunk async for chunk in stream]
    deltas = [delta for chunk in chunks for delta in chunk.tool_calls]
    position = -1
    for delta in deltas:
        if delta.position == position:
            assert (delta.id, delta.name) == (None, None)
        else:
            position += 1
            assert delta.position == position
            assert delta.id is not None
            assert delta.name in {tool.name for tool in TOOLS}
    assert len({id(chunk) for chunk in chunks if chunk.tool_calls}) > 1
    assert [chunk.finish_reason for chunk in chunks if chunk.finish_reason] == ["tool_calls"]
    assert chunks[-1].usage is not None


async def test_a_call_cut_off_is_no_finished_one(engine: Engine) -> None:
    cut = await answer(engine, sampling=replace(SAMPLING, max_tokens=70), tool_choice=ToolChoice("function", "add"))
    assert cut.choices[0].finish_reason == "length"
    assert cut.usage.completion_tokens == 70


async def test_the_results_of_calls_are_read(engine: Engine) -> None:
    first = await answer(engine, tool_choice=ToolChoice("function", "add"))
    (call,) = first.choices[0].tool_calls
    talk = (Message("user", "1 + 2?"), Message("assistant", tool_calls=(call,)))
    lengths = []
    for result in ("3", "three"):
        request = ChatRequest(NAME, (*talk, Message("tool", result, tool_call_id=call.id)), sampling=SAMPLING)
        lengths.append((await complete(engine, request)).usage.prompt_tokens)
    assert lengths[0] > len(call.arguments)
    assert lengths[1] == lengths[0] + 4


@pytest.mark.parametrize(
    ("change", "error", "param"),
    [
        ({"tool_choice": ToolChoice("function", "nobody")}, InvalidRequest, "tool_choice"),
        ({"tools": (Tool("f", parameters={"minProperties": 1}, strict=True),)}, UnsupportedParameter, "tools"),
    ],
)
async def test_what_cannot_be_kept_is_refused_by_name(
    engine: Engine, change: dict[str, Any], error: type[InvalidRequest], param: str
) -> None:
    with pytest.raises(error) as caught:
        await answer(engine, **change)
    assert caught.value.param == param
