"""One placed model as an engine: every request goes to one of its replicas, over HTTP.

Until the first piece of an answer has come, a request whose replica is leaving or gone goes to another one, or waits
for one; after that an error ends the answer honestly. Ray is not needed here.
"""

from __future__ import annotations

import itertools
from collections import Counter
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import aclosing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import TypeVar

from inference.adapters import SCHEME
from inference.capabilities import check_embed, check_request
from inference.catalog import HttpModel
from inference.cluster.adapters import SpreadAdapters
from inference.cluster.client import ReplicaClient
from inference.cluster.messages import Placed, Replica
from inference.cluster.pool import Able, Pool
from inference.cluster.spread import head
from inference.deadline import until_deadline, within_deadline
from inference.errors import EngineUnavailable, InvalidRequest, ModelNotFound, WeightsError
from inference.protocol import ChatRequest, Chunk, Embeddings, EmbedRequest, Health, ModelCard, Tokens

T = TypeVar("T")
MOST_TRIES = 4


class ClusterEngine:
    """Answers for one model through the replicas in `pool`. `token` opens their doors."""

    def __init__(self, model: Placed, pool: Pool, token: str) -> None:
        self._model = model
        self._pool = pool
        self._token = token
        self._clients: dict[tuple[str, str], ReplicaClient] = {}
        self._used: Counter[str] = Counter()
        self._adapters = SpreadAdapters(model, self._set_adapters)

    def models(self) -> Sequence[ModelCard]:
        """The one model, and each adapter of it as `model:adapter`."""
        card = self._model.card()
        return (card, *(replace(card, id=self._whole(name)) for name in self._adapters.wanted))

    def stream(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        """Answer piece by piece through a replica."""
        return within_deadline(self._answer(request), request.deadline)

    async def embed(self, request: EmbedRequest) -> Embeddings:
        """Embed through a replica."""
        check_embed(self.models(), request)
        return await self._ask(request, lambda client: client.embed(request))

    def adapters(self) -> Mapping[str, str]:
        """All that are wanted: name -> why it cannot be asked now, empty if it can."""
        return self._adapters.state(cold=not self._pool.ready)

    async def load_adapter(self, name: str, folder: Path) -> None:
        """Have every replica load an adapter, also those that come later.

        Raises `InvalidRequest` if it is there already, or `WeightsError` if one of them cannot; then none has it.
        """
        if name in self._adapters.wanted:
            raise InvalidRequest(f"There is an adapter {self._whole(name)!r} already; unload it first.", param="name")
        self._adapters.wanted[name] = f"{SCHEME}{folder}"
        await self._spread_adapters()
        if problem := self._adapters.complaint(name):
            await self.unload_adapter(name)
            raise WeightsError(problem)

    async def unload_adapter(self, name: str) -> None:
        """Have every replica forget an adapter. Raises `ModelNotFound` if there is none of that name."""
        if name not in self._adapters.wanted:
            raise ModelNotFound(f"There is no adapter {self._whole(name)!r}.", param="name")
        del self._adapters.wanted[name]
        await self._spread_adapters()

    async def tokenize(self, request: ChatRequest) -> Tokens:
        """What a replica would read."""
        check_request(self.models(), request)
        return await self._ask(request, lambda client: client.tokenize(request))

    async def health(self) -> Health:
        """Whether a replica would answer, or one could be started for the next request; and how each one is."""
        ready, replicas = self._pool.ready, self._pool.replicas
        said = [f"{len(ready)} of {len(replicas)} replicas ready, {self._pool.demand} requests in flight"]
        said += [f"{each.id[-6:]} {each.detail}" for each in replicas if each.id not in ready and each.detail]
        said += [self._pool.problem] if self._pool.problem else []
        return Health(bool(ready) or (self._model.replicas.min == 0 and not self._pool.problem), "; ".join(said))

    def warm(self) -> bool:
        """Whether a replica is ready now; if not, one is wanted as if somebody had asked."""
        if not self._pool.ready:
            self._pool.knock()
        return bool(self._pool.ready)

    def replica_counts(self) -> Mapping[str, int]:
        """How many replicas are wanted, ready, starting and leaving."""
        return self._pool.counts()

    async def close(self) -> None:
        """Refuse who waits and close all connections. The replicas stay: they belong to the cluster."""
        self._pool.close()
        await self._adapters.close()
        for client in self._clients.values():
            await client.close()
        self._clients.clear()

    async def _answer(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        check_request(self.models(), request)
        for tries in itertools.count(1):
            async with self._pool.lease(head(request), request.priority, self._able(request.model)) as replica:
                answering = False
                try:
                    with self._using(replica, request.model) as client:
                        async with aclosing(client.stream(request)) as chunks:
                            async for chunk in chunks:
                                answering = True
                                yield chunk
                except EngineUnavailable:
                    self._pool.doubt(replica.id)
                    if answering or tries == MOST_TRIES:
                        raise
                else:
                    return

    async def _ask(self, request: ChatRequest | EmbedRequest, ask: Callable[[ReplicaClient], Awaitable[T]]) -> T:
        async with until_deadline(request.deadline):
            for tries in itertools.count(1):
                async with self._pool.lease(head(request), request.priority, self._able(request.model)) as replica:
                    try:
                        with self._using(replica, request.model) as client:
                            return await ask(client)
                    except EngineUnavailable:
                        self._pool.doubt(replica.id)
                        if tries == MOST_TRIES:
                            raise
        raise AssertionError("unreachable")

    async def note(self, replicas: Sequence[Replica]) -> None:
        """These are there: close the connections to all others, and bring the ready ones to what they are to have.

        Who is not there may only have been slow to say so, and be in the middle of an answer; that is not broken off.
        """
        there = {each.url for each in replicas}
        for key in [key for key in self._clients if key[0] not in there and not self._used[key[0]]]:
            await self._clients.pop(key).close()
        self._keep_up()

    # -- adapters ---------------------------------------------------------------------------------------------

    def _able(self, name: str) -> Able | None:
        """Which replicas may be asked for a model or an adapter. Raises `EngineUnavailable` if none could load it."""
        adapter = name.removeprefix(self._whole(""))
        if adapter == name:
            return None
        if problem := self._adapters.problem(adapter):
            raise EngineUnavailable(problem)
        return lambda replica: self._adapters.has(replica, adapter)

    def _keep_up(self) -> None:
        ready = {*self._pool.ready}
        self._adapters.keep_up([each for each in self._pool.replicas if each.id in ready])

    async def _spread_adapters(self) -> None:
        """Tell all replicas that are ready now; one that breaks off is told later."""
        await self._adapters.settled()  # they may have been told less
        self._keep_up()
        await self._adapters.settled()

    async def _set_adapters(self, replica: Replica, wanted: Mapping[str, str]) -> Mapping[str, str]:
        return await self._client(replica, self._model.name).set_adapters(wanted)

    def _whole(self, adapter: str) -> str:
        return f"{self._model.name}:{adapter}"

    # -- connections ------------------------------------------------------------------------------------------

    @contextmanager
    def _using(self, replica: Replica, name: str) -> Iterator[ReplicaClient]:
        self._used[replica.url] += 1
        try:
            yield self._client(replica, name)
        finally:
            self._used[replica.url] -= 1
            self._used += Counter()  # forgets those that are at zero

    def _client(self, replica: Replica, name: str) -> ReplicaClient:
        key = (replica.url, name)
        if key not in self._clients:
            self._clients[key] = ReplicaClient(self._as_http_model(name, replica.url), self._token)
        return self._clients[key]

    def _as_http_model(self, name: str, url: str) -> HttpModel:
        model = self._model
        return HttpModel(
            engine="http",
            name=name,
            tier=model.tier,
            context_tokens=model.context_tokens,
            capabilities=model.capabilities,
            url=f"{url}/v1",
            location="local",
        )
