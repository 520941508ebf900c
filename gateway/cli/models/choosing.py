"""Which models a command is about, by the names that were given to it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import typer

if TYPE_CHECKING:
    from gateway.config import Config
    from inference.catalog import LlamaCppModel, VllmModel


def with_weights(config: Config, names: Sequence[str]) -> dict[str, LlamaCppModel | VllmModel]:
    """The models and versions that have weights of their own, of these names or all: `coder`, `coder@v2`, ...

    A model's name alone means all its versions. Raises `typer.BadParameter`.
    """
    from inference.catalog import LlamaCppModel, VllmModel
    from inference.versions import addressed, split_address

    every = addressed(config.models)
    for name in names:
        meant = [spec for key, spec in every.items() if name in {key, split_address(key)[0]}]
        if not meant:
            raise typer.BadParameter(f"There is no model {name!r}; declared: {', '.join(every)}.")
        if not any(isinstance(spec, LlamaCppModel | VllmModel) for spec in meant):
            raise typer.BadParameter(f"The model {name!r} has no weights here: its engine is not llama.cpp or vllm.")
    return {
        key: spec
        for key, spec in every.items()
        if isinstance(spec, LlamaCppModel | VllmModel) and (not names or {key, split_address(key)[0]} & {*names})
    }
