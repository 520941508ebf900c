"""`bailey models`: what is declared, and whether its weights are here and right."""

from __future__ import annotations

import asyncio
from typing import Annotated

import typer

from gateway.cli.output import out, table
from gateway.settings import Settings

app = typer.Typer(help="List models, fetch and check weights.", no_args_is_help=True)


@app.command(name="list")
def list_models() -> None:
    """Show the declared models, their prices, and whether their weights are here."""
    from gateway.assemble import weights_state
    from gateway.config import load_config

    settings = Settings()
    config = load_config(settings.config)
    rows = [
        (
            model.name,
            model.engine,
            model.tier,
            model.context_tokens,
            f"{model.price.input_usd_per_million} / {model.price.output_usd_per_million}",
            weights_state(model, settings),
        )
        for model in config.models
    ]
    out.print(table(["name", "engine", "tier", "context", "usd per million in / out", "weights"], rows))


@app.command()
def pull(name: Annotated[str, typer.Argument(help="A model of models.yaml.")]) -> None:
    """Fetch a model's weights and check their digest; goes on where an interrupted pull stopped."""
    from gateway.assemble import fetch_weights
    from gateway.config import load_config

    settings = Settings()
    config = load_config(settings.config)
    model = config.get(name)
    if model is None:
        declared = ", ".join(model.name for model in config.models)
        raise typer.BadParameter(f"There is no model {name!r}; declared: {declared}.")
    out.print(f"{name} is at {asyncio.run(fetch_weights(model, config, settings))}")
