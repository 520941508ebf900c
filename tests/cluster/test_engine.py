"""The engine of a placed model, with replicas that come, go and are late to say so; Ray is not needed for that."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

import pytest

from inference.catalog import LlamaCppModel, ScriptedModel, ScriptedReply
from inference.cluster.engine import ClusterEngine
from inference.cluster.messages import Replica
from inference.cluster.pool import Pool
from inference.cluster.replica import Door, replica_app
from inference.collect import complete
from inference.errors import AuthenticationFailed, EngineUnavailable
from inference.protocol import ChatRequest, Message
from inference.scripted import ScriptedEngine
from tests.inference.serving import serve

MODEL = LlamaCppModel(engine="llama.cpp", name="m", tier="t", context_tokens=4000, source="bundled:pico-coder")
ASK = ChatRequest("m", (Message("user", "hello"),))


def scripted(text: str) -> ScriptedEngine:
    replies = (ScriptedReply(text=text),)
    return ScriptedEngine(ScriptedModel(engine="scripted", name="m", tier="t", context_tokens=4000, replies=replies))


@dataclass
class Far:
    """A replica of our own, and what the directory says of it."""

    door: Door
    replica: Replica


@asynccontextmanager
async def far(text: str, token: str = "token") -> AsyncIterator[Far]:
    door = Door(token)
    async with serve(door.around(replica_app(scripted(text)))) as url:
        yield Far(door, Replica(model="m", id=text, url=url, ready=True))


@pytest.fixture
async def engine() -> AsyncIterator[ClusterEngine]:
    made = ClusterEngine(MODEL, Pool("m", 4, 0.05, time.monotonic), "token")
    yield made
    await made.close()


async def see(engine: ClusterEngine, *replicas: Replica) -> None:
    """What the cluster does when the placer has said how things are."""
    engine._pool.update(replicas)
    await engine.note(replicas)


async def test_an_answer_is_not_broken_off_when_its_replica_is_late_to_say_that_it_is_there(
    engine: ClusterEngine,
) -> None:
    async with far("one two three four five six") as one:
        await see(engine, one.replica)
        stream = engine.stream(ASK)
        pieces = [(await anext(stream)).text]
        await see(engine)
        pieces += [chunk.text async for chunk in stream]
        assert "".join(pieces) == "one two three four five six"
        await see(engine)
        assert not engine._clients
        assert not engine._used


async def test_a_replica_that_leaves_gives_its_requests_to_another(engine: ClusterEngine) -> None:
    async with far("one") as one, far("two") as two:
        one.door.closed = True
        await see(engine, one.replica, two.replica)
        assert {(await complete(engine, ASK)).text for _ in range(4)} == {"two"}


async def test_nobody_without_the_token_gets_in(engine: ClusterEngine) -> None:
    async with far("one", token="another") as one:
        await see(engine, one.replica)
        with pytest.raises(AuthenticationFailed, match="refused"):
            await complete(engine, ASK)


async def test_without_a_replica_a_request_is_refused_after_the_deadline(engine: ClusterEngine) -> None:
    engine._pool.problem = "the Ray cluster: the placer is joining the cluster"

    async def expire() -> None:
        while True:
            engine._pool.expire()
            await asyncio.sleep(0.01)

    expiring = asyncio.create_task(expire())
    with pytest.raises(EngineUnavailable, match="the placer is joining the cluster"):
        await complete(engine, ASK)
    expiring.cancel()
    assert not engine.warm()
    assert not (await engine.health()).ready
