"""What an isolated engine and its process say to each other: typed messages as JSON, in frames of a known length.

JSON and not pickle, because the process runs C++ on files that came from somewhere: taken over, it can send
wrong answers and nothing else.
"""

from __future__ import annotations

import asyncio
import socket
import struct
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Annotated, Literal

from pydantic import Field, TypeAdapter

from inference import errors
from inference.catalog import LlamaCppModel
from inference.errors import EngineError
from inference.protocol import ChatRequest, Chunk, Embeddings, EmbedRequest, Health, Tokens

LENGTH_BYTES = 4
LONGEST_FRAME_BYTES = 256 * 2**20


@dataclass(frozen=True, slots=True)
class Load:
    """To the process, first of all: what to host."""

    spec: LlamaCppModel
    weights: str
    kind: Literal["load"] = "load"


@dataclass(frozen=True, slots=True)
class Loaded:
    """From the process: requests are welcome, and this much memory was allocated, by part."""

    memory_mib: Mapping[str, float] = field(default_factory=dict)
    kind: Literal["loaded"] = "loaded"


@dataclass(frozen=True, slots=True)
class Ask:
    """To the process: a question with a number; `Leave` takes it back."""

    id: int
    request: ChatRequest
    kind: Literal["ask"] = "ask"


@dataclass(frozen=True, slots=True)
class AskEmbeddings:
    """To the process: texts to embed."""

    id: int
    request: EmbedRequest
    kind: Literal["ask embeddings"] = "ask embeddings"


@dataclass(frozen=True, slots=True)
class AskTokens:
    """To the process: a prompt to be read."""

    id: int
    request: ChatRequest
    kind: Literal["ask tokens"] = "ask tokens"


@dataclass(frozen=True, slots=True)
class AskHealth:
    """To the process: how are you?"""

    id: int
    kind: Literal["ask health"] = "ask health"


@dataclass(frozen=True, slots=True)
class Leave:
    """To the process: nobody waits for this any more."""

    id: int
    kind: Literal["leave"] = "leave"


@dataclass(frozen=True, slots=True)
class Piece:
    """From the process: some of the answer."""

    id: int
    chunk: Chunk
    kind: Literal["piece"] = "piece"


@dataclass(frozen=True, slots=True)
class Done:
    """From the process: that was the answer."""

    id: int
    kind: Literal["done"] = "done"


@dataclass(frozen=True, slots=True)
class Embedded:
    """From the process: the vectors."""

    id: int
    embeddings: Embeddings
    kind: Literal["embedded"] = "embedded"


@dataclass(frozen=True, slots=True)
class Tokenized:
    """From the process: a prompt's tokens."""

    id: int
    tokens: Tokens
    kind: Literal["tokenized"] = "tokenized"


@dataclass(frozen=True, slots=True)
class HealthIs:
    """From the process: its engine's health."""

    id: int
    health: Health
    kind: Literal["health"] = "health"


@dataclass(frozen=True, slots=True)
class Failed:
    """From the process: an `EngineError` by the name of its class. The id of a failed `Load` is 0."""

    id: int
    error: str
    message: str
    param: str | None = None
    retry_after_seconds: float | None = None
    kind: Literal["failed"] = "failed"

    @classmethod
    def from_error(cls, number: int, error: EngineError) -> Failed:
        """The message for an error."""
        return cls(number, type(error).__name__, error.message, error.param, error.retry_after_seconds)

    def to_error(self) -> EngineError:
        """The error again; of a class we do not know, its base."""
        found = getattr(errors, self.error, EngineError)
        known = found if isinstance(found, type) and issubclass(found, EngineError) else EngineError
        return known(self.message, param=self.param, retry_after_seconds=self.retry_after_seconds)


Question = Ask | AskEmbeddings | AskTokens | AskHealth
ToProcess = Load | Question | Leave
Reply = Piece | Done | Embedded | Tokenized | HealthIs | Failed
FromProcess = Loaded | Reply
Message = ToProcess | FromProcess
_FRAMES: TypeAdapter[list[Message]] = TypeAdapter(list[Annotated[Message, Field(discriminator="kind")]])


class Connection:
    """One end of the socket. What is sent in one turn of the event loop goes out as one frame."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer
        self._outgoing: list[Message] = []

    @property
    def peer(self) -> int:
        """The pid of the process that opened a connection to us, from the kernel."""
        end: socket.socket = self._writer.get_extra_info("socket")
        credentials = end.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
        return int(struct.unpack("3i", credentials)[0])

    @classmethod
    async def over(cls, end: socket.socket) -> Connection:
        """Use a connected socket, which then belongs to the connection."""
        return cls(*await asyncio.open_connection(sock=end))

    @classmethod
    async def to(cls, address: str) -> Connection:
        """Connect to a Unix socket."""
        return cls(*await asyncio.open_unix_connection(address))

    def send(self, message: Message) -> None:
        """Send soon; if the other end is gone, nobody will miss it."""
        if not self._outgoing:
            asyncio.get_running_loop().call_soon(self._flush)
        self._outgoing.append(message)

    async def receive(self) -> list[Message]:
        """The next messages. Raises `EOFError` when the other end is gone, `ValueError` for what is no message."""
        try:
            length = int.from_bytes(await self._reader.readexactly(LENGTH_BYTES))
            if length > LONGEST_FRAME_BYTES:
                raise ValueError(f"a frame of {length} bytes is too long")
            return _FRAMES.validate_json(await self._reader.readexactly(length))
        except (asyncio.IncompleteReadError, ConnectionError) as error:
            raise EOFError("The other end is gone.") from error

    async def aclose(self) -> None:
        """Send what is left and close our end; the other one notices."""
        self._flush()
        self._writer.close()
        with suppress(ConnectionError):
            await self._writer.wait_closed()

    def _flush(self) -> None:
        if self._outgoing and not self._writer.is_closing():
            frame = _FRAMES.dump_json(self._outgoing)
            self._writer.write(len(frame).to_bytes(LENGTH_BYTES) + frame)
        self._outgoing = []
