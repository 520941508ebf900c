"""From a model's entry and what a version changes to a whole model. Pure.

Versions stand in for each other: what clients and rules rely on is the same for all, so a rule that admits one admits
every other. `gateway/config.py` checks what is declared with this, `router/versions` what is added at run time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any, get_args

from pydantic import ValidationError

from inference.catalog import ModelBase, ModelSpec

# What a version may not change; whether it is `remote` besides.
SAME = ("name", "tier", "capabilities", "context_tokens", "data_classes", "cpu_fallback")
# What belongs to the model and not to one of its versions.
_OF_THE_MODEL = frozenset({"version", "versions", "canary", "rollback"})
_CLASSES: dict[str, type[ModelSpec]] = {
    get_args(kind.model_fields["engine"].annotation)[0]: kind for kind in get_args(get_args(ModelSpec)[0])
}


class VersionProblem(ValueError):
    """A version that cannot be; the message is a sentence."""


def split_address(name: str) -> tuple[str, str | None]:
    """The model and the version that a name such as coder@v2 asks for; the latter is None for the name alone."""
    model, at, version = name.partition("@")
    return model, version if at else None


def engine_name(key: str) -> str:
    """The name by which the engine under a key knows itself: one that a log, a cluster and a server can have."""
    return key.replace("@", "--")


def with_changes(model: ModelSpec, version: str, changes: Mapping[str, Any]) -> ModelSpec:
    """The model as this version is. Raises `VersionProblem`.

    A key that stands in `changes` replaces the model's whole value. Another `engine` takes over only what all engines
    have.
    """
    who = f"version {version!r} of model {model.name!r}"
    engine = changes.get("engine", model.engine)
    kind = _CLASSES.get(engine) if isinstance(engine, str) else None
    if kind is None:
        raise VersionProblem(f"{who} has engine {engine!r}; valid engines: {', '.join(_CLASSES)}")
    valid = [key for key in kind.model_fields if key not in _OF_THE_MODEL | {*SAME}]
    if fixed := sorted(changes.keys() & {*SAME, *_OF_THE_MODEL}):
        raise VersionProblem(
            f"{who} changes {', '.join(fixed)}, which all versions of a model have in common; "
            f"declare another model instead, or leave it out. What may differ: {', '.join(valid)}"
        )
    inherited = model.model_dump(exclude=set(_OF_THE_MODEL), exclude_unset=True)
    if kind is not type(model):
        inherited = {key: value for key, value in inherited.items() if key in ModelBase.model_fields}
    try:
        made = kind.model_validate({**inherited, **changes, "engine": engine, "version": version})
    except ValidationError as error:
        raise VersionProblem(f"{who}: {'; '.join(_sentences(error, valid))}") from None
    if made.remote != model.remote:
        raise VersionProblem(
            f"{who} is {_where(made)} and {model.name!r} is {_where(model)}; all versions are on one side of the walls"
        )
    return made


def declared(model: ModelSpec) -> dict[str, ModelSpec]:
    """Every version that the entry declares, its own first. Raises `VersionProblem` for the first that cannot be."""
    specs = {model.version: model}
    for version in model.versions:
        if version.version in specs:
            raise VersionProblem(f"version {version.version!r} of model {model.name!r} is declared twice")
        specs[version.version] = with_changes(model, version.version, version.changes)
    if model.canary and model.canary.version not in [version.version for version in model.versions]:
        names = ", ".join(version.version for version in model.versions) or "none"
        raise VersionProblem(
            f"the canary of model {model.name!r} is version {model.canary.version!r}, which is not one of its "
            f"`versions:` ({names})"
        )
    return specs


def addressed(models: Iterable[ModelSpec]) -> dict[str, ModelSpec]:
    """Every declared version by what it is asked for by: coder for the entry itself, coder@v2 for a further one."""
    return {
        model.name if version == model.version else f"{model.name}@{version}": spec
        for model in models
        for version, spec in declared(model).items()
    }


def _sentences(error: ValidationError, valid: list[str]) -> Iterator[str]:
    for item in error.errors(include_url=False):
        key = ".".join(str(segment) for segment in item["loc"])
        if item["type"] == "extra_forbidden":
            yield f"unknown key {key!r}; valid keys: {', '.join(valid)}"
        else:
            yield f"{key}: {item['msg'].removeprefix('Value error, ')}" if key else item["msg"]


def _where(model: ModelSpec) -> str:
    return "outside the walls" if model.remote else "inside"
