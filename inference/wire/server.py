"""uvicorn as we run it at every HTTP door: in our own event loop, with bounded heads and no signal handlers."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections.abc import Generator
from contextlib import ExitStack, contextmanager

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

from inference.wire.gathered import GatheredWrites

MOST_HEAD_BYTES = 64 * 1024
GRACE_SECONDS = 10


class BoundedHeads(HttpToolsProtocol):
    """uvicorn's HTTP, which by itself collects headers and trailers without end, whoever sends them.

    The envelope bounds bodies; here all else is bounded that comes before the next piece of one.
    """

    _headway, _collected_bytes = False, 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Somebody connected."""
        super().connection_made(GatheredWrites(transport))

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


class Server(uvicorn.Server):
    """Serves one application, behind TLS if given, until `should_exit` is set; who runs it sees to signals."""

    def __init__(self, app: ASGIApp, tls: ssl.SSLContext | None = None) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http=BoundedHeads,
                ws="none",
                log_config=None,
                access_log=False,
                lifespan="off",
                timeout_graceful_shutdown=GRACE_SECONDS,
                ssl_context_factory=(lambda *_: tls) if tls is not None else None,
            )
        )

    @contextmanager
    def capture_signals(self) -> Generator[None, None, None]:
        """Leave the signals alone."""
        yield


def bound_socket(host: str, port: int) -> socket.socket:
    """A bound socket, so that a busy port is known before anything is loaded. Raises `OSError` or `UnicodeError`.

    asyncio turns Nagle's algorithm off only where the protocol is named; with it, small pieces of answers on a
    connection that is used again wait 40 ms for the client to acknowledge the last one.
    """
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with ExitStack() as otherwise:
        bound = otherwise.enter_context(socket.socket(family, socket.SOCK_STREAM, socket.IPPROTO_TCP))
        bound.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        bound.bind((host, port))
        otherwise.pop_all()
    return bound
