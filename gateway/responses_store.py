"""Responses kept in the ledger: an entry and a body for each, found by its id."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from pydantic import TypeAdapter

from gateway.config import Config
from inference.errors import EngineUnavailable, InvalidRequest
from inference.protocol import Caller, Message
from inference.responses.store import ResponseNotFound, StoredResponse
from ledger.protocol import BodyLetGo, Draft, Entry, Ledger, LedgerError

STREAM = "responses"
_STORED = TypeAdapter(StoredResponse)


class LedgerResponses:
    """A `ResponseStore`. Bodies are redacted like all others, so a conversation goes on from what the ledger has."""

    def __init__(self, ledger: Ledger, config: Config) -> None:
        self._ledger = ledger
        self._config = config

    async def put(self, caller: Caller, response: StoredResponse) -> None:
        """As `ResponseStore.put`."""
        draft = Draft(
            STREAM,
            "response.stored",
            actor=caller.actor,
            tenant=caller.tenant,
            data={"id": response.id, "data_class": caller.data_class, "workload": caller.workload},
            key=_key(response.id),
            output_body=_STORED.dump_json(response),
        )
        with _unavailable():
            await self._ledger.append(draft)

    async def get(self, caller: Caller, response_id: str) -> StoredResponse:
        """As `ResponseStore.get`."""
        return (await self._find(caller, response_id))[0]

    async def continued(self, caller: Caller, response_id: str) -> tuple[Caller, tuple[Message, ...]]:
        """As `ResponseStore.continued`."""
        stored, entry = await self._find(caller, response_id)
        _same_workload(caller, entry)
        data_class = self._config.stricter(caller.data_class, str(entry.data["data_class"]))
        return replace(caller, data_class=data_class), stored.conversation

    async def delete(self, caller: Caller, response_id: str) -> None:
        """As `ResponseStore.delete`."""
        await self._find(caller, response_id)
        draft = Draft(
            STREAM, "response.deleted", caller.actor, caller.tenant, data={"id": response_id}, key=_deleted(response_id)
        )
        with _unavailable():
            await self._ledger.append(draft)

    async def _find(self, caller: Caller, response_id: str) -> tuple[StoredResponse, Entry]:
        """The response and the entry that it was kept with."""
        with _unavailable():
            entry = await self._ledger.find(_key(response_id))
            if entry is None or entry.tenant != caller.tenant or await self._ledger.find(_deleted(response_id)):
                raise ResponseNotFound(
                    f"There is no response {response_id!r}: it was not stored, or it was deleted.",
                    param="previous_response_id",
                )
            try:
                body = await self._ledger.get_body(entry.output_digest or "")
            except BodyLetGo as error:
                raise ResponseNotFound(
                    f"The response {response_id!r} is there no more: {error}", param="previous_response_id"
                ) from error
        return _STORED.validate_json(body), entry


def _same_workload(caller: Caller, entry: Entry) -> None:
    """What one class of traffic said does not go on in another, which may keep it longer."""
    theirs = entry.data.get("workload", caller.workload)
    if theirs != caller.workload:
        raise InvalidRequest(
            f"The response {entry.data['id']!r} is of workload {theirs!r} and goes on there alone; this request is of "
            f"workload {caller.workload!r}. Name the other one in `x-bailey-workload`.",
            param="previous_response_id",
        )


@contextmanager
def _unavailable() -> Iterator[None]:
    try:
        yield
    except LedgerError as error:
        raise EngineUnavailable(f"Responses cannot be kept or found now: {error}") from error


def _key(response_id: str) -> str:
    return f"response/{response_id}"


def _deleted(response_id: str) -> str:
    return f"response/{response_id}/deleted"
