"""Runs the application on a socket until it is told to stop; then everything is closed in order."""

from __future__ import annotations

import gc
from collections.abc import Callable

from gateway.app import create_app
from gateway.assemble import opened_appliance
from gateway.config import Config
from gateway.listening import listening_socket, stop_on_signals
from gateway.scheduling import ask_for_short_turns
from gateway.settings import Settings
from inference.wire.server import Server

YOUNG_OBJECTS = 20_000
"""So many more than at the last collection are looked through for garbage.

A call has some hundred objects and leaves no cycles behind. Python's own 700 is two calls: a collection then finds
what is in use and frees nothing.
"""


async def serve(config: Config, settings: Settings, announce: Callable[[str], None]) -> None:
    """Serve until SIGINT or SIGTERM. Raises `StartProblem` when the appliance cannot start."""
    listening = listening_socket(settings.host, settings.port)
    async with opened_appliance(config, settings) as appliance:
        first_key = await appliance.first_key()
        resumed = await appliance.tasks.resume()
        server = Server(create_app(appliance))
        _make_prompt()
        stop_on_signals(server)  # before anybody knows that there is something to stop
        listening.listen()  # before the address is told, so that nobody who hears it is refused
        url = f"http://{settings.host}:{listening.getsockname()[1]}"
        announce(f"Bailey listens on {url}/v1")
        if first_key:
            announce(f"First key (role approver, shown only now): {first_key}")
        if resumed:
            announce(f"Going on with {len(resumed)} tasks: {', '.join(resumed)}")
        await server.serve(sockets=[listening])


def _make_prompt() -> None:
    """Keep waits out of answers: for the processor, and for collections of all garbage."""
    ask_for_short_turns()
    gc.collect()
    gc.set_threshold(YOUNG_OBJECTS)
    gc.freeze()  # modules and what was assembled stay until the end; collections need not look at them again
