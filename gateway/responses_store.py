"""Responses kept in the ledger: an entry and a body for each, found by its id."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace

from pydantic import TypeAdapter

from gateway.config import Config
from inference.errors import EngineUnavailable
from inference.protocol import Caller, Message
from inference.responses.store import ResponseNotFound, StoredResponse
from ledger.protocol import Draft, Ledger, LedgerError

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
            data={"id": response.id, "data_class": caller.data_class},
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
        stored, data_class = await self._find(caller, response_id)
        return replace(caller, data_class=self._config.stricter(caller.data_class, data_class)), stored.conversation

    async def delete(self, caller: Caller, response_id: str) -> None:
        """As `ResponseStore.delete`."""
        await self._find(caller, response_id)
        draft = Draft(
            STREAM, "response.deleted", caller.actor, caller.tenant, data={"id": response_id}, key=_deleted(response_id)
        )
        with _unavailable():
            await self._ledger.append(draft)

    async def _find(self, caller: Caller, response_id: str) -> tuple[StoredResponse, str]:
        """The response and its data class."""
        with _unavailable():
            entry = await self._ledger.find(_key(response_id))
            if entry is None or entry.tenant != caller.tenant or await self._ledger.find(_deleted(response_id)):
                raise ResponseNotFound(
                    f"There is no response {response_id!r}: it was not stored, or it was deleted.",
                    param="previous_response_id",
                )
            body = await self._ledger.get_body(entry.output_digest or "")
        return _STORED.validate_json(body), str(entry.data["data_class"])


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
