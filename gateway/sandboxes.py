"""The sandbox that this process uses, on this machine or another, and the one that it gives to others.

Nothing else constructs sandboxes. What serves a sandbox reads no key and opens neither ledger nor model.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import os
import socket
import ssl
import stat
import sys
import tempfile
from collections.abc import AsyncGenerator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from starlette.applications import Starlette

from gateway.listening import listening_socket, stop_on_signals
from gateway.problems import StartProblem
from gateway.settings import Settings
from inference.wire.server import Server
from sandbox.jails.prove import CannotIsolate, Surroundings
from sandbox.landlock import LandlockSandbox
from sandbox.nsjail import NsjailSandbox
from sandbox.protocol import Sandbox, SandboxUnavailable
from sandbox.service.client import RemoteSandbox
from sandbox.service.server import create_app, health_of
from sandbox.service.tls import TlsFiles
from sandbox.spec import SandboxSpec
from sandbox.validate import UnsafeProfile

_REFRESH_SECONDS = 60.0
_SOCKET_MODE = 0o660


@dataclass(frozen=True, slots=True)
class Door:
    """Where a sandbox is served: at a Unix socket, or on a host and port behind certificates."""

    socket: Path | None = None
    host: str = ""
    port: int = 0
    tls: TlsFiles | None = None
    health: tuple[str, int] | None = None
    """Host and port at which anybody may ask for the health, and for nothing else."""


@asynccontextmanager
async def opened_sandbox(spec: SandboxSpec, settings: Settings, *, warm: bool = False) -> AsyncGenerator[Sandbox, None]:
    """The sandbox, proven; on this machine jails stand ready only if `warm`. Raises `SandboxUnavailable`.

    One without jails, for trusted linters alone, only where the operator accepts it and nothing else works.
    """
    if spec.remote is not None:
        sandbox: Sandbox = RemoteSandbox(spec.remote)
    else:
        sandbox = _own(spec if warm else spec.model_copy(update={"warm": {}}), settings)
    try:
        try:
            await sandbox.check()
        except SandboxUnavailable as error:
            if spec.remote is not None or spec.minimum_tier != "D" or isinstance(error, UnsafeProfile):
                raise
            await sandbox.close()
            sandbox = _for_linters(spec, settings, error)
            await sandbox.check()
        yield sandbox
    finally:
        await sandbox.close()


async def serve_sandbox(spec: SandboxSpec, settings: Settings, door: Door, announce: Callable[[str], None]) -> None:
    """Serve this machine's sandbox until SIGINT or SIGTERM. Raises `StartProblem` and `SandboxUnavailable`."""
    stamp = door.tls.stamp() if door.tls is not None else ()
    tls = door.tls.context_for_server() if door.tls is not None else None
    with contextlib.ExitStack() as held:
        listening = _listening(door, held)
        health = held.enter_context(listening_socket(*door.health)) if door.health is not None else None
        async with opened_sandbox(spec.model_copy(update={"remote": None}), settings, warm=True) as sandbox:
            app = create_app(sandbox, spec.request_mib << 20)
            server = Server(app, tls)
            stop_on_signals(server)
            listening.listen()
            announce(f"The sandbox (tier {(await sandbox.diagnose()).tier}) answers at {_address(door, listening)}")
            refreshing = asyncio.create_task(_refreshed(door.tls, tls, stamp))
            try:
                async with _told(health_of(app), health):
                    await server.serve(sockets=[listening])
            finally:
                refreshing.cancel()


@asynccontextmanager
async def _told(app: Starlette, at: socket.socket | None) -> AsyncGenerator[None, None]:
    """The application served at a bound socket meanwhile, if there is one."""
    if at is None:
        yield
        return
    server = Server(app)
    at.listen()
    serving = asyncio.create_task(server.serve(sockets=[at]))
    try:
        yield
    finally:
        server.should_exit = True
        await serving


def _own(spec: SandboxSpec, settings: Settings) -> NsjailSandbox:
    return NsjailSandbox(spec, python=Path(sys.executable).resolve(), site=_site(settings))


def _for_linters(spec: SandboxSpec, settings: Settings, error: SandboxUnavailable) -> LandlockSandbox:
    shortfalls = error.failures if isinstance(error, CannotIsolate) else (f"tiers A to C: {error}".rstrip("."),)
    around = Surroundings(Path(sys.executable).resolve(), _site(settings))
    return LandlockSandbox(spec, around, Path(tempfile.gettempdir()), shortfalls)


def _site(settings: Settings) -> Path:
    site = (settings.sandbox_site or Path(".sandbox-site")).resolve()
    if not (site / "pytest").is_dir():
        raise SandboxUnavailable(
            f"The tools for generated code are not at {site}; run `make setup`, or set BAILEY_SANDBOX_SITE."
        )
    return site


def _listening(door: Door, held: contextlib.ExitStack) -> socket.socket:
    if door.socket is None:
        return held.enter_context(listening_socket(door.host, door.port))
    return held.enter_context(_unix_socket(door.socket, held))


def _unix_socket(path: Path, held: contextlib.ExitStack) -> socket.socket:
    """A bound socket that its user and group may connect to; one that a killed server left is replaced."""
    if path.is_socket():
        _demand_left(path)
        path.unlink()
    bound = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    before = os.umask(0o777)  # nobody connects before the mode is right
    try:
        bound.bind(str(path))
    except OSError as error:
        bound.close()
        raise StartProblem(f"The sandbox cannot listen at {path}: {error.strerror or error}.") from None
    finally:
        os.umask(before)
    identity = path.stat().st_ino
    held.callback(_remove, path, identity)
    path.chmod(_SOCKET_MODE)
    bound.listen()  # from now on it is nobody's to replace; who connects is answered once the host is proven
    return bound


def _demand_left(path: Path) -> None:
    with socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as asking:
        if asking.connect_ex(str(path)) != errno.ECONNREFUSED:
            raise StartProblem(f"Another process listens at {path}; stop it first, or choose another --listen.")


def _remove(path: Path, inode: int) -> None:
    with contextlib.suppress(FileNotFoundError):
        if stat.S_ISSOCK(path.stat().st_mode) and path.stat().st_ino == inode:
            path.unlink()


def _address(door: Door, listening: socket.socket) -> str:
    if door.socket is not None:
        return f"unix:{door.socket}"
    host = f"[{door.host}]" if ":" in door.host else door.host
    return f"https://{host}:{listening.getsockname()[1]}"


async def _refreshed(files: TlsFiles | None, context: ssl.SSLContext | None, stamp: tuple[int, ...]) -> None:
    """Take new certificates into use when they are put in place of the old; what cannot be used is left alone."""
    if files is None or context is None:
        return
    while True:
        await asyncio.sleep(_REFRESH_SECONDS)
        with contextlib.suppress(SandboxUnavailable):
            if files.stamp() != stamp:
                files.refresh(context)
                stamp = files.stamp()
