"""Connections to one server: kept open between requests, without proxies, cookies or keys from the environment.

TLS certificates are checked against the machine's own store. Needs aiohttp, whose parser in C takes a third of the
time that others take for each piece of a stream (bench/README.md).
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import aiohttp

IDLE_SECONDS = 4.0
"""How long an unused connection is kept: less than the five seconds after which common servers close theirs."""


class BrokenConnection(Exception):
    """The server cannot be reached, or broke off; the message is the kind of failure, in one word."""


class Connections:
    """To the server at `url`, or at a Unix socket, whatever host the URL names. `headers` go with every request."""

    def __init__(self, url: str, connect_seconds: float, headers: Mapping[str, str], socket: Path | None) -> None:
        self._base = url.rstrip("/") + "/"
        self._connect_seconds = connect_seconds
        self._headers = headers
        self._socket = socket
        self._session: aiohttp.ClientSession | None = None
        self.closed = False

    @asynccontextmanager
    async def post(
        self, path: str, body: Mapping[str, Any], headers: Mapping[str, str]
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """The answer to a JSON body at a path or a whole URL. Leaving before its end closes the connection.

        Raises `BrokenConnection`, also for what is read of the answer inside.
        """
        import aiohttp

        try:
            asked = self._opened().post(self._at(path), json=body, headers=headers, allow_redirects=False)
            async with asked as response:
                yield response
        except aiohttp.ClientError as error:
            raise BrokenConnection(type(error).__name__) from error

    async def status(self, path: str) -> int:
        """The status of the answer to a GET. Raises `BrokenConnection`."""
        import aiohttp

        try:
            async with self._opened().get(self._at(path), allow_redirects=False) as response:
                return response.status
        except aiohttp.ClientError as error:
            raise BrokenConnection(type(error).__name__) from error

    async def close(self) -> None:
        """Close them all; none can be opened any more."""
        self.closed = True
        if self._session is not None:
            await self._session.close()

    def _at(self, path: str) -> str:
        return path if "://" in path else self._base + path

    def _opened(self) -> aiohttp.ClientSession:
        """Made when it is first needed: it belongs to the event loop that runs then."""
        import aiohttp

        if self._session is None:
            kept: dict[str, Any] = {"limit": 0, "keepalive_timeout": IDLE_SECONDS}
            self._session = aiohttp.ClientSession(
                connector=aiohttp.UnixConnector(str(self._socket), **kept)
                if self._socket
                else aiohttp.TCPConnector(**kept),
                headers=self._headers,
                timeout=aiohttp.ClientTimeout(total=None, connect=self._connect_seconds),
                cookie_jar=aiohttp.DummyCookieJar(),
                trust_env=False,
            )
        return self._session
