"""One replica of a model on a Ray cluster: a supervised engine behind the very routes that the gateway has.

A Serve deployment, but only so that Serve places it, watches it and replaces it: requests come over HTTP straight from
the gateway, which shows a token, to a port that the replica says in the directory. When Serve ends the replica it first
finishes what it is answering.
"""

from __future__ import annotations

import asyncio
import hmac
import itertools
import logging
import time
from collections.abc import Mapping
from contextlib import AsyncExitStack, suppress
from pathlib import Path
from typing import Annotated

from fastapi import APIRouter, Body, FastAPI, Request
from pydantic import TypeAdapter
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Receive, Scope, Send

from inference.adapters import TakesAdapters
from inference.catalog import VllmModel
from inference.cluster import directory
from inference.cluster.adapters import ReplicaAdapters
from inference.cluster.client import TENANT_HEADER
from inference.cluster.messages import Placed, Replica, Surroundings
from inference.cluster.options import machines
from inference.cluster.span import Span
from inference.engines import Resources, build_engine
from inference.errors import EngineError, EngineUnavailable
from inference.openai.routes import OpenAIRoute, engine_router, error_response
from inference.protocol import Caller, Engine
from inference.weights import WeightsStore
from inference.wire.server import Server, bound_socket

UNHEALTHY_SECONDS = 60.0
"""How long an engine may be down (it is started again by its own supervisor) before the replica is given up."""

_LEAVING = EngineUnavailable("This replica is leaving; ask another.")
_log = logging.getLogger(__name__)


class ModelReplica:
    """What Serve runs. `__init__` returns when the engine would answer; until then the directory says how far it is."""

    async def __init__(self, model: str, surroundings: str) -> None:  # type: ignore[misc]  # Serve awaits it
        self._model: Placed = TypeAdapter(Placed).validate_json(model)
        self._around = Surroundings.model_validate_json(surroundings)
        self._draining = False
        self._left = asyncio.Event()
        self._last_ready = time.monotonic()
        self._state = "is starting"
        self._engine: Engine | None = None
        self._door = Door(self._around.token)
        self._server: Server | None = None
        self._serving: asyncio.Task[None] | None = None
        self._url = ""
        self._span: Span | None = None
        self._identify()
        self._heart = asyncio.create_task(self._beat())
        async with AsyncExitStack() as otherwise:
            otherwise.push_async_callback(self._leave)
            self._engine = await self._started()
            await self._open()
            otherwise.pop_all()

    async def check_health(self) -> None:
        """Serve's question; raising means that this replica is to be replaced."""
        if self._span and self._span.ended:
            raise RuntimeError(self._span.ended)
        if time.monotonic() - self._last_ready > UNHEALTHY_SECONDS:
            raise RuntimeError(f"The engine of {self._model.name!r} {self._state}.")

    async def __del__(self) -> None:
        """Serve's goodbye: take nothing new, finish what is being answered, end the engine."""
        self._draining = self._door.closed = True
        with suppress(TimeoutError):
            async with asyncio.timeout(self._model.replicas.drain_seconds):
                await self._door.empty()
        await self._leave()

    def _identify(self) -> None:
        import ray
        from ray import serve

        self._id = serve.get_replica_context().replica_id.unique_id
        self._host = ray.util.get_node_ip_address()
        self._node = ray.get_runtime_context().get_node_id()

    async def _started(self) -> Engine:
        store = WeightsStore(Path(self._around.weights), offline=self._around.offline)
        logs = Path(self._around.logs) / self._id
        model = self._model
        if isinstance(model, VllmModel) and machines(model) > 1:
            self._span = Span(model, self._host)
            weights = await asyncio.to_thread(store.folder, model.source, model.sha256)
            self._span.start(weights, logs)
            model = self._span.first
        engine = await build_engine(model, Resources(store, logs))
        while not (health := await engine.health()).ready:
            self._state = health.detail
            if self._span and self._span.ended:
                await engine.close()
                raise EngineUnavailable(self._span.ended)
            await asyncio.sleep(directory.BEAT_SECONDS)
        self._last_ready = time.monotonic()
        return engine

    async def _open(self) -> None:
        """Listen, on the address by which the other machines know this one."""
        assert self._engine is not None
        listening = bound_socket(self._host, 0)
        listening.listen()
        self._server = Server(self._door.around(replica_app(self._engine)))
        self._serving = asyncio.create_task(self._server.serve(sockets=[listening]))
        host, port = listening.getsockname()[:2]
        self._url = f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"

    async def _leave(self) -> None:
        self._left.set()
        await self._heart  # to its end: an entry that is withdrawn must not come back
        with suppress(ConnectionError):  # the entry grows old then
            await asyncio.to_thread(directory.withdraw, self._id)
        if self._server is not None and self._serving is not None:
            self._server.should_exit = True
            await asyncio.gather(self._serving, return_exceptions=True)
        if self._engine is not None:
            await self._engine.close()
        if self._span is not None:
            self._span.close()

    async def _beat(self) -> None:
        """Say how things are, until we leave. A control service that is away does not keep us from answering."""
        beats = itertools.count(time.time_ns())
        while not self._left.is_set():
            said = Replica(
                model=self._model.name,
                id=self._id,
                url=self._url,
                ready=await self._would_answer(),
                draining=self._draining,
                detail=self._state,
                in_flight=self._door.inside,
                node=self._node,
            )
            try:
                await asyncio.to_thread(directory.announce, said, next(beats))
            except ConnectionError as error:
                _log.warning("%s", error)
            with suppress(TimeoutError):
                async with asyncio.timeout(directory.BEAT_SECONDS):
                    await self._left.wait()

    async def _would_answer(self) -> bool:
        if self._engine is None or not self._url:
            return False
        try:
            health = await self._engine.health()
        except EngineError as error:
            self._state = error.message
            return False
        self._state = health.detail
        if health.ready:
            self._last_ready = time.monotonic()
        return health.ready


