"""`bailey models verify`: reads all weights again, whatever is remembered of them."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from gateway.cli.models.choosing import with_weights
from gateway.cli.output import err, escape, out
from gateway.settings import Settings


def verify(
    names: Annotated[
        list[str] | None, typer.Argument(help="Models of models.yaml; by default all.", show_default=False)
    ] = None,
    folder: Annotated[Path | None, typer.Option("--in", help="The store; by default BAILEY_WEIGHTS.")] = None,
) -> None:
    """Hash every file of the models' weights and compare; exit 1 if one is missing or differs."""
    from gateway.config import load_config
    from gateway.weights import weights_store
    from inference.weights.selection import kind_for

    settings = Settings()
    config = load_config(settings.config)
    store = weights_store(config, settings, folder)
    wrong = False
    for name, model in with_weights(config, names or []).items():
        kind = kind_for(model.engine)
        problems = list(store.problems(model.source, kind, model.sha256))
        for problem in problems:
            err.print(f"{name}: {escape(problem)}")
        if not problems:
            out.print(f"{name} is as it should be, digest {store.identity(store.find(model.source, kind))}")
        wrong = wrong or bool(problems)
    if wrong:
        raise typer.Exit(1)
