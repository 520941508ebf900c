"""What a host has for a profile: its programs, importable modules and folders, found or missing.

Looks at files only and starts nothing. What is missing makes one profile refuse, in a sentence; the others go on.
Called by `prove.py`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from sandbox.profile import Profile
from sandbox.validate import source_problem

TOOLCHAIN_PLACE = "/toolchain"
_SYSTEM = Path("/usr")
_SYSTEM_PROGRAMS = Path("/usr/bin")


@dataclass(frozen=True, slots=True)
class Provision:
    """For one profile: `found` are programs and modules with where they really are, `missing` sentences that say
    what to do; `toolchain` and `folders` are shown in its jails, read-only."""

    found: Mapping[str, Path]
    missing: tuple[str, ...]
    toolchain: Path | None
    folders: tuple[str, ...]


def provide(profile: Profile, toolchain: Path | None, site: Path) -> Provision:
    """Look for everything a profile needs; `toolchain` is the operator's folder for it, if any. Blocking."""
    missing: list[str] = []
    patterns = [pattern.lstrip("/") for pattern in profile.shown_if_present]
    folders = tuple(sorted({str(found) for pattern in patterns for found in Path("/").glob(pattern)}))
    if toolchain is not None:
        toolchain = toolchain.resolve()
        if problem := source_problem(toolchain):
            missing.append(f"sandbox.toolchains.{profile.name} is {toolchain}, but it {problem}")
            toolchain = None
    missing += [f"it shows {folder}, but that {said}" for folder in folders if (said := source_problem(Path(folder)))]
    visible = [_SYSTEM, *map(Path, folders), *([toolchain] if toolchain is not None else [])]
    found: dict[str, Path] = {}
    for program, package in profile.tools.items():
        place = next((path for path in _places(program, toolchain) if _shown(path, visible)), None)
        if place is not None:
            found[program] = place.resolve()
            continue
        missing.append(
            f"the program {program} is not in {_SYSTEM_PROGRAMS}: install {package}, or name a folder "
            f"with bin/{program} in sandbox.toolchains.{profile.name}"
        )
    for module in profile.modules:
        if (site / module).is_dir():
            found[module] = site / module
        else:
            missing.append(f"the module {module} is not among the importable tools in {site}; install it there")
    return Provision(found, tuple(missing), toolchain, folders)


def _places(program: str, toolchain: Path | None) -> Iterator[Path]:
    if toolchain is not None:
        yield toolchain / "bin" / program
    yield _SYSTEM_PROGRAMS / program


def _shown(path: Path, visible: list[Path]) -> bool:
    """Whether a program can be executed, and lies, links followed, in something that jails show."""
    real = path.resolve()
    return os.access(real, os.X_OK) and real.is_file() and any(real.is_relative_to(place) for place in visible)
