"""Adapters of a placed model: every replica is brought to the same set. The replicas are real but for Ray and vLLM."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
import pytest_asyncio

from inference.catalog import VllmModel
from inference.cluster.adapters import SpreadAdapters
from inference.cluster.client import ReplicaClient
from inference.cluster.engine import ClusterEngine
from inference.cluster.messages import Replica
from inference.cluster.options import as_placed, code_version
from inference.cluster.pool import Pool
from inference.cluster.replica import Door, replica_app
from inference.collect import complete
from inference.errors import AuthenticationFailed, EngineUnavailable, InvalidRequest, ModelNotFound, WeightsError
from inference.protocol import ChatRequest
from inference.vllm.engine import VllmEngine
from inference.vllm.placement import Lora, VllmPlacement
from tests.cluster.test_options import AROUND
from tests.cluster.test_pool import asking, pool_of, replica
from tests.contracts.engines import NAME, vllm_spec, write_interpreter
from tests.inference.serving import eventually, serve
from tests.vllm.adapters import write_adapter

together = pytest.mark.asyncio(loop_scope="module")
ASK = ChatRequest(f"{NAME}:red", prompt="Which are you?")


def model(folder: Path, **adapters: str) -> VllmModel:
    lora = Lora(adapters={name: f"path:{folder}/{where}" for name, where in adapters.items()}, max_rank=8)
    return vllm_spec(folder / "python").model_copy(update={"placement": VllmPlacement(lora=lora)})


@dataclass
class Placed:
    """A model with the adapter red, and two replicas of it, of which the pool knows those it is told.

    Tests leave it whole.
    """

    folder: Path
    engine: ClusterEngine
    pool: Pool
    replicas: list[Replica]
    far: list[VllmEngine]

    async def there(self, count: int) -> None:
        self.pool.update(self.replicas[:count])
        await self.engine.note(self.pool.replicas)

    def loaded(self) -> list[list[str]]:
        return [sorted(engine.adapters()) for engine in self.far]

    async def said(self, name: str) -> str:
        return (await complete(self.engine, replace(ASK, model=f"{NAME}:{name}"))).text


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def placed(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Placed]:
    folder = tmp_path_factory.mktemp("placed")
    write_interpreter(folder)
    for name in ("red", "blue", "green"):
        write_adapter(folder / name, 1)
    spec = model(folder, red="red")
    far = [VllmEngine(as_placed(spec), folder, folder / name) for name in "ab"]  # type: ignore[arg-type]
    pool = Pool(NAME, 3, 0.3, time.monotonic)
    engine = ClusterEngine(spec, pool, "token")

    async def ready() -> bool:
        return all([(await each.health()).ready for each in far])

    async with AsyncExitStack() as stack:
        for each in far:
            each.start()
            stack.push_async_callback(each.close)
        apps = [Door("token").around(replica_app(each)) for each in far]
        urls = [await stack.enter_async_context(serve(app)) for app in apps]
        stack.push_async_callback(engine.close)
        await eventually(ready, within_seconds=60)
        replicas = [Replica(model=NAME, id=url, url=url, ready=True) for url in urls]
        yield Placed(folder, engine, pool, replicas, far)


@together
async def test_only_the_gateway_may_tell_a_replica(placed: Placed) -> None:
    stranger = ReplicaClient(placed.engine._as_http_model(NAME, placed.replicas[0].url), "guess")
    with pytest.raises(AuthenticationFailed):
        await stranger.set_adapters({"red": f"path:{placed.folder}/red"})
    await stranger.close()
    assert placed.loaded() == [[], []]


@together
async def test_replicas_are_brought_to_what_is_wanted_also_those_that_come_later(placed: Placed) -> None:
    engine, folder = placed.engine, placed.folder
    assert engine.adapters() == {"red": ""}  # nothing runs yet: who asks starts it
    await placed.there(1)
    assert engine.adapters()["red"] == "No replica has loaded it yet."
    waiting = asyncio.create_task(placed.said("red"))

    async def answered() -> bool:
        await placed.there(1)
        return waiting.done()

    await eventually(answered)
    assert await waiting == "This is subject:red of red."
    await engine.load_adapter("blue", folder / "blue")
    assert placed.loaded() == [["blue", "red"], []]
    assert await placed.said("blue") == "This is subject:blue of blue."
    assert (await complete(engine, replace(ASK, model=NAME))).text == "An answer to whatever is asked."
    assert (await engine.tokenize(ASK)).model == f"{NAME}:red"

    await engine.unload_adapter("red")
    await placed.there(2)

    async def all_have_blue() -> bool:
        return placed.loaded() == [["blue"], ["blue"]]

    await eventually(all_have_blue)
    with pytest.raises(ModelNotFound, match=f"{NAME}:blue"):
        await placed.said("red")
    await engine.load_adapter("red", folder / "green")  # the name again, and another folder
    assert await placed.said("red") == "This is subject:red of green."
    assert [card.id for card in engine.models()] == [NAME, f"{NAME}:blue", f"{NAME}:red"]
    await engine.unload_adapter("blue")
    await engine.unload_adapter("red")
    await engine.load_adapter("red", folder / "red")


@together
async def test_what_one_replica_cannot_load_none_is_asked_for(placed: Placed) -> None:
    await placed.there(2)
    with pytest.raises(WeightsError, match=r"no .*nowhere.adapter_config\.json"):
        await placed.engine.load_adapter("lost", placed.folder / "nowhere")
    with pytest.raises(InvalidRequest, match="unload it first"):
        await placed.engine.load_adapter("red", placed.folder / "red")
    with pytest.raises(ModelNotFound, match="no adapter"):
        await placed.engine.unload_adapter("lost")
    assert placed.loaded() == [["red"], ["red"]]
    assert placed.engine.adapters() == {"red": ""}


@together
async def test_an_adapter_that_no_replica_can_load_says_why(placed: Placed) -> None:
    broken = ClusterEngine(model(placed.folder, red="nowhere"), placed.pool, "token")
    placed.pool.update(placed.replicas)
    await broken.note(placed.replicas)

    async def explained() -> bool:
        return "nowhere" in broken.adapters()["red"]

    await eventually(explained)
    with pytest.raises(EngineUnavailable, match="nowhere"):
        await complete(broken, ASK)
    assert (await complete(broken, replace(ASK, model=NAME))).text
    await broken.close()


async def test_a_replica_that_could_not_be_told_is_told_again(tmp_path: Path) -> None:
    told: list[Mapping[str, str]] = []

    async def tell(to: Replica, wanted: Mapping[str, str]) -> Mapping[str, str]:
        told.append(wanted)
        if len(told) == 1:
            raise EngineUnavailable("it has just started")
        return {}

    spread = SpreadAdapters(model(tmp_path, red="red"), tell)
    for _ in range(3):
        spread.keep_up([replica("a")])
        await spread.settled()
    assert told == [{"red": f"path:{tmp_path}/red"}] * 2
    assert spread.has("a", "red")
    spread.keep_up([])
    assert not spread.has("a", "red")


async def test_who_needs_an_adapter_waits_for_a_replica_that_has_it_and_holds_up_nobody() -> None:
    pool, clock = pool_of(replica("a"), concurrency=1)
    has: set[str] = set()
    async with asking(pool, able=has.__contains__) as choosy, asking(pool) as other:
        assert other.done()
        assert not choosy.done()
        has.add("b")
        pool.update([replica("a"), replica("b")])
        assert await choosy == "b"
    async with asking(pool, able=lambda each: False) as hopeless:
        clock.now += 29
        pool.update([replica("a")])
        pool.expire()
        await asyncio.sleep(0)
        assert not hopeless.done()
        clock.now += 2
        pool.expire()
        with pytest.raises(EngineUnavailable, match="within 31 seconds"):
            await hopeless


def test_adapters_replace_no_replica_but_their_limits_do(tmp_path: Path) -> None:
    bare, with_red = model(tmp_path), model(tmp_path, red="red")
    assert code_version(bare, AROUND) == code_version(with_red, AROUND)
    assert bare.placement.lora
    for limit in ("max_loaded", "max_rank"):
        lora = bare.placement.lora.model_copy(update={limit: 7})
        changed = bare.model_copy(update={"placement": VllmPlacement(lora=lora)})
        assert code_version(changed, AROUND) != code_version(bare, AROUND)
