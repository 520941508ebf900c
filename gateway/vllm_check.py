"""Holds the vLLM models of models.yaml against the vLLM installed on this machine; part of `bailey config check`."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from gateway.config import Config
from gateway.config_errors import ConfigError, Problem
from gateway.fleet import key_variables
from gateway.settings import SOURCE_KEYS, Settings
from gateway.weights import weights_store
from inference.catalog import VllmModel
from inference.errors import WeightsError
from inference.versions import addressed, split_address
from inference.vllm.check import Refused, check_installed
from inference.weights.selection import kind_for


def check_vllm(config: Config, path: Path, settings: Settings, tell: Callable[[str], None]) -> None:
    """Ask each vLLM; `tell` hears what is under way and what cannot be checked here. Raises `ConfigError`.

    It may be that a model's environment is only on other machines, of a cluster: then the check goes on.
    """
    every = addressed(config.models)
    # Versions of a model share its name; here each has one of its own.
    models = [model.model_copy(update={"name": name}) for name, model in every.items() if isinstance(model, VllmModel)]
    if not models:
        return
    asked = ", ".join(dict.fromkeys(model.python for model in models))
    tell(f"Asking the vLLM of {asked}, which takes a while because it imports torch ...")
    keys = key_variables(config)
    problems = []
    for found in check_installed(models, _folders(models, config, settings), hidden=[*keys, *SOURCE_KEYS]):
        if isinstance(found, Refused):
            place = [model.name for model in config.models].index(split_address(found.model)[0])
            where = f"models[{place}] ({found.model}).{found.key}"
            problems.append(Problem(None, where, found.message))
        else:
            tell(f"Not checked: {', '.join(found.models)}, because {found.why}.")
    if problems:
        raise ConfigError(path, problems)


def _folders(models: list[VllmModel], config: Config, settings: Settings) -> dict[str, Path]:
    """The model folders that are on this machine; digests are not looked at, and nothing is fetched."""
    store = weights_store(config, settings)
    folders = {}
    for model in models:
        with suppress(WeightsError):  # `bailey models list` says what is wrong with weights
            if store.here(model.source, kind_for(model.engine)):
                folders[model.name] = store.find(model.source, kind_for(model.engine))
    return folders