def replica_app(engine: Engine) -> FastAPI:
    """The routes of a replica: the gateway's own, for one engine, and what the gateway tells that engine."""
    app = FastAPI()
    app.include_router(engine_router(engine, _caller))
    if isinstance(engine, TakesAdapters):
        app.include_router(_adapters_router(ReplicaAdapters(engine)))
    return app


def _adapters_router(adapters: ReplicaAdapters) -> APIRouter:
    router = APIRouter(route_class=OpenAIRoute)

    @router.post("/v1/adapters")
    async def bring(wanted: Annotated[dict[str, str], Body(alias="adapters", embed=True)]) -> Mapping[str, str]:
        """Bring the engine to these adapters (name -> path:FOLDER); what could not be loaded: name -> sentence."""
        return await adapters.bring(wanted)

    return router


async def _caller(request: Request) -> Caller:
    """On whose behalf: the gateway has checked who they are; here it only keeps their caches apart."""
    return Caller(tenant=request.headers.get(TENANT_HEADER, "default"), actor="gateway")


class Door:
    """Lets in who shows the token, counts who is inside, and can be closed; what is inside may finish."""

    def __init__(self, token: str) -> None:
        self._expected = f"Bearer {token}".encode()
        self._nobody_inside = asyncio.Event()
        self._nobody_inside.set()
        self.inside = 0
        self.closed = False

    def around(self, app: ASGIApp) -> ASGIApp:
        """The application behind this door."""

        async def guarded(scope: Scope, receive: Receive, send: Send) -> None:
            if scope["type"] != "http":
                return
            if not hmac.compare_digest(dict(scope["headers"]).get(b"authorization", b""), self._expected):
                await PlainTextResponse("This is for the gateway.", 401)(scope, receive, send)
            elif self.closed:
                await error_response(_LEAVING)(scope, receive, send)
            else:
                await self._enter(app, scope, receive, send)

        return guarded

    async def empty(self) -> None:
        """Wait until nobody is inside."""
        await self._nobody_inside.wait()

    async def _enter(self, app: ASGIApp, scope: Scope, receive: Receive, send: Send) -> None:
        self.inside += 1
        self._nobody_inside.clear()
        try:
            await app(scope, receive, send)
        finally:
            self.inside -= 1
            if not self.inside:
                self._nobody_inside.set()
