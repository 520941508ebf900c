"""What is kept of responses: the answer as it was given, what was sent, and the conversation up to its end."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

from inference.errors import InvalidRequest
from inference.protocol import Caller, Message


class ResponseNotFound(InvalidRequest):
    """No such response, or it is another tenant's, was not stored, or was deleted."""

    status = 404
    code = "response_not_found"


@dataclass(frozen=True, slots=True)
class StoredResponse:
    """`answer` and `items` (what was sent) are JSON; `conversation` is all that the next turn goes on from.

    Instructions are no part of a conversation: each request brings its own.
    """

    id: str
    answer: str
    items: str
    conversation: tuple[Message, ...]


class ResponseStore(Protocol):
    """Keeps responses for the tenants they were made for."""

    async def put(self, caller: Caller, response: StoredResponse) -> None:
        """Keep a response. Raises `EngineUnavailable` when nothing can be kept now."""
        ...

    async def get(self, caller: Caller, response_id: str) -> StoredResponse:
        """The response of that id. Raises `ResponseNotFound`."""
        ...

    async def continued(self, caller: Caller, response_id: str) -> tuple[Caller, tuple[Message, ...]]:
        """The conversation up to that response, and the caller with the stricter data class of then and now.

        Raises `ResponseNotFound`.
        """
        ...

    async def delete(self, caller: Caller, response_id: str) -> None:
        """Give it out no more. Raises `ResponseNotFound`."""
        ...
