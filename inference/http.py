"""The engine whose other end is any OpenAI-compatible URL: a cloud, or a server of the customer's own.

It always streams upstream, never retries (the router decides) and closes the connection when the
caller stops listening. Proxies and keys are not taken from the environment.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing, asynccontextmanager, closing
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from inference.capabilities import check_embed, check_request
from inference.catalog import HttpModel, InfillMarks
from inference.deadline import until_deadline, within_deadline
from inference.errors import AuthenticationFailed, EngineError, EngineUnavailable
from inference.openai import decode, outgoing
from inference.openai.errors import read_error, read_stream_error
from inference.openai.frames import StreamReader
from inference.protocol import ChatRequest, Chunk, Embeddings, EmbedRequest, Health, ModelCard, Tokens, Usage
from inference.tally import Tally, estimated_tokens, said_in
from inference.vectors import unit_vectors
from inference.wire import sse
from inference.wire.connections import BrokenConnection, Connections
from inference.wire.patience import Patience

if TYPE_CHECKING:
    import aiohttp

HEALTH_TIMEOUT_SECONDS = 3.0
HEALTH_KEPT_SECONDS = 5.0
DRAIN_SECONDS = 0.2
ERROR_BODY_BYTES = 64 * 1024


class HttpEngine:
    """Speaks to one model behind one URL. `api_key` is sent as a bearer token and never shown.

    With `socket` it connects to that Unix socket, whatever host the URL names.
    """

    health_path = "models"

    def __init__(self, model: HttpModel, api_key: str | None = None, socket: Path | None = None) -> None:
        if api_key is not None and not (api_key.isascii() and api_key.isprintable()):
            raise EngineError(f"The key in {model.api_key_env!r} for {model.name!r} cannot be sent in an HTTP header.")
        self._model = model
        self._api_key = api_key
        self._upstream_name = model.model or model.name
        self._health: tuple[float, Health] | None = None
        headers = {"authorization": f"Bearer {api_key}"} if api_key else {}
        self._connections = Connections(model.url, model.connect_timeout_seconds, headers, socket)

    def models(self) -> Sequence[ModelCard]:
        """The one model behind the URL, under our name for it."""
        return (self._model.card(),)

    def stream(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        """Answer piece by piece; closing the generator closes the connection."""
        return within_deadline(self._answer(request), request.deadline)

    async def embed(self, request: EmbedRequest) -> Embeddings:
        """Embed the texts; vectors are normalised here, because not every server does."""
        check_embed(self.models(), request)
        import numpy as np

        body = outgoing.embeddings_body(request, self._upstream_name)
        async with (
            until_deadline(request.deadline),
            self._timeout(self._model.first_token_timeout_seconds),
            self._post("embeddings", body, request) as response,
        ):
            shape = decode.read_embeddings(await response.read(), self._model.name)
        entries = sorted(shape.data, key=lambda entry: entry.index)
        vectors = [entry.embedding for entry in entries if isinstance(entry.embedding, list)]
        if len(vectors) != len(request.texts) or len({len(vector) for vector in vectors}) != 1:
            raise self._unavailable("did not answer with one vector of the same width for each text")
        usage = decode.read_usage(shape.usage)
        if not usage.prompt_tokens:
            usage = Usage(prompt_tokens=estimated_tokens("".join(request.texts)), estimated=True)
        rows = np.asarray(vectors, dtype=np.float32)
        return Embeddings(unit_vectors(rows, request.dimensions), usage, self._model.name)

    async def tokenize(self, request: ChatRequest) -> Tokens:
        """An estimate: the format has no way to ask for more."""
        check_request(self.models(), request)
        return Tokens(estimated_tokens(said_in(request)), None, self._model.name)

    async def health(self) -> Health:
        """Whether the other end answers GET /models; asked at most every few seconds."""
        now = time.monotonic()
        if self._health is None or now - self._health[0] > HEALTH_KEPT_SECONDS:
            self._health = (now, await self.ask_health())
        return self._health[1]

    async def ask_health(self) -> Health:
        """Whether the other end answers its health path now; never raises."""
        if self._connections.closed:
            return Health(ready=False, detail="The engine is closed.")
        try:
            async with asyncio.timeout(HEALTH_TIMEOUT_SECONDS):
                status = await self._connections.status(self.health_path)
        except BrokenConnection as error:
            return Health(ready=False, detail=f"{self._model.url} cannot be reached ({error}).")
        except TimeoutError:
            return Health(ready=False, detail=f"{self._model.url} cannot be reached (TimeoutError).")
        if status in (401, 403):
            return Health(ready=False, detail=f"{self._model.url} refused our key.")
        if status >= 500:
            return Health(ready=False, detail=f"{self._model.url} answers with status {status}.")
        return Health(ready=True, detail=f"{self._model.url} answers.")

    async def close(self) -> None:
        """Close the connections."""
        await self._connections.close()

    async def _answer(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        check_request(self.models(), request)
        if request.prompt is None:
            path, body, read = "chat/completions", outgoing.chat_body(request, self._upstream_name), decode.chat_chunks
        else:
            body = outgoing.completion_body(filled_in(request, self._model.infill), self._upstream_name)
            path, read = "completions", decode.text_chunks
        reader, tally = StreamReader(read, self._model.name), Tally(request)
        async with (
            aclosing(self._events(path, body, request)) as pieces,
            aclosing(self._in_time(pieces, tally)) as pieces_in_time,
        ):
            async for events in pieces_in_time:
                for event in events:
                    self._raise_for(event)
                    for chunk in reader.chunks(event):
                        if tally.add(chunk):
                            yield chunk
        if not tally.complete:
            raise self._unavailable("ended its stream before the answer was complete")
        yield Chunk(model=self._model.name, usage=tally.usage())

    async def _in_time(
        self, pieces: AsyncGenerator[Sequence[str], None], tally: Tally
    ) -> AsyncGenerator[Sequence[str], None]:
        """The pieces, if none takes too long; what counts are whole events, not that something comes."""
        with closing(Patience()) as patience:
            while True:
                first = not tally.begun
                limit = self._model.first_token_timeout_seconds if first else self._model.between_tokens_timeout_seconds
                try:
                    with patience.at_most(limit):
                        events = await anext(pieces, None)
                except TimeoutError as error:
                    raise self._too_late(limit, "first token" if first else "next token") from error
                if events is None:
                    return
                yield events

    async def _events(self, path: str, body: dict[str, Any], request: ChatRequest) -> AsyncGenerator[list[str], None]:
        """The data of the stream's events up to [DONE], as they come: those of one read together."""
        reader = sse.EventReader()
        async with self._post(path, body, request) as response:
            pieces = response.content.iter_any()
            async for piece in pieces:
                if events := reader.feed(piece):
                    before, done = sse.until_done(events)
                    if before:
                        yield before
                    if done:
                        await _drain(pieces)
                        return
            if before := sse.until_done(reader.end())[0]:
                yield before

    @asynccontextmanager
    async def _post(
        self, path: str, body: dict[str, Any], request: ChatRequest | EmbedRequest
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The answer to a POST, if its status is 200; raises `EngineError` for everything else."""
        if self._connections.closed:
            raise self._unavailable("cannot be asked: the engine is closed")
        whole, headers = body | self._fields(request), self._headers(request)
        try:
            async with self._connections.post(path, whole, headers) as response:
                if response.status != 200:
                    text = await _beginning(response)
                    raise self._shown(read_error(response.status, response.headers, text))
                yield response
        except (BrokenConnection, sse.EventTooLong) as error:
            why = error if isinstance(error, BrokenConnection) else type(error).__name__
            raise self._unavailable(f"broke off ({why})") from error

    def _headers(self, request: ChatRequest | EmbedRequest) -> dict[str, str]:
        """What the other end is told beside the body; no more than it needs, because it may be anybody."""
        return {"x-request-id": request.request_id}

    def _fields(self, request: ChatRequest | EmbedRequest) -> dict[str, str]:
        """What the other end is told in the body beside what is asked: nothing, if it may be anybody."""
        return {}

    @asynccontextmanager
    async def _timeout(self, seconds: float) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(seconds):
                yield
        except TimeoutError as error:
            raise self._too_late(seconds, "answer") from error

    def _too_late(self, seconds: float, what: str) -> EngineUnavailable:
        return self._unavailable(f"gave no {what} within {seconds:g} seconds")

    def _raise_for(self, event: str) -> None:
        error = read_stream_error(event)
        if error is not None:
            raise self._shown(error)

    def _unavailable(self, what: str) -> EngineUnavailable:
        return EngineUnavailable(f"The server behind {self._model.name!r} ({self._model.url}) {what}.")

    def _shown(self, error: EngineError) -> EngineError:
        """The error with a message that is safe to show: servers repeat the key they refuse."""
        if isinstance(error, AuthenticationFailed):
            message = f"The server behind {self._model.name!r} refused the key in {self._model.api_key_env!r}."
        else:
            message = error.message.replace(self._api_key, "[key]") if self._api_key else error.message
        return type(error)(message, param=error.param, retry_after_seconds=error.retry_after_seconds)


async def _beginning(response: aiohttp.ClientResponse) -> str:
    """The first part of an error body."""
    body = b""
    async for piece in response.content.iter_any():
        body += piece
        if len(body) >= ERROR_BODY_BYTES:
            break
    return body[:ERROR_BODY_BYTES].decode("utf-8", "replace")


def filled_in(request: ChatRequest, marks: InfillMarks | None) -> ChatRequest:
    """A completion whose suffix stands in the prompt, if models.yaml says how; few servers know `suffix`."""
    if marks is None or request.suffix is None or request.prompt is None:
        return request
    return replace(request, prompt=marks.around(request.prompt, request.suffix), suffix=None)


async def _drain(pieces: AsyncIterator[bytes]) -> None:
    """Read to the end of the body, so that the connection can be used again; not for long."""
    try:
        async with asyncio.timeout(DRAIN_SECONDS):
            async for _ in pieces:
                pass
    except TimeoutError:
        return
