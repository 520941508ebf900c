"""Which files of a repository, bucket or folder are a model's weights, by their names alone. Pure.

Used for what is fetched and, the same way, for what a digest of weights is taken over.
"""

from __future__ import annotations

import re
from collections.abc import Iterable
from fnmatch import fnmatchcase
from typing import Literal

Kind = Literal["gguf", "folder"]
"""A GGUF file (or the parts of one), or a folder in Hugging Face's layout."""

_KINDS: dict[str, Kind] = {"llama.cpp": "gguf", "vllm": "folder"}

SINGLE = "model.safetensors"
"""What a folder's weights are called if they are one file."""

_FOLDER = ("*.safetensors", "*.json", "*.jinja", "*.txt", "*.model", "*.tiktoken")
# Mistral repeats the weights in a layout of its own beside the usual one, Meta in a folder.
_REPEATED = ("consolidated*.safetensors", "original/*")
_PART = re.compile(r"(?P<stem>.+)-(?P<number>\d{5})-of-(?P<count>\d{5})\.gguf")


class UnclearError(Exception):
    """The names do not say which files are meant; the message is a phrase that says what there is instead."""


def kind_for(engine: Literal["llama.cpp", "vllm"]) -> Kind:
    """What an engine loads."""
    return _KINDS[engine]


def select(names: Iterable[str], kind: Kind, named: str | None = None) -> tuple[str, ...]:
    """The names of the files that belong to the model, sorted. Raises `UnclearError`.

    `named` picks one GGUF file where there are several. All parts of a split file belong together.
    """
    if kind == "folder":
        return _of_folder(sorted(names), named)
    files = sorted(name for name in names if name.endswith(".gguf"))
    groups: dict[str, list[str]] = {}
    for name in files:
        groups.setdefault(_whole(name), []).append(name)
    if named is not None:
        if named not in files:
            raise UnclearError(f"there is no {named}; there are {', '.join(files) or 'no GGUF files'}")
        return _complete(groups[_whole(named)])
    if len(groups) != 1:
        found = ", ".join(group[0] for group in groups.values()) or "none"
        raise UnclearError(f"it must hold one GGUF file, or name one of several; there are {found}")
    return _complete(next(iter(groups.values())))


def _of_folder(names: list[str], named: str | None) -> tuple[str, ...]:
    if named is not None:
        raise UnclearError(f"it names the file {named}, but this engine loads a folder")
    found = [name for name in names if any(fnmatchcase(name, pattern) for pattern in _FOLDER)]
    usual = any(fnmatchcase(name, "model*.safetensors") for name in found)
    kept = [name for name in found if not (usual and any(fnmatchcase(name, pattern) for pattern in _REPEATED))]
    if "config.json" not in kept:
        raise UnclearError("it is not a model folder: there is no config.json")
    return tuple(kept)


def _whole(name: str) -> str:
    """What all parts of a split file have in common; a file that is not split is itself."""
    part = _PART.fullmatch(name)
    return f"{part['stem']}-of-{part['count']}" if part else name


def _complete(parts: list[str]) -> tuple[str, ...]:
    part = _PART.fullmatch(parts[0])
    if part is None:
        return tuple(parts)
    needed = [f"{part['stem']}-{number:05}-of-{part['count']}.gguf" for number in range(1, int(part["count"]) + 1)]
    if missing := sorted({*needed} - {*parts}):
        raise UnclearError(f"of the parts of a split file {', '.join(missing)} is missing")
    return tuple(needed)
