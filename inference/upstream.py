"""What engines have in common whose other end is one model behind one URL, whatever wire format it speaks.

It always streams upstream, never retries (the router decides) and closes the connection when the caller stops
listening. Proxies and keys are not taken from the environment. `http.py` and `anthropic/client.py` add their formats.
"""

from __future__ import annotations

import asyncio
import time
from abc import ABC, abstractmethod
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing, asynccontextmanager, closing
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from inference.capabilities import check_request
from inference.catalog import UpstreamModel
from inference.clouds import without
from inference.deadline import within_deadline
from inference.errors import AuthenticationFailed, EngineError, EngineUnavailable
from inference.protocol import ChatRequest, Chunk, EmbedRequest, Health, ModelCard
from inference.tally import Tally
from inference.wire import sse
from inference.wire.connections import BrokenConnection, Connections
from inference.wire.patience import Patience

HEALTH_TIMEOUT_SECONDS = 3.0
HEALTH_KEPT_SECONDS = 5.0
DRAIN_SECONDS = 0.2
ERROR_BODY_BYTES = 64 * 1024

M = TypeVar("M", bound=UpstreamModel)


class Content(Protocol):
    """A body that comes in pieces."""

    def iter_any(self) -> AsyncIterator[bytes]:
        """The pieces, as they come."""
        ...


class Reply(Protocol):
    """What is used of an HTTP answer."""

    @property
    def content(self) -> Content:
        """Its body."""
        ...

    async def read(self) -> bytes:
        """Its whole body."""
        ...


@dataclass(frozen=True, slots=True)
class Asked:
    """A request in a wire format: where it goes, its body, and what reads the data of the answer's events."""

    path: str
    body: Mapping[str, Any]
    read: Callable[[str], Iterable[Chunk]]


class Upstream(ABC, Generic[M]):
    """Speaks to one model behind one URL. `api_key` is never shown.

    With `socket` it connects to that Unix socket, whatever host the URL names.
    """

    health_path = "models"

    def __init__(self, model: M, api_key: str | None = None, socket: Path | None = None) -> None:
        if api_key is not None and not (api_key.isascii() and api_key.isprintable()):
            raise EngineError(f"The key in {model.api_key_env!r} for {model.name!r} cannot be sent in an HTTP header.")
        self._model = model
        self._api_key = api_key
        self._upstream_name = model.model or model.name
        self._health: tuple[float, Health] | None = None
        headers = {**model.headers, **self._standing_headers()}
        self._connections = Connections(model.url, model.connect_timeout_seconds, headers, socket)

    def models(self) -> Sequence[ModelCard]:
        """The one model behind the URL, under our name for it."""
        return (self._model.card(),)

    def stream(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        """Answer piece by piece; closing the generator closes the connection."""
        return within_deadline(self._answer(request), request.deadline)

    async def health(self) -> Health:
        """Whether the other end answers its health path; asked at most every few seconds."""
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
                status = await self._connections.status(self._at(self.health_path))
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

    @abstractmethod
    def _standing_headers(self) -> Mapping[str, str]:
        """The headers of every request, that with the key among them."""

    @abstractmethod
    def _asked(self, request: ChatRequest) -> Asked:
        """The request as the other end reads it. Raises `EngineError` for what its format cannot carry."""

    @abstractmethod
    def _read_error(self, status: int, headers: Mapping[str, str], body: str) -> EngineError:
        """What an answer says whose status is not 200."""

    @abstractmethod
    def _read_stream_error(self, event: str) -> EngineError | None:
        """What an event says that is an error; None for any other."""

    def _at(self, path: str) -> str:
        """Where a path is."""
        return path

    def _until_end(self, events: list[str]) -> tuple[list[str], bool]:
        """The events before the one that ends a stream, and whether that is among them."""
        return sse.until_done(events)

    async def _answer(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        check_request(self.models(), request)
        asked, tally = self._asked(without(request, self._model.drop_parameters)), Tally(request)
        async with (
            aclosing(self._events(asked, request)) as pieces,
            aclosing(self._in_time(pieces, tally)) as pieces_in_time,
        ):
            async for events in pieces_in_time:
                for event in events:
                    self._raise_for(event)
                    for chunk in asked.read(event):
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

    async def _events(self, asked: Asked, request: ChatRequest) -> AsyncGenerator[list[str], None]:
        """The data of the stream's events up to its end, as they come: those of one read together."""
        reader = sse.EventReader()
        async with self._post(asked.path, asked.body, request) as response:
            pieces = response.content.iter_any()
            async for piece in pieces:
                if events := reader.feed(piece):
                    before, done = self._until_end(events)
                    if before:
                        yield before
                    if done:
                        await _drain(pieces)
                        return
            if before := self._until_end(reader.end())[0]:
                yield before

    @asynccontextmanager
    async def _post(
        self, path: str, body: Mapping[str, Any], request: ChatRequest | EmbedRequest
    ) -> AsyncIterator[Reply]:
        """The answer to a POST, if its status is 200; raises `EngineError` for everything else."""
        if self._connections.closed:
            raise self._unavailable("cannot be asked: the engine is closed")
        whole, headers = {**body, **self._fields(request)}, self._headers(request)
        try:
            async with self._connections.post(self._at(path), whole, headers) as response:
                if response.status != 200:
                    text = await _beginning(response.content.iter_any())
                    raise self._shown(self._read_error(response.status, response.headers, text))
                yield response
        except (BrokenConnection, sse.EventTooLong) as error:
            why = error if isinstance(error, BrokenConnection) else type(error).__name__
            raise self._unavailable(f"broke off ({why})") from error

    def _headers(self, request: ChatRequest | EmbedRequest) -> dict[str, str]:
        """What the other end is told beside the body; no more than it needs, because it may be anybody.

        The header is OpenAI's for ids of clients: `x-request-id` must be a UUID for some servers, which refuse others.
        """
        return {"x-client-request-id": request.request_id}

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
        error = self._read_stream_error(event)
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


async def _beginning(pieces: AsyncIterator[bytes]) -> str:
    """The first part of an error body."""
    body = b""
    async for piece in pieces:
        body += piece
        if len(body) >= ERROR_BODY_BYTES:
            break
    return body[:ERROR_BODY_BYTES].decode("utf-8", "replace")


async def _drain(pieces: AsyncIterator[bytes]) -> None:
    """Read to the end of the body, so that the connection can be used again; not for long."""
    try:
        async with asyncio.timeout(DRAIN_SECONDS):
            async for _ in pieces:
                pass
    except TimeoutError:
        return
