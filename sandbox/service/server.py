"""The sandbox as a service: the `Sandbox` of one host over HTTP, for the gateways that may connect to it.

Knows no keys, no models and no ledger, and opens no connection: what runs here can find none. A command whose client
leaves is killed. `gateway` runs it, on a Unix socket or behind certificates of both ends.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Callable, Iterator

from pydantic import TypeAdapter, ValidationError
from starlette.applications import Starlette
from starlette.requests import ClientDisconnect, Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route
from starlette.types import Receive, Scope, Send

from sandbox.doctor import Report
from sandbox.protocol import InvalidCommand, Progress, Sandbox, SandboxError, SandboxOverloaded, Started
from sandbox.service.leases import Leases, departure
from sandbox.service.wire import (
    LINES,
    MOST_REQUEST_BYTES,
    SIGN_OF_LIFE_SECONDS,
    Asked,
    Event,
    failure_event,
    progress_event,
    why_invalid,
)
from sandbox.threads import settle

_PROOF_SECONDS = 30.0
_BODY_SECONDS = 60.0
_HEALTH = ("/livez", "/readyz")


def create_app(sandbox: Sandbox, most_bytes: int) -> Starlette:
    """The application; the requests of all commands that wait or run take at most so many bytes."""
    readiness, leases = _Readiness(sandbox), Leases(sandbox)

    async def alive(_: Request) -> Response:
        return PlainTextResponse("alive")

    async def ready(_: Request) -> Response:
        problem = await readiness.problem()
        return PlainTextResponse(problem or "ready", status_code=503 if problem else 200)

    async def host(_: Request) -> Response:
        return JSONResponse(TypeAdapter(Report).dump_python(await sandbox.diagnose(), mode="json"))

    return Starlette(
        routes=[
            Route("/livez", alive),
            Route("/readyz", ready),
            Route("/v1/host", host),
            Route("/v1/run", _Runs(leases, _Memory(most_bytes)), methods=["POST"]),
            Route("/v1/workspaces", leases, methods=["POST"]),
        ]
    )


def health_of(app: Starlette) -> Starlette:
    """What tells the application's health and nothing else, for those who can show no certificate."""
    return Starlette(routes=[route for route in app.routes if isinstance(route, Route) and route.path in _HEALTH])


class _Readiness:
    """Whether this host still isolates, proven by a run that is at most half a minute old."""

    def __init__(self, sandbox: Sandbox) -> None:
        self._sandbox = sandbox
        self._proving = asyncio.Lock()
        self._proven_at = -_PROOF_SECONDS
        self._problem = ""

    async def problem(self) -> str:
        """What is wrong, or nothing. A sandbox that is merely busy works."""
        async with self._proving:
            if time.monotonic() - self._proven_at >= _PROOF_SECONDS:
                self._problem = ""
                try:
                    await self._sandbox.check()
                except SandboxOverloaded:
                    pass
                except SandboxError as error:
                    self._problem = str(error)
                self._proven_at = time.monotonic()
            return self._problem


class _Memory:
    """How many bytes of requests are held, and may be."""

    def __init__(self, most_bytes: int) -> None:
        self._most = most_bytes
        self._held = 0

    @contextlib.contextmanager
    def account(self) -> Iterator[Callable[[int], None]]:
        """Take bytes as they come; they are free again afterwards."""
        taken = 0

        def take(count: int) -> None:
            nonlocal taken
            if taken + count > MOST_REQUEST_BYTES:
                raise InvalidCommand(f"A command with its files may have {MOST_REQUEST_BYTES >> 20} MiB on the wire.")
            if self._held + count > self._most:
                raise SandboxOverloaded("The sandbox holds as many files of commands as it may; try again later.")
            taken += count
            self._held += count

        try:
            yield take
        finally:
            self._held -= taken


class _Runs:
    """The endpoint that runs commands."""

    def __init__(self, leases: Leases, memory: _Memory) -> None:
        self._leases = leases
        self._memory = memory

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive)
        with self._memory.account() as take:
            try:
                asked = await _read(request, take)
            except SandboxError as error:
                refusal = Response(failure_event(error).as_line(), _status(error), media_type=LINES)
                await refusal(scope, receive, send)
            except ClientDisconnect:
                pass
            else:
                await self._answer(asked, receive, send)

    async def _answer(self, asked: Asked, receive: Receive, send: Send) -> None:
        """Send events until the last one; if the client leaves or the server stops, the command is killed."""
        events: asyncio.Queue[Event | None] = asyncio.Queue()
        working = asyncio.create_task(self._work(asked, events.put_nowait))
        leaving = asyncio.create_task(departure(receive))
        working.add_done_callback(lambda _: events.put_nowait(None))
        leaving.add_done_callback(lambda _: working.cancel())
        try:
            headers = [(b"content-type", LINES.encode())]
            await send({"type": "http.response.start", "status": 200, "headers": headers})
            async for event in _with_signs_of_life(events):
                await send({"type": "http.response.body", "body": event.as_line(), "more_body": True})
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        except asyncio.CancelledError:  # the server stops; an answer that ends without a result says so
            await send({"type": "http.response.body", "body": b"", "more_body": False})
        finally:
            leaving.cancel()
            working.cancel()
            await settle(working)

    async def _work(self, asked: Asked, tell: Callable[[Event], None]) -> None:
        def tell_progress(progress: Progress) -> None:
            if asked.watched or isinstance(progress, Started):
                tell(progress_event(progress))

        try:
            tell(Event(result=await self._leases.runner(asked.workspace).run(asked.command, tell_progress)))
        except SandboxError as error:
            tell(failure_event(error))


async def _read(request: Request, take: Callable[[int], None]) -> Asked:
    pieces = []
    try:
        async with asyncio.timeout(_BODY_SECONDS):
            async for piece in request.stream():
                take(len(piece))
                pieces.append(piece)
    except TimeoutError:
        raise InvalidCommand(f"The command did not come whole within {_BODY_SECONDS:g} s.") from None
    try:
        return Asked.model_validate_json(b"".join(pieces))
    except ValidationError as error:
        raise InvalidCommand(f"This is no command: {why_invalid(error)}.") from None


def _status(error: SandboxError) -> int:
    return 400 if isinstance(error, InvalidCommand) else 503


async def _with_signs_of_life(events: asyncio.Queue[Event | None]) -> AsyncIterator[Event]:
    while True:
        try:
            event = await asyncio.wait_for(events.get(), SIGN_OF_LIFE_SECONDS)
        except TimeoutError:
            event = Event()
        if event is None:
            return
        yield event
