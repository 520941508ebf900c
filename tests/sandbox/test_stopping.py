"""A sandbox's server that stops while a command waits and another one runs."""

from __future__ import annotations

import asyncio
import os
import socket
from pathlib import Path

import pytest

from inference.wire.server import Server
from sandbox.processes import tree
from sandbox.protocol import Command, SandboxError, SandboxUnreachable
from sandbox.service.client import RemoteSandbox
from sandbox.service.server import create_app
from sandbox.spec import RemoteSpec, SandboxSpec
from tests.sandbox.sandboxes import make_sandbox

FOREVER = "import time\ntime.sleep(600)"


async def test_who_is_not_waited_for_any_longer_is_told(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    """What ran is lost, what had not begun may be tried again, and neither is the server's failure."""
    own = make_sandbox("A", SandboxSpec(slots=1))
    await own.check()
    others = tree(os.getpid())
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listening.bind(str(tmp_path / "socket"))
    server = Server(create_app(own, 1 << 20))
    server.config.timeout_graceful_shutdown = 0
    serving = asyncio.create_task(server.serve(sockets=[listening]))
    client = RemoteSandbox(RemoteSpec(url=f"unix:{tmp_path}/socket"))
    on = asyncio.Event()
    runs = asyncio.create_task(client.run(Command(("python", "-c", FOREVER)), lambda _: on.set()))
    await on.wait()
    waits = asyncio.create_task(client.run(Command(("true",))))
    async with asyncio.timeout(20):
        while not own._slots.waiting():
            await asyncio.sleep(0.01)
    async with client.workspace() as workspace:
        server.should_exit = True
        await serving
        lost, unreached = await asyncio.gather(runs, waits, return_exceptions=True)
        with pytest.raises(SandboxError, match="does not answer"):
            await workspace.run(Command(("true",)))
    assert (type(lost), type(unreached)) == (SandboxError, SandboxUnreachable)
    assert "was lost while the command ran" in str(lost)
    assert "stopped before the command began" in str(unreached)
    await own.close()
    assert set(tree(os.getpid())) <= set(others)
    assert not any(record.exc_info for record in caplog.records)
