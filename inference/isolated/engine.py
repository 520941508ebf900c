"""The engine that others see when the real one runs in a process of its own.

The process is started again, later each time, when it ends. Whatever was being answered then fails with an
error that may be retried, and so does what is asked before the process is back.
"""

from __future__ import annotations

import asyncio
import itertools
import os
import re
import socket
import sys
import tempfile
from collections.abc import AsyncGenerator, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import replace
from pathlib import Path

from inference.capabilities import check_embed, check_request
from inference.catalog import LlamaCppModel
from inference.child import Child, keep_running
from inference.deadline import until_deadline, within_deadline
from inference.errors import EngineError, EngineUnavailable, WeightsError
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
    Piece,
    Question,
    Reply,
    Tokenized,
)
from inference.isolated.process import connected, how_it_ended, listening, settle
from inference.memory import RESIDENT, resident_mib
from inference.protocol import ChatRequest, Chunk, Embeddings, EmbedRequest, Health, ModelCard, Tokens

RETRY_AFTER_SECONDS = 1.0
HEALTH_SECONDS = 5.0
SPINS = 100_000
"""How often a thread of GNU's OpenMP looks whether the others are ready before it sleeps: some tenths of a millisecond.

Three times as often, which is the default, one that has lost its core holds up a step far longer; much less often,
threads go to sleep where they only have to wait for a moment, and waking takes longer than that.
"""


