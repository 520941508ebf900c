"""Decisions about versions over real engines, a real router and a real ledger."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import aclosing
from pathlib import Path
from typing import Any

import pytest

from gateway.engine_factory import EngineFactory
from gateway.engine_room import EngineRoom
from inference.catalog import Catalog, ModelSpec
from inference.collect import complete
from inference.engines import Resources
from inference.errors import EngineError, EngineUnavailable
from inference.protocol import Caller, ChatRequest, Message
from inference.weights import WeightsStore
from ledger.protocol import Draft, LedgerUnavailable
from ledger.sql_ledger import SqlLedger
from router.decide import Rules
from router.router import Router
from router.verified import VerifiedCalls
from router.versions.register import Register, ReleaseProblem, UnknownVersion, WrongRelease
from router.versions.releases import Releases
from router.versions.trial import Finding
from router.versions.versions import Versions
from router.versions.views import views
from tests.inference.serving import eventually
from tests.router.conftest import TENANTS

CODER: dict[str, Any] = {
    "name": "coder",
    "engine": "scripted",
    "tier": "draft",
    "context_tokens": 1000,
    "price": {"output_usd_per_million": 1},
    "replies": [{"text": "one and more"}],
    "versions": [{"version": "v2", "replies": [{"text": "two and more"}], "price": {"output_usd_per_million": 2}}],
}


class House:
    """All that an appliance has of models, on one ledger; `again` is what comes after a restart."""

    def __init__(self, ledger: SqlLedger, folder: Path, **keys: Any) -> None:
        self.ledger, self.folder = ledger, folder
        catalog = Catalog.model_validate({"tiers": ["draft"], "models": [{**CODER, **keys}]})
        self.now = 0.0
        self.versions = Versions(catalog, clock=lambda: self.now)
        self.register = Register(catalog, ledger, self.versions)
        store = WeightsStore(folder / "weights", offline=True)
        factory = EngineFactory(Resources(store, folder / "logs"))
        self.room = EngineRoom(factory, store, self.versions.weigh, air_gapped=False)
        self.releases = Releases(self.register, self.versions, self.room)
        self.router = Router(Rules(catalog, {}, TENANTS, False), self.room.engines, ledger, ledger, self.versions)

    async def open(self) -> House:
        await self.register.read()
        await self.releases.begin()
        return self

    async def close(self) -> None:
        await self.router.close()
        await self.releases.close()
        await self.room.close_all()

    async def again(self, **keys: Any) -> House:
        await self.close()
        return await House(self.ledger, self.folder, **keys).open()

    async def entries(self) -> list[str]:
        return [entry.type.removeprefix("version.") for entry in await self.ledger.read(stream="models")]


@pytest.fixture
async def house(ledger: SqlLedger, tmp_path: Path) -> AsyncIterator[House]:
    opened = await House(ledger, tmp_path).open()
    yield opened
    await opened.close()


def ask(text: str = "hello", model: str = "coder") -> ChatRequest:
    return ChatRequest(model, (Message("user", text),), caller=Caller("default", "ada", "internal"))


async def answer(house: House, text: str = "hello", model: str = "coder") -> str:
    return (await complete(house.router, ask(text, model))).text.split()[0]


async def test_models_without_versions_leave_no_trace(ledger: SqlLedger, tmp_path: Path) -> None:
    house = await House(ledger, tmp_path, versions=[]).open()
    assert await answer(house) == "one"
    assert await house.entries() == []
    assert list(house.room.engines) == ["coder"]
    await house.close()


async def test_a_request_ends_on_the_version_it_began_with_and_then_its_engine_is_closed(house: House) -> None:
    async with aclosing(house.router.stream(ask())) as chunks:
        said = (await anext(chunks)).text
        await house.releases.promote("coder", "v2", "grace")
        assert await answer(house) == "two"
        assert set(house.room.engines) == {"coder", "coder@v2"}
        said += "".join([chunk.text async for chunk in chunks])
    assert said == "one and more"
    await eventually(lambda: _is(set(house.room.engines) == {"coder@v2"}))


async def _is(fact: bool) -> bool:
    return fact


async def test_each_version_has_its_own_price_queue_and_name_in_the_record(house: House) -> None:
    await house.releases.promote("coder", "v2", "grace")
    completion = await complete(house.router, ask())
    (call,) = await house.ledger.read(stream="calls")
    assert call.data["version"] == "v2"
    assert completion.usage.cost_usd * 1_000_000 == 2 * completion.usage.completion_tokens
    assert completion.model == "coder"
    assert {"coder", "coder@v2"} <= house.router.slots.keys()
    assert (await house.router.tokenize(ask())).model == "coder"


async def test_what_was_decided_holds_after_a_restart_and_a_changed_file_is_a_new_word(house: House) -> None:
    await house.releases.promote("coder", "v2", "grace")
    house = await house.again()
    assert await answer(house) == "two"
    assert list(house.room.engines) == ["coder@v2"]
    house = await house.again(version="v1.1")
    assert await answer(house) == "one"
    house = await house.again(version="v1.1", canary={"version": "v2", "percent": 100})
    assert await answer(house) == "two"
    assert await house.entries() == ["declared", "promoted", "declared", "declared"]
    await house.close()


async def test_a_version_that_does_not_come_up_changes_nothing(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def never(key: str) -> None:
        raise EngineUnavailable(f"{key} did not come up.")

    monkeypatch.setattr(house.room, "ready", never)
    with pytest.raises(EngineUnavailable, match="coder@v2 did not come up"):
        await house.releases.canary("coder", "v2", 50, "grace")
    assert await house.entries() == ["declared"]
    await eventually(lambda: _is(list(house.room.engines) == ["coder"]))
    assert await answer(house) == "one"


async def test_what_cannot_be_recorded_does_not_hold(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    async def full(draft: Draft) -> None:
        raise LedgerUnavailable("The disk is full.")

    monkeypatch.setattr(house.ledger, "append", full)
    with pytest.raises(LedgerUnavailable):
        await house.releases.promote("coder", "v2", "grace")
    monkeypatch.undo()
    assert await answer(house) == "one"
    await eventually(lambda: _is(list(house.room.engines) == ["coder"]))


async def test_who_decides_second_looks_again(house: House, ledger: SqlLedger, tmp_path: Path) -> None:
    other = await House(ledger, tmp_path / "other").open()
    await house.releases.promote("coder", "v2", "grace")
    with pytest.raises(WrongRelease, match=r"Somebody else has just decided about coder \(version.promoted\)"):
        await other.releases.canary("coder", "v2", 10, "linus")
    assert await answer(other) == "two"
    with pytest.raises(WrongRelease, match="is the stable version"):
        await other.releases.canary("coder", "v2", 10, "linus")
    await other.close()


async def test_a_version_that_cannot_be_opened_at_the_start_is_rolled_back(house: House) -> None:
    await house.releases.add("coder", "v3", {"replies": [{"text": "three"}]}, "grace")
    await house.releases.promote("coder", "v3", "grace")
    await house.close()
    broken = House(house.ledger, house.folder)
    build = broken.room.open

    async def opened(key: str, spec: ModelSpec) -> None:
        if key == "coder@v3":
            raise EngineError("Its file is gone.")
        await build(key, spec)

    broken.room.open = opened  # type: ignore[method-assign]
    await broken.open()
    assert await answer(broken) == "one"
    last = (await house.ledger.read(stream="models"))[-1]
    assert (last.type, last.actor, last.data["to"]) == ("version.rolled_back", "bailey", "v1")
    assert last.data["reason"] == "its engine could not be started: Its file is gone."
    await broken.close()


async def test_a_finding_rolls_back_once_and_only_what_it_is_about(house: House) -> None:
    finding = Finding("errors", 10, 10, 0.5, 100, 0, 0.1, 0.02, 0.99, 0.01 / 6)
    await house.releases.canary("coder", "v2", 50, "grace")
    for _ in range(3):
        house.versions.on_finding("coder", finding)
    await eventually(lambda: _is(set(house.room.engines) == {"coder"}))
    assert await house.entries() == ["declared", "canary", "rolled_back"]
    (shown,) = [view for view in views(house.register, house.versions, "coder") if view.version == "v2"]
    assert (shown.role, shown.said) == ("idle", f"rolled back by bailey: {finding.sentence()}")


async def test_verified_answers_count_for_the_version_that_gave_them(house: House) -> None:
    verified = VerifiedCalls(house.ledger, house.versions)
    await house.releases.canary("coder", "v2", 100, "grace")
    request, named = ask("a task"), ask("a task", "coder@v2")
    await complete(house.router, request)
    await complete(house.router, named)
    for _ in range(2):
        await verified.verified(request.request_id, False, tested=True)
        await verified.verified(named.request_id, False, tested=True)
    await verified.verified("req_unheard_of", True, tested=True)
    trial = house.versions.trial("coder")
    assert trial is not None
    assert (trial.canary["failed_checks"].seen, trial.canary["failed_checks"].bad) == (1, 1)
    kept = await house.ledger.read(stream="verifications")
    assert [(entry.data["version"], entry.data["passed"]) for entry in kept] == [("v2", False), ("v2", False)]


async def test_a_client_that_repeats_itself_is_one_witness(house: House) -> None:
    await house.releases.canary("coder", "v2", 100, "grace")
    for second in range(90):
        house.now = 1000.0 + second
        await answer(house, "the same again")
    trial = house.versions.trial("coder")
    assert trial is not None
    assert trial.canary["errors"].seen == 2


async def test_figures_go_on_after_a_restart(house: House) -> None:
    await house.releases.canary("coder", "v2", 100, "grace")
    for number in range(5):
        await answer(house, f"question {number}")
    house = await house.again()
    trial = house.versions.trial("coder")
    assert trial is not None
    assert trial.canary["errors"].seen == 5
    await answer(house, "question 6")
    assert trial.canary["errors"].seen == 6
    await house.close()


@pytest.mark.parametrize(
    ("changes", "sentence"),
    [
        ({"python": "/tmp/python"}, "python may differ only for versions in models.yaml"),
        ({"source": "path:/x"}, "unknown key 'source'"),
        ({"price": {"output_usd_per_million": -1}}, "price.output_usd_per_million"),
        ({"replies": [{"text": "ghp_" + "a1B2" * 9}]}, "secret"),
        ({"replies": [{"text": "x" * 70_000}]}, "may have 65536 characters of JSON"),
    ],
)
async def test_what_cannot_be_added(house: House, changes: dict[str, Any], sentence: str) -> None:
    with pytest.raises(ReleaseProblem) as refused:
        await house.releases.add("coder", "v3", changes, "grace")
    assert sentence in str(refused.value)
    assert "a1B2" not in str(refused.value)


async def test_versions_and_models_that_are_not_there(house: House) -> None:
    with pytest.raises(UnknownVersion, match="coder has no version 'v7'; it has v1, v2"):
        await house.releases.promote("coder", "v7", "grace")
    with pytest.raises(UnknownVersion, match="There is no model 'poet'; declared: coder"):
        await house.releases.roll_back("poet", "grace")
    single = Releases(house.register, house.versions, house.room, frozenset({"coder"}))
    with pytest.raises(ReleaseProblem, match="vectors of two versions cannot be compared"):
        await single.add("coder", "v3", {}, "grace")


async def test_only_versions_that_are_loaded_may_be_named(house: House) -> None:
    assert [card.id for card in house.router.models()] == ["coder"]
    await house.releases.canary("coder", "v2", 0, "grace")
    assert [card.id for card in house.router.models()] == ["coder", "coder@v1", "coder@v2"]
    assert await answer(house) == "one"
    assert await answer(house, model="coder@v2") == "two"
    waiting = asyncio.create_task(answer(house, model="coder@v2"))
    await house.releases.roll_back("coder", "grace")
    assert await waiting == "two"
