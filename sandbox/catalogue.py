"""The profiles that exist: the product's own folder of data, and one of the operator's beside it.

Reads and checks; a profile that could let something out is refused here, before anything runs in it. Called by
`spec.py` and `nsjail.py`.
"""

from __future__ import annotations

import tomllib
from collections.abc import Mapping
from dataclasses import fields, replace
from functools import cache
from pathlib import Path
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from sandbox.profile import Profile, Recipe, Trusted
from sandbox.protocol import Limits
from sandbox.validate import UnsafeProfile, demand_safe, demand_safe_source

_FOLDER = Path(__file__).parent / "profiles"
_TABLE = "profiles.toml"
_NAME = r"^[a-z][a-z0-9+_-]{0,31}$"


class _Row(BaseModel):
    """One table of profiles.toml; see there for the meaning."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    config: tuple[str, ...] = Field(min_length=1)
    loopback: bool = False
    address_space_mib: int = Field(gt=0)
    wall_seconds: float = Field(gt=0)
    cpu_seconds: float = Field(gt=0)
    memory_mib: int = Field(ge=32)
    processes: int = Field(ge=1)
    open_files: int = Field(ge=16)
    output_bytes: int = Field(ge=1)
    disk_mib: int = Field(ge=1)
    disk_files: int = Field(ge=16)
    tools: Mapping[str, str] = Field(default_factory=dict)
    modules: tuple[str, ...] = ()
    shown_if_present: tuple[str, ...] = ()
    suffixes: tuple[str, ...] = ()
    build: tuple[str, ...] = ()
    makes: tuple[str, ...] = ()
    run: tuple[str, ...] = ()
    trusted: Trusted | None = None


def profile_names(own: Path | None = None) -> tuple[str, ...]:
    """The profiles that exist, in the order of profiles.toml, the operator's last. Raises `UnsafeProfile`."""
    return (*_rows(_FOLDER), *(_own_rows(own) if own is not None else ()))


def load(name: str, ceilings: Mapping[str, float | int | None], own: Path | None = None) -> Profile:
    """A profile that exists, with the operator's ceilings (field name -> value or None).

    Raises `UnsafeProfile` for one that does not isolate.
    """
    profile = _safe(name, None if name in _rows(_FOLDER) else own)
    limits = {limit: value for limit, value in ceilings.items() if value is not None}
    return replace(profile, limits=replace(profile.limits, **limits))  # type: ignore[arg-type]  # fields checked by LimitsSpec


@cache
def _safe(name: str, own: Path | None) -> Profile:
    row = _rows(_FOLDER)[name] if own is None else _own_rows(own)[name]
    profile = Profile(
        name=name,
        config="\n".join(_part(part, own) for part in row.config),
        loopback=row.loopback,
        address_space_mib=row.address_space_mib,
        limits=Limits(**{each.name: getattr(row, each.name) for each in fields(Limits)}),
        tools=dict(row.tools),
        modules=row.modules,
        shown_if_present=row.shown_if_present,
        recipe=Recipe(row.suffixes, row.build, row.makes, row.run),
        trusted=row.trusted,
    )
    demand_safe(profile)
    return profile


def text(file: str) -> str:
    """A file of `profiles/`."""
    return _read(_FOLDER / file)


def _own_rows(folder: Path) -> Mapping[str, _Row]:
    demand_safe_source(folder)
    demand_safe_source(folder / _TABLE)
    rows = _rows(folder)
    if taken := sorted(set(rows) & set(_rows(_FOLDER))):
        raise UnsafeProfile(f"{folder / _TABLE} names {', '.join(taken)}, which is built in; choose another name.")
    if trusting := sorted(name for name, row in rows.items() if row.trusted is not None):
        raise UnsafeProfile(f"{folder / _TABLE} trusts {', '.join(trusting)}; only what is built in can be trusted.")
    return rows


@cache
def _rows(folder: Path) -> Mapping[str, _Row]:
    try:
        return _Table.model_validate({"profiles": tomllib.loads(_read(folder / _TABLE))}).profiles
    except (tomllib.TOMLDecodeError, ValidationError) as error:
        said = _problems(error) if isinstance(error, ValidationError) else str(error)
        raise UnsafeProfile(f"{folder / _TABLE} cannot be used: {said}.") from None


def _problems(error: ValidationError) -> str:
    return "; ".join(f"{'.'.join(str(key) for key in each['loc'][1:])}: {each['msg']}" for each in error.errors())


def _part(file: str, own: Path | None) -> str:
    """A file of the operator's folder, or else one that is built in."""
    if Path(file).name != file or not file.endswith(".cfg"):
        raise UnsafeProfile(f"The part {file!r} of a profile is not the name of a .cfg file beside its {_TABLE}.")
    if own is None or not (own / file).exists():
        return text(file)
    demand_safe_source(own / file)
    if (_FOLDER / file).exists():
        raise UnsafeProfile(f"{own / file} has the name of a file that is built in; choose another name.")
    return _read(own / file)


@cache
def _read(file: Path) -> str:
    try:
        return file.read_text("utf-8")
    except (OSError, ValueError) as error:  # bytes that are no UTF-8, or a NUL in the name
        raise UnsafeProfile(f"The file {file} of a profile cannot be read: {error}.") from None


class _Table(BaseModel):
    model_config = ConfigDict(extra="forbid")

    profiles: dict[Annotated[str, Field(pattern=_NAME)], _Row]
