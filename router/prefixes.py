"""Which beginnings of conversations were sent where and when, so that one may stay where its prefix is cached.

A prefix is the tools and the first messages of a request. Each is known by a digest that grows from message to message,
as the hashes of cached blocks do: no text is kept. In memory, in each process for itself; the decision asks, the
router tells.
"""

from __future__ import annotations

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from hashlib import blake2b

from inference.catalog import ModelBase
from inference.protocol import ChatRequest
from router.policy import message_bytes, prompt_bytes

MOST = 100_000
"""Prefixes that are remembered, some 300 bytes each; those that were not sent for longest are forgotten."""

Key = tuple[str, str, bytes]
"""Model, version, digest."""


@dataclass(frozen=True)
class Prefixes:
    """Those of one request, and which of them were sent when."""

    request: ChatRequest
    adapter: str
    sent: Mapping[Key, float]
    now: float

    def warm_tokens(self, model: ModelBase) -> int:
        """How much of the prompt this version was sent within its `cache_seconds`; tokens of 4 bytes."""
        if model.cache_seconds is None:
            return 0
        for digest, size in reversed(self.digests):
            at = self.sent.get((model.name, model.version, digest))
            if at is not None and self.now - at < model.cache_seconds:
                return size // 4 if size // 4 >= model.cache_least_tokens else 0
        return 0

    @cached_property
    def digests(self) -> list[tuple[bytes, int]]:
        """Of each prefix, the shortest first, with its bytes; none of a plain completion, which is no conversation."""
        return list(self._digests()) if self.request.messages else []

    def _digests(self) -> Iterator[tuple[bytes, int]]:
        """What stands before the messages is a prefix, too: tools, and the schema of the answer."""
        request = self.request
        head = (request.caller.tenant, self.adapter, request.tools, request.tool_choice, request.response_format)
        digest, size = _digest(b"", head), prompt_bytes(replace(request, messages=()))
        if size:
            yield digest, size
        for message in request.messages:
            digest = _digest(digest, message)
            size += message_bytes(message)
            yield digest, size


class Memory:
    """What was sent of late. `clock` gives seconds; there are never more than `most` prefixes."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, most: int = MOST) -> None:
        self._clock = clock
        self._most = most
        self._sent: OrderedDict[Key, float] = OrderedDict()

    def __len__(self) -> int:
        return len(self._sent)

    def of(self, request: ChatRequest, adapter: str = "") -> Prefixes:
        """What is known of a request now. Prefixes of two tenants are never the same ones."""
        return Prefixes(request, adapter, self._sent, self._clock())

    def sent(self, request: ChatRequest, model: ModelBase, adapter: str = "") -> None:
        """A model begins to answer, so it has read the whole prompt."""
        if model.cache_seconds is None:
            return
        prefixes = self.of(request, adapter)
        for digest, _ in prefixes.digests:
            key = (model.name, model.version, digest)
            self._sent[key] = prefixes.now
            self._sent.move_to_end(key)
        while len(self._sent) > self._most:
            self._sent.popitem(last=False)


def _digest(before: bytes, part: object) -> bytes:
    """16 bytes; a part is known by its `repr`, which is another one for every other value."""
    return blake2b(before + repr(part).encode(), digest_size=16).digest()
