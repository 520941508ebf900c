"""Kept responses: for their tenant only, never at a laxer data class, gone when deleted."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from gateway.config import load_config
from gateway.responses_store import LedgerResponses
from inference.errors import EngineUnavailable
from inference.protocol import Caller, Message, ToolCall
from inference.responses.store import ResponseNotFound, StoredResponse
from ledger.sql_ledger import SqlLedger, open_ledger
from tests.journeys.appliance import ROOT

ADA, EVE = Caller("default", "ada", "confidential"), Caller("other", "eve", "internal")
TALK = (
    Message("user", "hi"),
    Message("assistant", "", (ToolCall("call_1", "f", "{}"),)),
    Message("tool", "done", tool_call_id="call_1"),
)
KEPT = StoredResponse("resp_1", '{"id": "resp_1"}', "[]", TALK)


@pytest.fixture
async def ledger(tmp_path: Path) -> AsyncIterator[SqlLedger]:
    store = await open_ledger(f"sqlite:///{tmp_path}/ledger.db")
    yield store
    await store.close()


@pytest.fixture
def responses(ledger: SqlLedger) -> LedgerResponses:
    return LedgerResponses(ledger, load_config(ROOT / "models.yaml"))


async def test_what_was_kept_comes_back(responses: LedgerResponses) -> None:
    await responses.put(ADA, KEPT)
    assert await responses.get(ADA, "resp_1") == KEPT


async def test_a_later_turn_cannot_lower_the_data_class(responses: LedgerResponses) -> None:
    await responses.put(ADA, KEPT)
    lax = Caller("default", "ada", "public")
    caller, talk = await responses.continued(lax, "resp_1")
    assert (caller.data_class, caller.actor, talk) == ("confidential", "ada", TALK)


async def test_nobody_elses_response_is_found(responses: LedgerResponses) -> None:
    await responses.put(ADA, KEPT)
    for ask in (responses.get, responses.continued, responses.delete):
        with pytest.raises(ResponseNotFound, match="'resp_1'"):
            await ask(EVE, "resp_1")
    assert await responses.get(ADA, "resp_1")


async def test_a_deleted_response_is_not_found_but_its_record_stays(
    responses: LedgerResponses, ledger: SqlLedger
) -> None:
    await responses.put(ADA, KEPT)
    await responses.delete(ADA, "resp_1")
    with pytest.raises(ResponseNotFound):
        await responses.get(ADA, "resp_1")
    assert [entry.type for entry in await ledger.read(stream="responses")] == ["response.stored", "response.deleted"]


async def test_without_a_ledger_nothing_is_promised(responses: LedgerResponses, ledger: SqlLedger) -> None:
    await ledger.close()
    with pytest.raises(EngineUnavailable, match="cannot be kept"):
        await responses.put(ADA, KEPT)
