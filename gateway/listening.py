"""How a process of ours comes to listen, and how it is told to stop."""

from __future__ import annotations

import asyncio
import signal
import socket

from gateway.problems import StartProblem
from inference.wire.server import Server, bound_socket


def listening_socket(host: str, port: int) -> socket.socket:
    """A bound socket, so that a busy port is said before anything is loaded. Raises `StartProblem`."""
    try:
        return bound_socket(host, port)
    except (OSError, UnicodeError) as error:  # the latter for a name that no host can have
        why = error.strerror if isinstance(error, OSError) else error
        raise StartProblem(f"Bailey cannot listen on {host}:{port}: {why}. Choose another address.") from None


def stop_on_signals(server: Server) -> None:
    """Let SIGINT and SIGTERM end the server when its requests are answered; a second one ends it at once."""

    def stop() -> None:
        server.force_exit = server.should_exit
        server.should_exit = True

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop)
