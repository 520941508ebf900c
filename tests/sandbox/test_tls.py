"""Certificates that are replaced while a server runs."""

from __future__ import annotations

import ssl
from pathlib import Path

import pytest

from sandbox.protocol import SandboxUnavailable
from tests.sandbox.certificates import Authority


def test_a_pair_that_is_half_replaced_changes_nothing(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    server, client = authority.files("server"), authority.files("client")
    context = server.context_for_server()
    first = _certificate(context, client.context_for_client())
    old_key = server.key.read_bytes()
    new_key = authority.files("server").key.read_bytes()
    server.key.write_bytes(old_key)
    with pytest.raises(SandboxUnavailable, match="cannot be used: KEY_VALUES_MISMATCH"):
        server.refresh(context)
    assert _certificate(context, client.context_for_client()) == first
    server.key.write_bytes(new_key)
    server.refresh(context)
    assert _certificate(context, client.context_for_client()) not in (first, None)


def _certificate(server: ssl.SSLContext, client: ssl.SSLContext) -> bytes | None:
    """What the server shows, after a handshake in memory."""
    up, down = ssl.MemoryBIO(), ssl.MemoryBIO()
    serving = server.wrap_bio(up, down, server_side=True)
    asking = client.wrap_bio(down, up, server_hostname="127.0.0.1")
    ended: set[ssl.SSLObject] = set()
    while len(ended) < 2:
        for end in (asking, serving):
            try:
                end.do_handshake()
                ended.add(end)
            except ssl.SSLWantReadError:
                pass
    return asking.getpeercert(binary_form=True)
