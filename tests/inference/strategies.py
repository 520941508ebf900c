"""Hypothesis strategies for the protocol's types: everything that OpenAI's wire format can carry."""

from __future__ import annotations

from hypothesis import settings
from hypothesis import strategies as st

from inference.protocol import (
    ChatRequest,
    Chunk,
    FinishReason,
    Message,
    ResponseFormat,
    Sampling,
    TokenLogprob,
    Tool,
    ToolCall,
    ToolCallDelta,
    ToolChoice,
    Usage,
)

quick = settings(max_examples=40, deadline=None)

names = st.from_regex(r"[a-zA-Z0-9_-]{1,20}", fullmatch=True)
texts = st.text(max_size=20)
json_objects = st.dictionaries(names, st.none() | st.booleans() | st.integers() | texts | st.lists(texts), max_size=3)
tools = st.builds(Tool, name=names, description=texts, parameters=json_objects, strict=st.booleans())
tool_calls = st.builds(ToolCall, id=texts, name=names, arguments=texts)
finish_reasons: st.SearchStrategy[FinishReason] = st.sampled_from(["stop", "length", "tool_calls", "content_filter"])
logprobs = st.floats(-50, 0)
token_logprobs = st.builds(
    TokenLogprob,
    token=texts,
    logprob=logprobs,
    top=st.lists(st.tuples(texts, logprobs), max_size=2, unique_by=lambda top: top[0]).map(tuple),
)

messages = st.one_of(
    st.builds(Message, role=st.sampled_from(["system", "user"]), content=texts),
    st.builds(
        Message, role=st.just("assistant"), content=texts, tool_calls=st.lists(tool_calls, max_size=2).map(tuple)
    ),
    st.builds(Message, role=st.just("tool"), content=texts, tool_call_id=texts),
)
samplings = st.builds(
    Sampling,
    temperature=st.floats(0, 2),
    top_p=st.floats(0.01, 1),
    max_tokens=st.none() | st.integers(1, 10**6),
    stop=st.lists(st.text(min_size=1, max_size=5), max_size=4).map(tuple),
    seed=st.none() | st.integers(-(2**63), 2**63 - 1),
    presence_penalty=st.floats(-2, 2),
    frequency_penalty=st.floats(-2, 2),
    top_k=st.integers(0, 100),
    min_p=st.floats(0, 1),
    repetition_penalty=st.floats(0.01, 2),
    logit_bias=st.dictionaries(st.integers(0, 10**6), st.floats(-100, 100), max_size=3),
    n=st.integers(1, 8),
)
response_formats = st.one_of(
    st.sampled_from([ResponseFormat(), ResponseFormat("json_object")]),
    st.builds(ResponseFormat, kind=st.just("json_schema"), name=names, schema=json_objects, strict=st.booleans()),
)


@st.composite
def chat_requests(draw: st.DrawFn) -> ChatRequest:
    """Any request that /v1/chat/completions can carry."""
    chosen = draw(st.lists(tools, max_size=2, unique_by=lambda tool: tool.name))
    choices = [ToolChoice()]
    if chosen:
        choices += [ToolChoice("none"), ToolChoice("required"), ToolChoice("function", chosen[0].name)]
    sampling = draw(samplings)
    top_logprobs = draw(st.none() | st.integers(0, 20))
    return ChatRequest(
        model=draw(names),
        messages=tuple(draw(st.lists(messages, min_size=1, max_size=4))),
        sampling=Sampling(
            **{name: getattr(sampling, name) for name in sampling.__slots__ if "logprobs" not in name},
            logprobs=top_logprobs is not None,
            top_logprobs=top_logprobs or 0,
        ),
        tools=tuple(chosen),
        tool_choice=draw(st.sampled_from(choices)),
        parallel_tool_calls=not chosen or draw(st.booleans()),
        response_format=draw(response_formats),
        request_id="req_1",
    )


@st.composite
def completion_requests(draw: st.DrawFn) -> ChatRequest:
    """Any request that /v1/completions can carry."""
    sampling = draw(samplings)
    top_logprobs = draw(st.none() | st.integers(0, 5))
    return ChatRequest(
        model=draw(names),
        prompt=draw(texts),
        suffix=draw(st.none() | texts),
        sampling=Sampling(
            **{name: getattr(sampling, name) for name in sampling.__slots__ if "logprobs" not in name},
            logprobs=top_logprobs is not None,
            top_logprobs=top_logprobs or 0,
        ),
        request_id="req_1",
    )


@st.composite
def streams(draw: st.DrawFn, *, with_tool_calls: bool) -> list[Chunk]:
    """A stream as the protocol wants it: pieces of the choices in any order, each choice's end, then the usage."""
    chunks: list[Chunk] = []
    deltas = st.builds(
        ToolCallDelta, position=st.integers(0, 2), id=st.none() | texts, name=st.none() | names, arguments=texts
    )
    for index in range(draw(st.integers(1, 3))):
        pieces = draw(
            st.lists(
                st.builds(
                    Chunk,
                    text=texts,
                    index=st.just(index),
                    tool_calls=st.lists(deltas, max_size=2 if with_tool_calls else 0).map(tuple),
                    logprobs=st.lists(token_logprobs, max_size=2).map(tuple),
                    model=st.just("m"),
                ),
                max_size=4,
            )
        )
        chunks += [*pieces, Chunk(index=index, finish_reason=draw(finish_reasons), model="m")]
    counts = st.integers(0, 10**6)
    usage = draw(
        st.builds(Usage, prompt_tokens=counts, completion_tokens=counts, cached_tokens=counts, estimated=st.booleans())
    )
    return [*chunks, Chunk(model="m", usage=usage)]
