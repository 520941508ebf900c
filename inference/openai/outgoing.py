"""The protocol's requests as JSON bodies for another OpenAI-compatible server; used by the HTTP engine.

Only fields that differ from OpenAI's defaults are written: a server that does not know a field
then refuses it only when it matters. A request's priority is not written: our queues have heeded it already,
OpenAI's "flex" is another price and not for every model, and vLLM refuses its own `priority` unless told otherwise.
"""

from __future__ import annotations

from typing import Any

from inference.openai.messages import MessageShape, ResponseFormatShape, ToolShape, write_tool_choice
from inference.protocol import ChatRequest, EmbedRequest, ResponseFormat, Sampling, ToolChoice
from inference.wire.body import Body

Json = dict[str, Any]


def chat_body(request: ChatRequest, model: str, max_tokens_field: str = "max_tokens") -> Json:
    """The body for /chat/completions, always as a stream with usage."""
    sampling = request.sampling
    body: Json = {
        **_streamed(model),
        "messages": [_plain(MessageShape.write(message)) for message in request.messages],
        **_sampling(sampling),
    }
    if sampling.max_tokens is not None:
        body[max_tokens_field] = sampling.max_tokens
    if sampling.logprobs:
        body |= {"logprobs": True, "top_logprobs": sampling.top_logprobs}
    if request.tools:
        body["tools"] = [_plain(ToolShape.write(tool)) for tool in request.tools]
        if not request.parallel_tool_calls:
            body["parallel_tool_calls"] = False
        if request.tool_choice != ToolChoice():
            choice = write_tool_choice(request.tool_choice)
            body["tool_choice"] = choice if isinstance(choice, str) else _plain(choice)
    if request.response_format != ResponseFormat():
        body["response_format"] = _plain(ResponseFormatShape.write(request.response_format))
    return body


def completion_body(request: ChatRequest, model: str) -> Json:
    """The body for /completions. `max_tokens` is always written: left out it would mean 16, null means no limit."""
    sampling = request.sampling
    body: Json = {
        **_streamed(model),
        "prompt": request.prompt,
        "max_tokens": sampling.max_tokens,
        **_sampling(sampling),
    }
    if request.suffix is not None:
        body["suffix"] = request.suffix
    if sampling.logprobs:
        body["logprobs"] = sampling.top_logprobs
    return body


def embeddings_body(request: EmbedRequest, model: str) -> Json:
    """The body for /embeddings."""
    body: Json = {"model": model, "input": list(request.texts), "encoding_format": "float"}
    if request.dimensions is not None:
        body["dimensions"] = request.dimensions
    return body


def tokenize_body(request: ChatRequest, model: str) -> Json:
    """The body for /tokenize, which is vLLM's and ours."""
    if request.prompt is not None:
        return {"model": model, "prompt": request.prompt}
    body: Json = {"model": model, "messages": [_plain(MessageShape.write(message)) for message in request.messages]}
    if request.tools:
        body["tools"] = [_plain(ToolShape.write(tool)) for tool in request.tools]
    return body


def _streamed(model: str) -> Json:
    return {"model": model, "stream": True, "stream_options": {"include_usage": True}}


def _sampling(sampling: Sampling) -> Json:
    defaults = Sampling()
    names = (
        *("temperature", "top_p", "top_k", "min_p", "seed", "n"),
        *("presence_penalty", "frequency_penalty", "repetition_penalty"),
    )
    body: Json = {name: getattr(sampling, name) for name in names if getattr(sampling, name) != getattr(defaults, name)}
    if sampling.stop:
        body["stop"] = list(sampling.stop)
    if sampling.logit_bias:
        body["logit_bias"] = {str(token): bias for token, bias in sampling.logit_bias.items()}
    return body


def _plain(shape: Body) -> Json:
    return shape.model_dump(exclude_unset=True, by_alias=True)
