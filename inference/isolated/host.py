"""The main program of an engine's own process: `python -m inference.isolated.host ADDRESS`.

At the address, a Unix socket, listens whoever started it. The process loads what it is told to, answers until
the other end is gone, and lets any error that is no `EngineError` end it: a fresh process is better than a
doubtful one.
"""

from __future__ import annotations

import asyncio
import signal
import sys
from contextlib import aclosing
from pathlib import Path

from inference.catalog import LlamaCppModel
from inference.errors import EngineError
from inference.isolated.messages import (
    Ask,
    AskEmbeddings,
    AskHealth,
    AskTokens,
    Connection,
    Done,
    Embedded,
    Failed,
    HealthIs,
    Leave,
    Load,
    Loaded,
    Message,
    Piece,
    Tokenized,
)
from inference.protocol import ChatRequest, EmbedRequest, Engine


async def serve(address: str) -> None:
    """Host an engine for whoever listens there, until they are gone."""
    async with aclosing(await Connection.to(address)) as connection:
        (first,) = await connection.receive()
        if not isinstance(first, Load):
            raise TypeError(f"the first message is {first.kind!r}")
        try:
            engine = await asyncio.to_thread(_load, first.spec, Path(first.weights))
        except EngineError as error:
            connection.send(Failed.from_error(0, error))
            return
        try:
            connection.send(Loaded((await engine.health()).memory_mib))
            await Host(connection, engine).run()
        finally:
            await engine.close()


def _load(spec: LlamaCppModel, weights: Path) -> Engine:
    from inference.llamacpp.engine import LlamaCppEngine

    return LlamaCppEngine(spec, weights)


class Host:
    """Turns messages into calls of the engine, and what comes of them into messages."""

    def __init__(self, connection: Connection, engine: Engine) -> None:
        self._connection = connection
        self._engine = engine
        self._calls: dict[int, asyncio.Task[None]] = {}

    async def run(self) -> None:
        """Until the other end is gone; whatever is still being answered then is cancelled."""
        async with asyncio.TaskGroup() as calls:
            try:
                while True:
                    for message in await self._connection.receive():
                        self._take(message, calls)
            except EOFError:
                for call in self._calls.values():
                    call.cancel()

    def _take(self, message: Message, calls: asyncio.TaskGroup) -> None:
        match message:
            case Ask(number, request):
                self._begin(number, calls.create_task(self._answer(number, request)))
            case AskEmbeddings(number, texts):
                self._begin(number, calls.create_task(self._embed(number, texts)))
            case AskTokens(number, request):
                self._begin(number, calls.create_task(self._tokenize(number, request)))
            case AskHealth(number):
                self._begin(number, calls.create_task(self._health(number)))
            case Leave(number):
                if call := self._calls.get(number):
                    call.cancel()
            case _:
                raise TypeError(f"a message {message.kind!r} makes no sense here")

    def _begin(self, number: int, call: asyncio.Task[None]) -> None:
        self._calls[number] = call
        call.add_done_callback(lambda _: self._calls.pop(number))

    async def _answer(self, number: int, request: ChatRequest) -> None:
        try:
            async with aclosing(self._engine.stream(request)) as chunks:
                async for chunk in chunks:
                    self._connection.send(Piece(number, chunk))
            self._connection.send(Done(number))
        except EngineError as error:
            self._connection.send(Failed.from_error(number, error))

    async def _embed(self, number: int, request: EmbedRequest) -> None:
        try:
            self._connection.send(Embedded(number, await self._engine.embed(request)))
        except EngineError as error:
            self._connection.send(Failed.from_error(number, error))

    async def _tokenize(self, number: int, request: ChatRequest) -> None:
        try:
            self._connection.send(Tokenized(number, await self._engine.tokenize(request)))
        except EngineError as error:
            self._connection.send(Failed.from_error(number, error))

    async def _health(self, number: int) -> None:
        self._connection.send(HealthIs(number, await self._engine.health()))


def main() -> None:
    """Host an engine. An interrupt from the keyboard is our parent's business."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    asyncio.run(serve(sys.argv[1]))


if __name__ == "__main__":
    main()
