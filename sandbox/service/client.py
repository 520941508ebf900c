"""`Sandbox` over HTTP: commands run on another host or in another pod, where `server.py` answers.

Every run has a connection of its own, so leaving it is what cancels the command there.
"""

from __future__ import annotations

import asyncio
import ssl
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import replace

import httpx
from pydantic import TypeAdapter, ValidationError
from pydantic_core import PydanticSerializationError

from sandbox.doctor import Report
from sandbox.files.workspace import read_tree
from sandbox.probes import LINTER_PROBE, PROBE, demand_isolated, demand_linted
from sandbox.protocol import (
    Command,
    CommandRunner,
    InvalidCommand,
    OnProgress,
    Result,
    SandboxError,
    SandboxUnavailable,
    SandboxUnreachable,
)
from sandbox.service.tls import TlsFiles
from sandbox.service.wire import MOST_REQUEST_BYTES, SIGN_OF_LIFE_SECONDS, Asked, Event
from sandbox.spec import RemoteSpec
from sandbox.threads import finish, settle

_CONNECT_SECONDS, _CONNECT_TRIES = 5.0, 3
_SILENCE_SECONDS = 4 * SIGN_OF_LIFE_SECONDS
_MOST_LINE_BYTES = 2 * MOST_REQUEST_BYTES


class RemoteSandbox:
    """The sandbox that answers at `spec.url`."""

    def __init__(self, spec: RemoteSpec) -> None:
        self._url = spec.url
        self._socket = spec.socket
        self._tls = TlsFiles(*spec.tls_files) if spec.tls_files is not None else None
        self._context: tuple[tuple[int, ...], ssl.SSLContext] | None = None
        self._environments: dict[str, str] = {}
        self._runs: set[asyncio.Task[Result]] = set()
        self._closed = False

    async def run(self, command: Command, on_progress: OnProgress | None = None) -> Result:
        """See `Sandbox.run`. Raises `SandboxUnreachable` if the server was lost before the program started."""
        return await self.run_in("", command, on_progress)

    async def run_in(self, workspace: str, command: Command, on_progress: OnProgress | None) -> Result:
        """The same in a workspace that the server knows by this name; without one, in a fresh one."""
        if self._closed:
            raise SandboxError("The sandbox is closed.")
        task = asyncio.create_task(self._run(workspace, command, on_progress))
        self._runs.add(task)
        try:
            return await asyncio.shield(task)
        except asyncio.CancelledError:
            if task.cancelled() and self._closed:
                raise SandboxError("The sandbox was closed.") from None
            task.cancel()
            await settle(task)
            raise
        finally:
            self._runs.discard(task)

    @asynccontextmanager
    async def workspace(self) -> AsyncIterator[CommandRunner]:
        """See `Sandbox.workspace`: it lives on the server for as long as one connection, which is held here, lasts."""
        async with AsyncExitStack() as held:
            try:
                http = await held.enter_async_context(self._connection())
                answer = await held.enter_async_context(http.stream("POST", "/v1/workspaces"))
                events = _events(answer)
                held.push_async_callback(events.aclose)  # it ends the connection when it is forgotten, too
                opening = await anext(events, Event())
            except httpx.HTTPError as error:
                raise SandboxUnavailable(self._unreachable(error)) from None
            if opening.failure is not None:
                raise opening.failure.as_error()
            if opening.workspace is None:
                raise SandboxError(f"The sandbox at {self._url} opened no workspace.")
            yield _Workspace(self, opening.workspace)

    def environment_digest(self, profile: str) -> str:
        """See `Sandbox.environment_digest`: as of the last check, or the last run in the profile."""
        if not self._environments:
            raise SandboxUnavailable("The environment is known once the sandbox has answered; call `check` first.")
        if profile not in self._environments:
            known = ", ".join(self._environments)
            raise InvalidCommand(f"There is no sandbox profile {profile!r}; known are {known}.")
        return self._environments[profile]

    async def check(self) -> None:
        """See `Sandbox.check`."""
        if (await self.diagnose()).tier == "D":
            demand_linted(await self.run(LINTER_PROBE))
            return
        result = await self.run(PROBE)
        demand_isolated(result.stdout, result.stderr)

    async def diagnose(self) -> Report:
        """What the other host gives. Raises `SandboxUnavailable` when it does not answer as a sandbox does."""
        try:
            async with self._connection() as http:
                answer = await http.get("/v1/host")
            report = TypeAdapter(Report).validate_json(answer.content)
        except httpx.HTTPError as error:
            raise SandboxUnavailable(self._unreachable(error)) from None
        except ValidationError:
            raise SandboxUnavailable(f"What answers at {self._url} is no sandbox of this release.") from None
        self._environments = {each.name: each.environment_digest for each in report.profiles}
        return report

    async def close(self) -> None:
        """See `Sandbox.close`; what runs is killed there, and raises `SandboxError` here."""
        self._closed = True
        for task in list(self._runs):
            task.cancel()
            await settle(task)

    async def _run(self, workspace: str, command: Command, on_progress: OnProgress | None) -> Result:
        body = await finish(lambda: _body(command, workspace, watched=on_progress is not None))
        started = False
        try:
            async with self._connection() as http, http.stream("POST", "/v1/run", content=body) as answer:
                async for event in _events(answer):
                    started = started or event.started is not None
                    if event.failure is not None:
                        raise event.failure.as_error()
                    if event.result is not None:
                        self._environments[command.profile] = event.result.environment_digest
                        return event.result
                    step = event.started or event.piece
                    if step is not None and on_progress is not None:
                        on_progress(step)
        except httpx.HTTPError as error:
            raise self._lost(self._unreachable(error), started) from None
        raise self._lost(f"The sandbox at {self._url} stopped before the command began.", started)

    def _lost(self, why: str, started: bool) -> SandboxError:
        if not started:
            return SandboxUnreachable(why)
        return SandboxError(f"The sandbox at {self._url} was lost while the command ran; what it did is not known.")

    def _connection(self) -> httpx.AsyncClient:
        timeout = httpx.Timeout(_SILENCE_SECONDS, connect=_CONNECT_SECONDS)
        verify = self._fresh_context()
        transport = httpx.AsyncHTTPTransport(uds=self._socket, verify=verify, retries=_CONNECT_TRIES, trust_env=False)
        base = "http://sandbox" if self._socket else self._url
        return httpx.AsyncClient(transport=transport, base_url=base, timeout=timeout, trust_env=False)

    def _fresh_context(self) -> ssl.SSLContext | bool:
        """Made again when the files have changed."""
        if self._tls is None:
            return False  # a Unix socket
        stamp = self._tls.stamp()
        if self._context is None or self._context[0] != stamp:
            self._context = stamp, self._tls.context_for_client()
        return self._context[1]

    def _unreachable(self, error: httpx.HTTPError) -> str:
        return f"The sandbox at {self._url} does not answer: {str(error) or type(error).__name__}."


