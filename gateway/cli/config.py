"""`bailey config`: check models.yaml, print its JSON schema."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from gateway.config import Config

from gateway.cli.output import out
from gateway.settings import Settings

app = typer.Typer(help="Check models.yaml, print its JSON schema.", no_args_is_help=True)


@app.command()
def check(
    path: Annotated[Path | None, typer.Argument(help="The file; by default the one `bailey serve` uses.")] = None,
    host: Annotated[bool, typer.Option("--host", help="Also prove that this machine can isolate code.")] = False,
) -> None:
    """Validate the file; every problem with its line and the valid keys. vLLM models are shown to their vLLM."""
    from gateway.config import load_config
    from gateway.vllm_check import check_vllm

    settings = Settings()
    config = load_config(path or settings.config)
    check_vllm(config, path or settings.config, settings, tell=lambda said: out.print(said, soft_wrap=True))
    if host:
        tier = asyncio.run(_proven_tier(config, settings))
        if tier == "D":
            out.print("This machine runs trusted linters alone (tier D); generated code does not run here.")
        else:
            out.print("This machine can run generated code in isolation.")
    out.print(f"{path or settings.config} is valid: {len(config.models)} models, {len(config.routes)} routes.")


async def _proven_tier(config: Config, settings: Settings) -> str:
    from gateway.sandboxes import opened_sandbox

    async with opened_sandbox(config.sandbox, settings) as sandbox:
        return (await sandbox.diagnose()).tier


@app.command()
def schema() -> None:
    """Print the JSON schema of models.yaml, for editors."""
    from gateway.config import Config

    typer.echo(json.dumps(Config.model_json_schema(), indent=2))
