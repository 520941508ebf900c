"""The HTTP engine whose other end is a replica of ours, which may be told more than a stranger's server."""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import TypeAdapter

from inference.capabilities import check_request
from inference.deadline import until_deadline
from inference.http import HttpEngine
from inference.openai import outgoing
from inference.openai.responses import TokenList
from inference.protocol import ChatRequest, EmbedRequest, Tokens

TENANT_HEADER = "x-bailey-tenant"
ADAPTERS_SECONDS = 600.0
_PROBLEMS = TypeAdapter(dict[str, str])


class ReplicaClient(HttpEngine):
    """Tells the tenant, so that caches stay apart, and the priority, so that the engine's queue knows it, too."""

    async def tokenize(self, request: ChatRequest) -> Tokens:
        """What the replica's engine would read, exactly."""
        check_request(self.models(), request)
        body = outgoing.tokenize_body(request, request.model)
        async with (
            until_deadline(request.deadline),
            self._timeout(self._model.first_token_timeout_seconds),
            self._post("tokenize", body, request) as response,
        ):
            tokens = TokenList.model_validate_json(await response.read())
        return Tokens(tokens.count, tuple(tokens.tokens), self._model.name)

    async def set_adapters(self, wanted: Mapping[str, str]) -> Mapping[str, str]:
        """Bring the replica to these adapters (name -> path:FOLDER); what it could not load: name -> sentence."""
        cause = ChatRequest(self._model.name)
        async with (
            self._timeout(ADAPTERS_SECONDS),
            self._post("adapters", {"adapters": dict(wanted)}, cause) as response,
        ):
            return _PROBLEMS.validate_json(await response.read())

    def _headers(self, request: ChatRequest | EmbedRequest) -> dict[str, str]:
        return {**super()._headers(request), TENANT_HEADER: request.caller.tenant}

    def _fields(self, request: ChatRequest | EmbedRequest) -> dict[str, str]:
        return {"service_tier": "flex"} if request.priority == "batch" else {}
