"""`bailey serve`: the appliance."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from gateway.cli.output import out
from gateway.settings import Settings


def serve(
    host: Annotated[str | None, typer.Option(help="Address to listen on; BAILEY_HOST.")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65_535, help="Port to listen on, 0 for a free one; BAILEY_PORT.")
    ] = None,
) -> None:
    """Start the appliance and stay until it is stopped (Ctrl-C)."""
    from gateway import logs
    from gateway.config import load_config
    from gateway.server import serve as run

    settings = Settings(**{name: value for name, value in {"host": host, "port": port}.items() if value is not None})
    config = load_config(settings.config)
    logs.configure(settings.log_level)
    asyncio.run(run(config, settings, announce=out.print))
