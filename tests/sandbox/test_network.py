"""Hostile programs that want out, or to a neighbour."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import pytest_asyncio

from sandbox.nsjail import NsjailSandbox
from sandbox.protocol import Command
from tests.sandbox.sandboxes import run_python

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.usefixtures("aftermath")]

ATTEMPT = """
import socket
for family, kind, act in {attempts}:
    try:
        with socket.socket(getattr(socket, family), getattr(socket, kind)) as s:
            s.settimeout(5)
            eval(act)
            print("out", act)
    except OSError as error:
        print("in")
"""


@pytest.mark.parametrize("profile", ["python", "pytest"])
async def test_no_way_out(sandbox: NsjailSandbox, profile: str) -> None:
    attempts = [
        ("AF_INET", "SOCK_STREAM", "s.connect(('192.0.2.1', 80))"),
        ("AF_INET", "SOCK_STREAM", "s.connect(('169.254.169.254', 80))"),
        ("AF_INET", "SOCK_DGRAM", "s.sendto(b'x', ('192.0.2.1', 53))"),
        ("AF_INET6", "SOCK_STREAM", "s.connect(('2001:db8::1', 80))"),
        ("AF_INET", "SOCK_DGRAM", "s.sendto(b'x', ('255.255.255.255', 67))"),
        ("AF_INET", "SOCK_STREAM", "s.connect(('name.invalid', 80))"),
    ]
    result = await sandbox.run(Command(("python", "-c", ATTEMPT.format(attempts=attempts)), profile=profile))
    assert (result.ok, result.stdout) == (True, b"in\n" * len(attempts)), result.stderr


@pytest_asyncio.fixture(loop_scope="session", params=["127.0.0.1", "::1", "\0bailey-test", "path"])
async def service(request: pytest.FixtureRequest, tmp_path: Path) -> AsyncIterator[tuple[socket.socket, list[int]]]:
    """A service of the host that counts its visitors."""
    visits: list[int] = []
    address = str(tmp_path / "socket") if request.param == "path" else request.param
    family = {".": socket.AF_INET, ":": socket.AF_INET6}.get(address.strip("0127")[:1], socket.AF_UNIX)
    listener = socket.socket(family)
    listener.bind((address, 0) if family != socket.AF_UNIX else address)

    def visited(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        visits.append(1)
        writer.close()

    start = asyncio.start_unix_server if family == socket.AF_UNIX else asyncio.start_server
    server = await start(visited, sock=listener)
    yield listener, visits
    server.close()
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(server.wait_closed(), 1)


async def test_services_of_the_host(sandbox: NsjailSandbox, service: tuple[socket.socket, list[int]]) -> None:
    listener, visits = service
    attempts = [(listener.family.name, "SOCK_STREAM", f"s.connect({listener.getsockname()!r})")]
    result = await sandbox.run(Command(("python", "-c", ATTEMPT.format(attempts=attempts)), profile="pytest"))
    assert (result.ok, result.stdout, visits) == (True, b"in\n", []), result.stderr


async def test_the_pytest_profile_may_talk_to_itself(sandbox: NsjailSandbox) -> None:
    program = """
import socket
listener = socket.create_server(("127.0.0.1", 0))
with socket.create_connection(listener.getsockname()): print("reached")
"""
    assert (await sandbox.run(Command(("python", "-c", program), profile="pytest"))).stdout == b"reached\n"
    assert not (await sandbox.run(Command(("python", "-c", program), profile="python"))).ok


async def test_unix_sockets_within_a_jail(sandbox: NsjailSandbox) -> None:
    program = "import asyncio\nasync def main(): print(await asyncio.sleep(0, 'loop'))\nasyncio.run(main())"
    assert (await run_python(sandbox, program)).stdout == b"loop\n"


async def test_a_proxy_of_the_host(sandbox: NsjailSandbox) -> None:
    """There is no proxy to ask for more than it may give: one that listens on the host is out of reach."""
    asked = []

    def visited(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        asked.append(1)
        writer.close()

    proxy = await asyncio.start_server(visited, "127.0.0.1", 0)
    address = f"http://127.0.0.1:{proxy.sockets[0].getsockname()[1]}"
    program = """
import urllib.request
for url in ("http://name.invalid/", "https://name.invalid/"):
    try: urllib.request.urlopen(url, timeout=5)
    except OSError as error: print("in")
"""
    variables = {"http_proxy": address, "https_proxy": address}
    result = await sandbox.run(Command(("python", "-c", program), profile="pytest", environment=variables))
    proxy.close()
    assert (result.ok, result.stdout, asked) == (True, b"in\nin\n", []), result.stderr
