"""`bailey up` and `bailey down`: the appliance with its models on a Ray cluster, and the end of those models."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from gateway.cli.output import out
from gateway.settings import Settings

Address = Annotated[
    str | None,
    typer.Option(
        "--ray-address",
        help="Ray cluster, HOST:PORT, auto for the one on this machine, any for that or a new one; BAILEY_RAY_ADDRESS.",
    ),
]


def up(
    host: Annotated[str | None, typer.Option(help="Address to listen on; BAILEY_HOST.")] = None,
    port: Annotated[
        int | None, typer.Option(min=0, max=65_535, help="Port to listen on, 0 for a free one; BAILEY_PORT.")
    ] = None,
    ray: Annotated[
        bool, typer.Option("--ray", help="Place models on a Ray cluster, and start one if none runs.")
    ] = False,
    ray_address: Address = None,
) -> None:
    """Start the appliance, with --ray on a Ray cluster, and stay until it is stopped (Ctrl-C)."""
    from gateway import logs
    from gateway.config import load_config
    from gateway.server import serve as run

    address = ray_address or ("any" if ray else None)
    given = {"host": host, "port": port, "ray_address": address}
    settings = Settings(**{name: value for name, value in given.items() if value is not None})
    config = load_config(settings.config)
    logs.configure(settings.log_level)
    asyncio.run(run(config, settings, announce=out.print))
    if settings.ray_address:
        out.print("Models stay on the Ray cluster, unless that was started here; `bailey down` removes them.")


def down(ray_address: Address = None) -> None:
    """Remove all models of this appliance from the Ray cluster; what they are answering they finish."""
    from gateway.assemble import removed_from_cluster
    from gateway.config import load_config

    settings = Settings(ray_address=ray_address or Settings().ray_address or "auto")
    asyncio.run(removed_from_cluster(load_config(settings.config), settings, out.print))
