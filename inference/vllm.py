"""vLLM's own OpenAI server as a supervised child on the loopback, with the HTTP engine in front.

vLLM is not imported: it lives in an environment of its own. The child is started again, later each
time, when it ends; while it is not up, requests are refused at once and health says why.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import AsyncGenerator, Sequence
from pathlib import Path

from inference.capabilities import check_embed, check_request
from inference.catalog import HttpModel, VllmModel
from inference.child import Child, free_port, keep_running
from inference.errors import EngineUnavailable
from inference.http import HttpEngine
from inference.protocol import ChatRequest, Chunk, Embeddings, EmbedRequest, Health, ModelCard, Tokens

POLL_SECONDS = 0.2
RETRY_AFTER_SECONDS = 10.0


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
        self._upstream: HttpEngine | None = None
        self._child: Child | None = None
        self._port = 0
        self._state = "has not been started"

    def start(self) -> None:
        """Begin to supervise, in the running event loop; returns at once."""
        if self._supervisor is None:
            self._supervisor = asyncio.create_task(
                keep_running(self._run_once, self._first_pause_seconds, self._tell), name=f"vllm {self._model.name}"
            )

    @property
    def url(self) -> str | None:
        """Where the child listens; None while it is not up."""
        return f"http://127.0.0.1:{self._port}" if self._upstream else None

    def models(self) -> Sequence[ModelCard]:
        """The one model that the child serves."""
        return (self._model.card(),)

    def stream(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        """Answer piece by piece through the child."""
        return self._upstream.stream(request) if self._upstream else self._refuse(request)

    async def embed(self, request: EmbedRequest) -> Embeddings:
        """Embed through the child."""
        check_embed(self.models(), request)
        if self._upstream is None:
            raise self._unavailable()
        return await self._upstream.embed(request)

    async def tokenize(self, request: ChatRequest) -> Tokens:
        """What the child would read."""
        if self._upstream is None:
            raise self._unavailable()
        return await self._upstream.tokenize(request)

    async def health(self) -> Health:
        """Whether the child answers; while it does not, what it is doing and the last lines of its log."""
        if self._upstream is not None:
            return await self._upstream.health()
        output = f" Last output: {self._child.tail()}" if self._child else ""
        return Health(ready=False, detail=f"The vLLM server {self._state}.{output}")

    async def close(self) -> None:
        """Stop supervising and end the child with all its processes."""
        if self._supervisor is not None:
            self._supervisor.cancel()
            await asyncio.gather(self._supervisor, return_exceptions=True)
        self._state = "is closed"

    def _unavailable(self) -> EngineUnavailable:
        return EngineUnavailable(
            f"The vLLM server of {self._model.name!r} {self._state}.", retry_after_seconds=RETRY_AFTER_SECONDS
        )

    async def _refuse(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        check_request(self.models(), request)
        raise self._unavailable()
        yield  # makes this a generator

    def _tell(self, state: str) -> None:
        self._state = state

    async def _run_once(self) -> str:
        """Run the child until it ends; how it ended."""
        self._port = free_port()
        try:
            self._child = child = await Child.spawn(self._command(), self._log)
        except OSError as error:
            return f"cannot be started ({error})"
        upstream = HttpEngine(self._as_http_model())
        try:
            if not await self._comes_up(child, upstream):
                return (
                    f"was not ready after {self._model.start_timeout_seconds:g} seconds"
                    if child.running
                    else "did not start"
                )
            self._upstream = upstream
            return f"ended with code {await child.wait()}"
        finally:
            self._upstream = None
            await child.stop()
            await upstream.close()

    async def _comes_up(self, child: Child, upstream: HttpEngine) -> bool:
        started = time.monotonic()
        while child.running:
            waited = time.monotonic() - started
            if waited > self._model.start_timeout_seconds:
                return False
            self._state = f"is starting ({waited:.0f} of at most {self._model.start_timeout_seconds:g} seconds)"
            if (await upstream.ask_health()).ready:
                return True
            await asyncio.sleep(POLL_SECONDS)
        return False

    def _command(self) -> list[str]:
        """The child's command line. vLLM must neither report usage nor look for files on the network."""
        model = self._model
        return [
            "env",
            *(argument for name in self._hidden for argument in ("-u", name)),
            *("VLLM_NO_USAGE_STATS=1", "DO_NOT_TRACK=1", "HF_HUB_OFFLINE=1"),
            *(model.python, "-m", "vllm.entrypoints.openai.api_server"),
            *("--model", str(self._weights), "--served-model-name", model.name),
            *("--host", "127.0.0.1", "--port", str(self._port)),
            *("--max-model-len", str(model.context_tokens), "--max-num-seqs", str(model.concurrency)),
            *("--generation-config", "vllm"),
            *model.arguments,
        ]

    def _as_http_model(self) -> HttpModel:
        model = self._model
        return HttpModel(
            engine="http",
            name=model.name,
            tier=model.tier,
            context_tokens=model.context_tokens,
            capabilities=model.capabilities,
            infill=model.infill,
            url=f"http://127.0.0.1:{self._port}/v1",
            location="local",
        )
