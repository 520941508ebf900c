"""Which version answers a conversation: a weighted choice without memory. Pure.

The same conversation of the same tenant always gets the same place between 0 and 1; the canary answers those below its
share. So a conversation stays with its version (and its cached prefix), and raising the share moves nobody back.
"""

from __future__ import annotations

from hashlib import blake2b
from itertools import takewhile

from inference.protocol import ChatRequest

# What identifies a plain completion: editors send the same head of a file again and again.
_PROMPT_HEAD = 512


def conversation(request: ChatRequest) -> bytes:
    """A digest (16 bytes) of what stays the same in a conversation: all up to its first user's message.

    Who begins two conversations with the same words has them answered by the same version.
    """
    if request.prompt is not None:
        beginning = [request.prompt[:_PROMPT_HEAD]]
    else:
        before = [message.content for message in takewhile(lambda m: m.role != "user", request.messages)]
        said = [message.content for message in request.messages[len(before) : len(before) + 1]]
        beginning = [*before, *said]
    return _digest(request.caller.tenant, *beginning)


def place(model: str, version: str, talk: bytes) -> float:
    """Where a conversation stands, in [0, 1). Another version's canary meets other conversations first."""
    return int.from_bytes(_digest(model, version, talk.hex())[:8]) / 2**64


def takes(model: str, version: str, percent: float, talk: bytes) -> bool:
    """Whether this conversation is one that the canary answers."""
    return place(model, version, talk) < percent / 100


def _digest(*parts: str) -> bytes:
    """Of these texts in this order; no two lists of texts look alike to it."""
    made = blake2b(digest_size=16)
    for part in parts:
        said = part.encode("utf-8", "surrogatepass")
        made.update(len(said).to_bytes(8))
        made.update(said)
    return made.digest()
