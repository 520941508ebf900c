"""Runs the application on a socket until it is told to stop; then everything is closed in order."""

from __future__ import annotations

import asyncio
import signal
import socket
from collections.abc import Callable, Generator
from contextlib import contextmanager

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from gateway.app import create_app
from gateway.assemble import opened_appliance
from gateway.config import Config
from gateway.problems import StartProblem
from gateway.settings import Settings

MOST_HEAD_BYTES = 64 * 1024


async def serve(config: Config, settings: Settings, announce: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM. Raises `StartProblem` when the appliance cannot start."""
    listening = listening_socket(settings.host, settings.port)
    async with opened_appliance(config, settings) as appliance:
        first_key = await appliance.first_key()
        resumed = await appliance.tasks.resume()
        server = _Server(
            uvicorn.Config(
                create_app(appliance),
                http=BoundedHeads,
                log_config=None,
                access_log=False,
                lifespan="off",
                timeout_graceful_shutdown=10,
            )
        )
        _stop_on_signals(server)  # before anybody knows that there is something to stop
        listening.listen()  # before the address is told, so that nobody who hears it is refused
        url = f"http://{settings.host}:{listening.getsockname()[1]}"
        announce(f"Bailey listens on {url}/v1")
        if first_key:
            announce(f"First key (role approver, shown only now): {first_key}")
        if resumed:
            announce(f"Going on with {len(resumed)} tasks: {', '.join(resumed)}")
        await server.serve(sockets=[listening])


class BoundedHeads(HttpToolsProtocol):
    """uvicorn's HTTP, which by itself collects headers and trailers without end, whoever sends them.

    The envelope bounds bodies; here all else is bounded that comes before the next piece of one.
    """

    _headway, _collected_bytes = False, 0

    def on_headers_complete(self) -> None:
        """The headers are handed on."""
        self._headway = True
        super().on_headers_complete()

    def on_body(self, body: bytes) -> None:
        """A piece of the body is handed on."""
        self._headway = True
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The request is whole."""
        self._headway = True
        super().on_message_complete()

    def data_received(self, data: bytes) -> None:
        """Take what came, unless too much has come of which nothing could be handed on."""
        self._headway = False
        super().data_received(data)
        self._collected_bytes = 0 if self._headway else self._collected_bytes + len(data)
        if self._collected_bytes > MOST_HEAD_BYTES and not self.transport.is_closing():
            self.send_400_response(f"A request may have at most {MOST_HEAD_BYTES} bytes beside its body.")


class _Server(uvicorn.Server):
    """uvicorn without its own signal handlers, which come after the address is told and go before all is closed."""

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave the signals to `_stop_on_signals`."""
        yield


def _stop_on_signals(server: uvicorn.Server) -> None:
    """Let SIGINT and SIGTERM end the server when its requests are answered; a second one ends it at once."""

    def stop() -> None:
        server.force_exit = server.should_exit
        server.should_exit = True

    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop)


def listening_socket(host: str, port: int) -> socket.socket:
    """A bound socket, so that a busy port is said before anything is loaded.

    asyncio turns Nagle's algorithm off only where the protocol is named; with it, small pieces of answers on a
    connection that is used again wait 40 ms for the client to acknowledge the last one.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except (OSError, UnicodeError) as error:  # the latter for a name that no host can have
        listening.close()
        why = error.strerror if isinstance(error, OSError) else error
        raise StartProblem(f"Bailey cannot listen on {host}:{port}: {why}. Choose another --host or --port.") from None
    return listening
