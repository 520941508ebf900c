"""Which replica a request goes to: the one that has most likely seen the head of its prompt, unless that one is busy.

Pure functions. Rendezvous hashing (Thaler and Ravishankar, 1998) gives every prompt head an order of the replicas that
hardly changes when some come or go; the bound on each one's load is that of consistent hashing with bounded loads
(Mirrokni, Thorup and Zadimoghaddam, 2018).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from hashlib import blake2b

from inference.protocol import ChatRequest, EmbedRequest

HEAD_CHARACTERS = 1024
"""Longer than most system prompts' differences, shorter than most files: turns of one conversation share it."""

LOAD_FACTOR = 1.25
"""How much busier than the average a replica may be for the sake of its cache."""


def head(request: ChatRequest | EmbedRequest) -> bytes:
    """What requests have in common whose prompts begin alike; tenants share no cache, so they share no head."""
    if isinstance(request, EmbedRequest):
        return request.request_id.encode()  # nothing is cached: spread evenly
    texts = [request.prompt or "", *(f"{message.role}\n{message.content}" for message in request.messages)]
    return f"{request.caller.tenant}\n".encode() + "\n".join(texts)[:HEAD_CHARACTERS].encode()


def choose(head: bytes, loads: Mapping[str, int], capacity: int) -> str | None:
    """The replica for a prompt head, of those in `loads` (id -> requests in flight); None if all are full.

    It is the first in the head's own order that has less than `capacity` and is not above the bound for all.
    """
    bound = math.ceil(LOAD_FACTOR * (sum(loads.values()) + 1) / max(1, len(loads)))
    for replica in sorted(loads, key=lambda each: _weight(head, each), reverse=True):
        if loads[replica] < min(bound, capacity):
            return replica
    return None


def _weight(head: bytes, replica: str) -> bytes:
    return blake2b(head, key=blake2b(replica.encode(), digest_size=32).digest(), digest_size=8).digest()
