"""`bailey config`: check models.yaml, print its JSON schema."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.output import out
from gateway.settings import Settings

app = typer.Typer(help="Check models.yaml, print its JSON schema.", no_args_is_help=True)


@app.command()
def check(
    path: Annotated[Path | None, typer.Argument(help="The file; by default the one `bailey serve` uses.")] = None,
    host: Annotated[bool, typer.Option("--host", help="Also prove that this machine can isolate code.")] = False,
) -> None:
    """Validate the file; every problem with its line and the valid keys."""
    from gateway.config import load_config

    settings = Settings()
    config = load_config(path or settings.config)
    if host:
        from gateway.assemble import check_host

        asyncio.run(check_host(config, settings))
        out.print("This machine can run generated code in isolation.")
    out.print(f"{path or settings.config} is valid: {len(config.models)} models, {len(config.routes)} routes.")


@app.command()
def schema() -> None:
    """Print the JSON schema of models.yaml, for editors."""
    from gateway.config import Config

    typer.echo(json.dumps(Config.model_json_schema(), indent=2))
