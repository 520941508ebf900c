"""The place where a sandbox is served."""

from __future__ import annotations

import socket
from contextlib import ExitStack
from pathlib import Path

import pytest

from gateway.problems import StartProblem
from gateway.sandboxes import Door, _address, _listening


def test_a_socket_is_taken_before_the_host_is_proven(tmp_path: Path) -> None:
    """Proving takes a while; two servers that start together must not both believe that the place is theirs."""
    door = Door(socket=tmp_path / "socket")
    with ExitStack() as held:
        _listening(door, held)
        with ExitStack() as second, pytest.raises(StartProblem, match="Another process listens at"):
            _listening(door, second)
        assert (tmp_path / "socket").stat().st_mode & 0o777 == 0o660
    assert not (tmp_path / "socket").exists()


def test_only_what_a_killed_server_left_is_replaced(tmp_path: Path) -> None:
    door = Door(socket=tmp_path / "socket")
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as left:
        left.bind(str(door.socket))
    with ExitStack() as held:
        _listening(door, held)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other, ExitStack() as held:
        other.bind(str(door.socket))
        with pytest.raises(StartProblem, match="Another process listens at"):
            _listening(door, held)
    (tmp_path / "socket").unlink()
    (tmp_path / "socket").write_text("a file")
    with ExitStack() as held, pytest.raises(StartProblem, match="Address already in use"):
        _listening(door, held)
    assert (tmp_path / "socket").read_text() == "a file"


def test_an_address_that_can_be_copied_into_models_yaml() -> None:
    for host in ("127.0.0.1", "::1"):
        with ExitStack() as held:
            door = Door(host=host, port=0)
            listening = _listening(door, held)
            shown = {"127.0.0.1": "127.0.0.1", "::1": "[::1]"}[host]
            assert _address(door, listening) == f"https://{shown}:{listening.getsockname()[1]}"
