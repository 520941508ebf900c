"""How a family is declared and found. A decorated function becomes a `Family`; there is no global list."""

from __future__ import annotations

import importlib
import pkgutil
from collections.abc import Callable, Iterable

from training.corpus import families
from training.corpus.types import Family, Task


def family(names: str, /, *arguments: str, **options: Iterable[object]) -> Callable[[Callable[..., Task]], Family]:
    """Declare a family.

    `names` are synonyms of the function's (or class's) name, each of `arguments` the synonyms of one
    further identifier, separated by spaces; each of `options` lists the values of one parameter.
    The theme is the name of the folder in `families/`.
    """

    def decorate(make: Callable[..., Task]) -> Family:
        return Family(
            key=make.__name__,
            theme=make.__module__.removeprefix(f"{families.__name__}.").partition(".")[0],
            names=tuple(names.split()),
            arguments=tuple(tuple(synonyms.split()) for synonyms in arguments),
            options={key: tuple(values) for key, values in options.items()},
            make=make,
        )

    return decorate


def all_families() -> tuple[Family, ...]:
    """Every family of the package, by key, so that moving one between files changes no sample."""
    found: dict[str, Family] = {}
    for name in sorted(module.name for module in pkgutil.walk_packages(families.__path__, f"{families.__name__}.")):
        for value in vars(importlib.import_module(name)).values():
            if isinstance(value, Family):
                if value.key in found:
                    raise ValueError(f"Two families are called {value.key!r}; rename the one in {name}.")
                found[value.key] = value
    return tuple(found[key] for key in sorted(found))
