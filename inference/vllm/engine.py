"""The engine that supervises one vLLM server: starts it, says how far it is, and starts it again when it ends.

While the server is not up, requests are refused at once and health says why. Requests go through a `VllmClient`
per name: one for the model, one for each adapter.
"""

from __future__ import annotations

import asyncio
import logging
import re
import tempfile
import time
from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, suppress
from dataclasses import replace
from pathlib import Path

from inference.capabilities import check_embed, check_request
from inference.catalog import VllmModel
from inference.child import Child, keep_running
from inference.errors import EngineError, EngineUnavailable
from inference.protocol import ChatRequest, Chunk, Embeddings, EmbedRequest, Health, ModelCard, Tokens
from inference.vllm.adapters import Adapters
from inference.vllm.arguments import command, socket_in
from inference.vllm.client import VllmClient
from inference.vllm.progress import BEGINNING, FIRST_TOKEN, Progress, Step

POLL_SECONDS = 0.2
PULSE_SECONDS = 5.0
RETRY_AFTER_SECONDS = 10.0
LONGEST_SOCKET_PATH = 107

_log = logging.getLogger(__name__)


class VllmEngine:
    """One model folder. `hidden` names environment variables (keys of other models) that the child does not get."""

    def __init__(
        self,
        model: VllmModel,
        weights: Path,
        log_dir: Path,
        hidden: Sequence[str] = (),
        first_pause_seconds: float = 1.0,
    ) -> None:
        self._model = model
        self._weights = weights
        self._log = log_dir / f"vllm-{re.sub(r'[^A-Za-z0-9._-]', '_', model.name)}.log"
        self._hidden = hidden
        self._first_pause_seconds = first_pause_seconds
        self._supervisor: asyncio.Task[None] | None = None
        self._adapters = Adapters(model)
        self._upstream: VllmClient | None = None
        self._child: Child | None = None
        self._socket: Path | None = None
        self._state = "has not been started"
        self._step = BEGINNING

    def start(self) -> None:
        """Begin to supervise, in the running event loop; returns at once."""
        if self._supervisor is None:
            self._supervisor = asyncio.create_task(
                keep_running(self._run_once, self._first_pause_seconds, self._tell), name=f"vllm {self._model.name}"
            )

    @property
    def socket(self) -> Path | None:
        """The Unix socket at which the child listens; None while it is not up."""
        return self._socket if self._upstream else None

    def models(self) -> Sequence[ModelCard]:
        """The model, and each adapter as `model:adapter`."""
        card = self._model.card()
        return (card, *(replace(card, id=name) for name in self._adapters.names()))

    def stream(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        """Answer piece by piece through the child."""
        client = self._client(request.model)
        return client.stream(request) if client else self._refuse(request)

    async def embed(self, request: EmbedRequest) -> Embeddings:
        """Embed through the child."""
        check_embed(self.models(), request)
        client = self._client(request.model)
        if client is None:
            raise self._unavailable(request.model)
        return await client.embed(request)

    async def tokenize(self, request: ChatRequest) -> Tokens:
        """What the child would read."""
        check_request(self.models(), request)
        client = self._client(request.model)
        if client is None:
            raise self._unavailable(request.model)
        return await client.tokenize(request)

    def adapters(self) -> Mapping[str, str]:
        """All that are wanted: name -> why it cannot be asked now, empty if it can."""
        prefix = f"{self._model.name}:"
        names = self._adapters.names()
        return {name.removeprefix(prefix): "" if self._client(name) else self._problem(name) for name in names}

    async def load_adapter(self, name: str, folder: Path) -> None:
        """Load an adapter from a folder; it is asked for as `model:name`, also after the child was started again.

        Raises `InvalidRequest` (no adapters declared, a name that is taken or none), `WeightsError` (the folder cannot
        be used) or `EngineUnavailable` (the child is not up).
        """
        if self._upstream is None:
            raise self._unavailable(self._model.name)
        await self._adapters.load(name, folder, self._upstream)

    async def unload_adapter(self, name: str) -> None:
        """Forget an adapter; answers that are under way go on. Raises `ModelNotFound` if there is none of that name."""
        await self._adapters.unload(name, self._upstream)

    async def health(self) -> Health:
        """Whether the child answers; while it does not, what it is doing and the last lines of its log."""
        if self._upstream is not None:
            ready = (await self._upstream.health()).ready
            said = "The vLLM server answers." if ready else "The vLLM server does not answer."
            return Health(ready, " ".join([said, *self._adapters.problems()]))
        output = f" Last output: {self._child.tail()}" if self._child else ""
        return Health(ready=False, detail=f"The vLLM server {self._state}.{output}")

    async def close(self) -> None:
        """Stop supervising and end the child with all its processes."""
        if self._supervisor is not None:
            self._supervisor.cancel()
            await asyncio.gather(self._supervisor, return_exceptions=True)
        self._state = "is closed"

    def _client(self, name: str) -> VllmClient | None:
        if self._upstream is None or name == self._model.name:
            return self._upstream
        return self._adapters.client(name)

    def _problem(self, name: str) -> str:
        return self._adapters.problem(name) if self._upstream else f"The vLLM server of {name!r} {self._state}."

    def _unavailable(self, name: str) -> EngineUnavailable:
        return EngineUnavailable(self._problem(name), retry_after_seconds=RETRY_AFTER_SECONDS)

    async def _refuse(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        check_request(self.models(), request)
        raise self._unavailable(request.model)
        yield  # makes this a generator

    def _tell(self, state: str) -> None:
        self._state = state
        _log.warning("The vLLM server of %r %s.", self._model.name, state)

    async def _run_once(self) -> str:
        """Run the child until it ends; how it ended."""
        async with AsyncExitStack() as stack:
            # Only this user may enter: whoever reaches the server may use all of it.
            folder = Path(
                stack.enter_context(tempfile.TemporaryDirectory(prefix="bailey-", ignore_cleanup_errors=True))
            )
            self._socket = socket_in(folder)
            if len(str(self._socket)) > LONGEST_SOCKET_PATH:
                return (
                    f"cannot be started: the path {self._socket} is too long for a socket; set TMPDIR to a shorter one"
                )
            try:
                words = command(self._model, self._weights, folder, self._hidden)
                self._child = child = await Child.spawn(words, self._log)
            except OSError as error:
                return f"cannot be started ({error})"
            stack.push_async_callback(child.stop)
            client = VllmClient(self._model, self._socket)
            stack.push_async_callback(client.close)
            stack.push_async_callback(self._adapters.down)
            stack.callback(self._down)
            ending = await self._comes_up(child, client)
            if not ending:
                self._upstream = client
                _log.info("The vLLM server of %r is ready.", self._model.name)
                ending = await self._stays_up(child, client)
            complaint = Progress(self._log).complaint()
            return f"{ending} ({complaint})" if complaint else ending

    def _down(self) -> None:
        self._upstream = None

    async def _comes_up(self, child: Child, client: VllmClient) -> str:
        """Wait until a token has come out; what was in the way, if it never did."""
        limit = self._model.start_timeout_seconds
        self._step = BEGINNING
        try:
            async with asyncio.timeout(limit):
                return await self._starts(child, client)
        except TimeoutError:
            return f"was not ready after {limit:g} seconds ({self._step})"

    async def _starts(self, child: Child, client: VllmClient) -> str:
        started, progress, logged = time.monotonic(), Progress(self._log), Step("")
        while child.running:
            step = progress.read()
            up = (await client.ask_health()).ready
            step = FIRST_TOKEN if up else step
            seconds = time.monotonic() - started
            self._step = step
            limit = self._model.start_timeout_seconds
            self._state = f"is starting: {step} ({seconds:.0f} of at most {limit:g} seconds)"
            if step.is_news_after(logged):
                _log.info("The vLLM server of %r is %s.", self._model.name, step)
                logged = step
            if up:
                return await self._proves(client)
            await asyncio.sleep(POLL_SECONDS)
        return "did not start"

    async def _proves(self, client: VllmClient) -> str:
        try:
            await client.prove()
        except EngineError as error:
            return f"came up, but gave no token: {error.message.rstrip('.')}"
        await self._adapters.up(client, self._socket or Path())
        return ""

    async def _stays_up(self, child: Child, client: VllmClient) -> str:
        """Until the child ends, or has not answered at all for too long; a busy one answers."""
        limit = self._model.silence_timeout_seconds
        answered = time.monotonic()
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(min(PULSE_SECONDS, limit / 4)):
                    return f"ended with code {await child.wait()}"
            if (await client.ask_health()).ready:
                answered = time.monotonic()
            elif time.monotonic() - answered > limit:
                return f"did not answer for {limit:g} seconds and was stopped"
