"""Jails that stand ready with a booted interpreter: each for one command, then it dies like any other.

A command that does not fit, or comes when none is ready, runs cold. `profiles/warm.py` is what waits in them.
Called by `nsjail.py`.
"""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace

from sandbox.catalogue import text
from sandbox.jails.host import Host
from sandbox.jails.standing import Standing
from sandbox.order import Order
from sandbox.profile import WORKSPACE, Profile
from sandbox.protocol import Command, Limits, SandboxError
from sandbox.spec import SandboxSpec
from sandbox.threads import settle

_IMPORTED = {"python": "", "pytest": "pytest"}
_READ_AT_THE_START = ("PYTHON", "MALLOC_", "GLIBC_", "LC_", "LANGUAGE")
"""By the interpreter or the C library: variables with such names come too late in a warm jail."""
_MAX_AGE_SECONDS = 300.0
_BACK_OFF_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class WarmJail:
    """A jail at its gate, in a slot of its own; `give_back` frees the slot once the jail is down."""

    standing: Standing
    config: str
    slot: int
    imported: str
    made_at: float
    give_back: Callable[[], None]

    def facts(self) -> Mapping[str, str | int | float | bool]:
        """What the result says about it, as it is now."""
        age_ms = round(1000 * (time.monotonic() - self.made_at))
        return {"warm": True, "warm_age_ms": age_ms, "imported_before": self.imported}


def opening(command: Command) -> bytes:
    """What `profiles/warm.py` waits for."""
    variables = [f"{name}={value}" for name, value in command.environment.items()]
    words = "\0".join((str(len(variables)), *variables, *command.argv[1:])).encode()
    return f"{len(words):08x}".encode() + words


def fits(command: Command, limits: Limits, profile: Profile) -> bool:
    """Whether a warm jail of the profile does exactly what a cold one would."""
    held_by_the_supervisor = replace(
        limits, wall_seconds=profile.limits.wall_seconds, cpu_seconds=profile.limits.cpu_seconds
    )
    words = command.argv[2:] if command.argv[1:2] == ("-B",) else command.argv[1:]
    if command.argv[0] != "python" or held_by_the_supervisor != profile.limits or not words:
        return False
    if any(name.startswith(_READ_AT_THE_START) for name in command.environment):
        return False
    if any(0xD800 <= ord(letter) <= 0xDFFF for word in (*words, *command.environment.values()) for letter in word):
        return False
    if profile.name == "pytest":
        return words[:2] == ("-m", "pytest")
    if words[0] in ("-c", "-m"):
        return len(words) > 1
    return words[0].endswith(".py") and words[0] in command.files


class Pool:
    """Fills itself while nothing waits for it: at the start, and after the end of a command that took a jail."""

    def __init__(self, host: Host, profiles: Mapping[str, Profile], spec: SandboxSpec) -> None:
        self._host = host
        self._profiles = profiles
        self._slots = list(range(spec.slots, spec.user_ids))
        self._ready: dict[str, deque[WarmJail]] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._closed = asyncio.Event()
        for name, count in spec.warm.items():
            self._ready[name] = deque()
            for _ in range(0 if host.provisions[name].missing else count):
                self._fill(name)

    def take(self, order: Order) -> WarmJail | None:
        """A jail for one command, or None: then it runs cold. The caller calls `give_back` after the run."""
        ready = self._ready.get(order.profile.name)
        if not ready or not fits(order.command, order.limits, order.profile) or not ready[0].standing.jail.stands:
            return None
        return ready.popleft()

    async def close(self) -> None:
        """End the jails that nobody took."""
        self._closed.set()
        for task in list(self._tasks):
            await settle(task)

    def _fill(self, name: str) -> None:
        if not self._closed.is_set():
            task = asyncio.create_task(self._keep(name))
            self._tasks.add(task)
            task.add_done_callback(self._tasks.discard)

    async def _keep(self, name: str) -> None:
        """Bring one jail up, and down again when nobody took it in time or it died."""
        profile, slot = self._profiles[name], self._slots.pop()

        def give_back() -> None:
            self._slots.append(slot)
            self._fill(name)

        # The kernel's backstop counts from the jail's start; the command's own clock is the supervisor's.
        limits = replace(profile.limits, wall_seconds=profile.limits.wall_seconds + _MAX_AGE_SECONDS)
        standing = Standing(self._host, profile.limits)
        pause = 0.0
        try:
            waits = Command((), environment={"PWD": WORKSPACE})  # as the shell of a cold jail sets it
            config = self._host.render(profile, limits, waits, slot)
            await standing.up(config, ("python", "-c", text("warm.py"), _IMPORTED[name]))
            jail = WarmJail(standing, config, slot, _IMPORTED[name], time.monotonic(), give_back)
            self._ready[name].append(jail)
            if not await self._leave(jail, name):
                return
        except (SandboxError, OSError):  # a command then runs cold, and says what is wrong
            pause = _BACK_OFF_SECONDS
        await standing.down()
        await self._pause(pause)
        give_back()

    async def _leave(self, jail: WarmJail, name: str) -> bool:
        """Wait until the jail is taken (False), or it is to be taken down (True)."""
        gone = asyncio.create_task(jail.standing.jail.wait_ended())
        closing = asyncio.create_task(self._closed.wait())
        await asyncio.wait((gone, closing), timeout=_MAX_AGE_SECONDS, return_when=asyncio.FIRST_COMPLETED)
        for task in (gone, closing):
            task.cancel()
        if jail not in self._ready[name]:
            return False
        self._ready[name].remove(jail)
        return True

    async def _pause(self, seconds: float) -> None:
        if seconds:
            await asyncio.wait((asyncio.create_task(self._closed.wait()),), timeout=seconds)