class _Workspace:
    """A workspace on the server."""

    def __init__(self, sandbox: RemoteSandbox, name: str) -> None:
        self._sandbox = sandbox
        self._name = name

    async def run(self, command: Command, on_progress: OnProgress | None = None) -> Result:
        """See `CommandRunner.run`."""
        return await self._sandbox.run_in(self._name, command, on_progress)


def _body(command: Command, workspace: str, *, watched: bool) -> bytes:
    """The command with the files of its tree; blocking."""
    if command.tree is not None:
        files, executables = read_tree(command.tree, MOST_REQUEST_BYTES)
        own = command.executables | (executables - command.files.keys())
        command = replace(command, tree=None, files={**files, **command.files}, executables=own)
    try:
        return Asked(command=command, workspace=workspace, watched=watched).model_dump_json().encode()
    except PydanticSerializationError:
        raise InvalidCommand("A word, a variable or a file name of the command is not valid Unicode.") from None


async def _events(answer: httpx.Response) -> AsyncGenerator[Event]:
    """The lines of an answer. Raises `SandboxError` for what is none of ours."""
    rest = bytearray()
    async for piece in answer.aiter_raw():
        begin = len(rest)
        rest += piece
        while (end := rest.find(b"\n", begin)) >= 0:
            yield _event(bytes(rest[:end]))
            del rest[: end + 1]
            begin = 0
        if len(rest) > _MOST_LINE_BYTES:
            raise SandboxError("The sandbox's answer has a line that is too long to be one of ours.")


def _event(line: bytes) -> Event:
    try:
        return Event.model_validate_json(line)
    except ValidationError:
        raise SandboxError("The sandbox's answer cannot be read; both ends must be of one release.") from None
