"""The engine whose other end speaks Anthropic's Messages API: Anthropic's own cloud, or a server like it.

`outgoing.py` writes requests, `incoming.py` reads answers; connections, waits and health are `upstream.py`'s.
"""

from __future__ import annotations

from collections.abc import Mapping

from pydantic import ValidationError

from inference.anthropic.answers import TokenCount
from inference.anthropic.errors import read_error, read_stream_error
from inference.anthropic.incoming import MessageReader, not_understood, until_end
from inference.anthropic.outgoing import messages_body, prompt_body
from inference.capabilities import check_request, find_card
from inference.catalog import AnthropicModel
from inference.clouds import with_extra
from inference.deadline import until_deadline
from inference.errors import EngineError, UnsupportedParameter
from inference.protocol import ChatRequest, Embeddings, EmbedRequest, Tokens
from inference.tally import estimated_tokens, said_in
from inference.upstream import Asked, Upstream

VERSION = "2023-06-01"


class AnthropicEngine(Upstream[AnthropicModel]):
    """Speaks Anthropic's format to one model behind one URL."""

    async def embed(self, request: EmbedRequest) -> Embeddings:
        """Refused: the API has no vectors. Raises `ModelNotFound` or `UnsupportedParameter`."""
        card = find_card(self.models(), request.model)
        raise UnsupportedParameter(f"The model {card.id!r} does not offer 'embeddings'.", param="model")

    async def tokenize(self, request: ChatRequest) -> Tokens:
        """As many as the other end counts; an estimate while it cannot be asked. It does not tell them one by one."""
        check_request(self.models(), request)
        body = prompt_body(request, self._upstream_name)
        try:
            count = await self._count(body, request)
        except EngineError as error:
            if not error.retryable:
                raise
            count = estimated_tokens(said_in(request))
        return Tokens(count, None, self._model.name)

    async def _count(self, body: Mapping[str, object], request: ChatRequest) -> int:
        async with (
            until_deadline(request.deadline),
            self._timeout(self._model.first_token_timeout_seconds),
            self._post("messages/count_tokens", body, request) as response,
        ):
            answer = await response.read()
        try:
            return TokenCount.model_validate_json(answer).input_tokens
        except ValidationError as error:
            raise not_understood(self._model.name, error) from error

    def _standing_headers(self) -> Mapping[str, str]:
        return {"anthropic-version": VERSION} | ({} if self._api_key is None else {"x-api-key": self._api_key})

    def _asked(self, request: ChatRequest) -> Asked:
        spec = self._model
        body = messages_body(request, self._upstream_name, spec.max_tokens, spec.prompt_cache)
        return Asked("messages", with_extra(body, spec.extra_body), MessageReader(spec.name).chunks)

    def _read_error(self, status: int, headers: Mapping[str, str], body: str) -> EngineError:
        return read_error(status, headers, body)

    def _read_stream_error(self, event: str) -> EngineError | None:
        return read_stream_error(event)

    def _until_end(self, events: list[str]) -> tuple[list[str], bool]:
        return until_end(events)