class IsolatedEngine:
    """One model. `hidden` names environment variables (keys of other models) that the process does not get."""

    def __init__(
        self,
        model: LlamaCppModel,
        weights: Path,
        log_dir: Path,
        hidden: Sequence[str] = (),
        first_pause_seconds: float = 0.5,
    ) -> None:
        self._model = model
        self._weights = weights
        self._log = log_dir / f"llama.cpp-{re.sub(r'[^A-Za-z0-9._-]', '_', model.name)}.log"
        self._hidden = hidden
        self._first_pause_seconds = first_pause_seconds
        self._numbers = itertools.count(1)
        self._waiting: dict[int, asyncio.Queue[Reply]] = {}
        self._connection: Connection | None = None
        self._memory_mib: Mapping[str, float] = {}
        self._supervisor: asyncio.Task[None] | None = None
        self._state = "has not been started"

    async def start(self) -> None:
        """Start the process and wait until it has loaded the weights. Raises what loading them raises."""
        loaded: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._supervisor = asyncio.create_task(
            keep_running(lambda: self._run_once(loaded), self._first_pause_seconds, self._tell),
            name=f"process of {self._model.name}",
        )
        try:
            await loaded
        except (EngineError, asyncio.CancelledError):
            await self.close()
            raise

    def models(self) -> Sequence[ModelCard]:
        """The one model that the process serves."""
        return (self._model.card(),)

    def stream(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        """Answer piece by piece; closing the generator frees the slot in the process."""
        return within_deadline(self._answer(request), request.deadline)

    async def embed(self, request: EmbedRequest) -> Embeddings:
        """Embed in the process."""
        check_embed(self.models(), request)
        async with until_deadline(request.deadline):
            reply = await self._one_reply(AskEmbeddings(next(self._numbers), request))
        if not isinstance(reply, Embedded):
            raise self._nonsense(reply)
        return reply.embeddings

    async def tokenize(self, request: ChatRequest) -> Tokens:
        """The prompt as the process reads it."""
        check_request(self.models(), request)
        reply = await self._one_reply(AskTokens(next(self._numbers), request))
        if not isinstance(reply, Tokenized):
            raise self._nonsense(reply)
        return reply.tokens

    async def health(self) -> Health:
        """The engine's own health, or what the process is doing instead."""
        try:
            async with asyncio.timeout(HEALTH_SECONDS):
                reply = await self._one_reply(AskHealth(next(self._numbers)))
        except EngineError as error:
            return Health(ready=False, detail=error.message)
        except TimeoutError:
            return Health(False, f"The process of {self._model.name!r} does not answer.")
        if not isinstance(reply, HealthIs):
            return Health(False, self._nonsense(reply).message)
        return replace(reply.health, memory_mib=self.memory_mib())

    def memory_mib(self) -> Mapping[str, float]:
        """What the process allocated when it was loaded, and what it has resident now; empty while it is not up.

        The process is not asked, so that one that hangs holds nobody up.
        """
        if self._connection is None:
            return {}
        resident = resident_mib(self._connection.peer)
        return {**self._memory_mib, **({RESIDENT: resident} if resident is not None else {})}

    async def close(self) -> None:
        """End the process; safe to call twice."""
        if self._supervisor is not None:
            self._supervisor.cancel()
            await asyncio.gather(self._supervisor, return_exceptions=True)
        self._state = "is closed"

    async def _answer(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        check_request(self.models(), request)
        number = next(self._numbers)
        with self._asked(Ask(number, request)) as replies:
            while True:
                match await replies.get():
                    case Piece(_, chunk):
                        yield chunk
                    case Done():
                        return
                    case Failed() as failed:
                        raise failed.to_error()
                    case other:
                        raise self._nonsense(other)

    async def _one_reply(self, question: Question) -> Reply:
        with self._asked(question) as replies:
            reply = await replies.get()
        if isinstance(reply, Failed):
            raise reply.to_error()
        return reply

    @contextmanager
    def _asked(self, question: Question) -> Iterator[asyncio.Queue[Reply]]:
        """Send a question; its replies. Left before the last one, the process is told so."""
        if self._connection is None:
            raise self._unavailable()
        connection = self._connection
        replies: asyncio.Queue[Reply] = asyncio.Queue()
        self._waiting[question.id] = replies
        connection.send(question)
        try:
            yield replies
        finally:
            if self._waiting.pop(question.id, None):
                connection.send(Leave(question.id))

    async def _run_once(self, loaded: asyncio.Future[None]) -> str:
        """Run the process until it ends; how it ended. `loaded` learns how the first start went."""
        self._tell("is starting")
        try:
            with (
                tempfile.TemporaryDirectory(prefix="bailey-") as folder,
                listening(Path(folder) / "engine") as listener,
            ):
                return await self._run(listener, loaded)
        except OSError as error:  # no room or no right for the socket or the log
            settle(loaded, EngineUnavailable(f"The process of {self._model.name!r} cannot be started: {error}."))
            return f"cannot be started ({error})"

    async def _run(self, listener: socket.socket, loaded: asyncio.Future[None]) -> str:
        child = await Child.spawn(self._command(listener.getsockname()), self._log)
        try:
            return await self._serve(listener, child, loaded)
        except EOFError:
            ending = await how_it_ended(child)
            settle(loaded, WeightsError(f"Loading {self._weights}, the process {ending}: {child.tail()}"))
            return ending
        finally:
            self._connection = None
            await child.stop()
            self._fail_all()

    async def _serve(self, listener: socket.socket, child: Child, loaded: asyncio.Future[None]) -> str:
        async with aclosing(await connected(listener, child)) as connection:
            connection.send(Load(self._model, str(self._weights)))
            while True:
                try:
                    messages = await connection.receive()
                except ValueError:
                    return "sent what is no message"
                for message in messages:
                    match message:
                        case Loaded(memory_mib):
                            self._connection, self._memory_mib = connection, memory_mib
                            settle(loaded, None)
                        case Failed(0) as failed:
                            settle(loaded, failed.to_error())
                            return f"cannot load its weights ({failed.message})"
                        case Piece() | Done() | Embedded() | Tokenized() | HealthIs() | Failed():
                            self._pass_on(message)
                        case _:
                            return f"sent a {type(message).__name__}, which makes no sense"

    def _pass_on(self, reply: Reply) -> None:
        """To whoever waits for it; nobody may, any more."""
        if waiting := self._waiting.get(reply.id):
            waiting.put_nowait(reply)
            if not isinstance(reply, Piece):
                del self._waiting[reply.id]

    def _fail_all(self) -> None:
        lost = EngineUnavailable(
            f"The process of {self._model.name!r} ended while it answered; ask again.",
            retry_after_seconds=RETRY_AFTER_SECONDS,
        )
        for number in list(self._waiting):
            self._pass_on(Failed.from_error(number, lost))

    def _command(self, address: str) -> list[str]:
        """The process's command line; it finds modules where we do, and nowhere else."""
        return [
            "env",
            *(argument for name in self._hidden for argument in ("-u", name)),
            f"GOMP_SPINCOUNT={SPINS}",
            f"PYTHONPATH={os.pathsep.join(path for path in sys.path if path)}",
            *(sys.executable, "-P", "-m", "inference.isolated.host", address),
        ]

    def _tell(self, state: str) -> None:
        self._state = state

    def _unavailable(self) -> EngineUnavailable:
        return EngineUnavailable(
            f"The process of {self._model.name!r} {self._state}.", retry_after_seconds=RETRY_AFTER_SECONDS
        )

    def _nonsense(self, message: object) -> EngineError:
        return EngineError(f"The process of {self._model.name!r} sent a {type(message).__name__} that makes no sense.")
