"""The `shadow:` part of a route, and what makes a call a shadow. Pure.

A shadow asks the same route for the same, under an id of its own; by that id every rule knows it. Request ids are made
here, never by clients, so nobody else can pass for one.
"""

from __future__ import annotations

from hashlib import blake2b
from typing import Annotated

from pydantic import Field

from inference.spec import Name, Spec

_SHADOW = ".shadow"


class ShadowSpec(Spec):
    """A share of the requests that a route answered goes to another model, too; nobody sees what that answers."""

    model: Name = Field(description="The model that is compared; it may be one of the route's own.")
    share: Annotated[float, Field(gt=0, le=1)] = Field(description="Share of requests, by a hash of their ids.")
    at_once: Annotated[int, Field(ge=1, le=1000)] = Field(
        default=2, description="How many shadows of the route may be under way; more are left out, not kept waiting."
    )
    deadline_seconds: Annotated[float, Field(gt=0, le=86_400)] = Field(
        default=120.0, description="The longest that a shadow may take."
    )

    def takes(self, request_id: str) -> bool:
        """Whether this request is one of the share: always the same for the same id."""
        digest = blake2b(request_id.encode(), digest_size=8, person=b"shadow").digest()
        return int.from_bytes(digest) < self.share * 2**64


def shadow_id(request_id: str) -> str:
    """The id of the shadow of a request."""
    return request_id + _SHADOW


def shadow_of(request_id: str) -> str:
    """The id of the request that this one is the shadow of; empty if it is none."""
    return request_id.removesuffix(_SHADOW) if request_id.endswith(_SHADOW) else ""
