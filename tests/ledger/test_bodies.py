"""How bodies are packed: what is short, or would grow, stays as it is; all of it is checked when it is unpacked."""

from __future__ import annotations

import random
from dataclasses import replace

import pytest

from ledger.chain import digest_of
from ledger.protocol import LedgerDamaged
from ledger.store.bodies import pack, unpack


@pytest.mark.parametrize(
    ("content", "encoding"),
    [
        (b"", "plain"),
        (b"x" * 1024, "plain"),
        (b"x" * 1025, "zlib"),
        (random.Random(1).randbytes(5000), "plain"),
    ],
)
def test_only_what_is_long_and_shrinks_is_compressed(content: bytes, encoding: str) -> None:
    packed = pack(content)
    assert (packed.digest, packed.encoding) == (digest_of(content), encoding)
    assert len(packed.content) <= len(content)
    assert unpack(packed) == content
    with pytest.raises(LedgerDamaged, match=f"Body {packed.digest} was altered"):
        unpack(replace(packed, content=packed.content + b"!" if encoding == "plain" else packed.content[:-1]))
