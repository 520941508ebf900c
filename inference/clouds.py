"""What a model's entry says of another server beside its URL and key: headers, a query, further fields of the body.

Pure data with validation, for `catalog.py`. Nothing secret stands there: a key is named by its environment variable.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, Field, JsonValue

from inference.protocol import ChatRequest, Sampling

Droppable = Literal[
    "temperature", "top_p", "top_k", "min_p", "seed", "presence_penalty", "frequency_penalty", "repetition_penalty"
]
"""How tokens are drawn. What an answer means or how long it is (tools, stop strings, ...) is never dropped."""

_SECRET = re.compile(r"key|token|secret|password|authorization|credential|cookie|^sig", re.IGNORECASE)
_OURS = frozenset(
    {
        *("host", "content-length", "content-type", "transfer-encoding", "connection"),
        *("x-request-id", "x-client-request-id", "anthropic-version"),
    }
)
_ASKED = frozenset(
    {
        *("model", "messages", "system", "prompt", "suffix", "input", "encoding_format", "dimensions"),
        *("stream", "stream_options", "max_tokens", "max_completion_tokens", "stop", "stop_sequences", "n"),
        *("temperature", "top_p", "top_k", "min_p", "seed", "logit_bias", "logprobs", "top_logprobs"),
        *("presence_penalty", "frequency_penalty", "repetition_penalty"),
        *("tools", "tool_choice", "parallel_tool_calls", "response_format"),
    }
)


def _no_secrets(names: Mapping[str, str]) -> Mapping[str, str]:
    if secret := sorted(name for name in names if _SECRET.search(name)):
        raise ValueError(
            f"{', '.join(secret)} looks like a secret, which does not belong here; "
            "name the environment variable that holds it in `api_key_env`"
        )
    return names


def _not_ours(headers: Mapping[str, str]) -> Mapping[str, str]:
    if ours := sorted(name for name in headers if name.lower() in _OURS):
        raise ValueError(f"{', '.join(ours)} is set by the engine itself; leave it out")
    return headers


def _not_asked(fields: Mapping[str, JsonValue]) -> Mapping[str, JsonValue]:
    if asked := sorted(_ASKED & fields.keys()):
        raise ValueError(f"{', '.join(asked)} is what requests say themselves; leave it out")
    return fields


_Printable = Annotated[str, Field(pattern=r"^[\x20-\x7e]+$", max_length=1000)]
Headers = Annotated[
    dict[Annotated[str, Field(pattern=r"^[A-Za-z0-9-]+$", max_length=100)], _Printable],
    AfterValidator(_no_secrets),
    AfterValidator(_not_ours),
]
Query = Annotated[dict[_Printable, _Printable], AfterValidator(_no_secrets)]
ExtraBody = Annotated[dict[str, JsonValue], AfterValidator(_not_asked)]


def with_extra(body: Mapping[str, Any], extra: Mapping[str, Any]) -> dict[str, Any]:
    """The body and what it lacks of `extra`; an object that both have is joined likewise."""
    joined = {**extra, **body}
    for name in body.keys() & extra.keys():
        if isinstance(body[name], Mapping) and isinstance(extra[name], Mapping):
            joined[name] = with_extra(body[name], extra[name])
    return joined


def without(request: ChatRequest, dropped: tuple[Droppable, ...]) -> ChatRequest:
    """The request as if it said nothing of those parameters."""
    if not dropped:
        return request
    defaults: dict[str, Any] = {name: getattr(Sampling(), name) for name in dropped}
    return replace(request, sampling=replace(request.sampling, **defaults))
