"""What every request body has in common: strict types, and nothing unknown is let through.

A field that is null counts as absent, as OpenAI's own API treats it. `explain` turns a validation
error into the one sentence and the field name that the client gets.
"""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Mapping, Sequence
from typing import Annotated, Any, ClassVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator
from pydantic_core import PydanticCustomError

from inference.errors import InvalidRequest, UnsupportedParameter

UNSUPPORTED = UnsupportedParameter.code
INVALID = InvalidRequest.code
LARGEST_COUNT = 2**31 - 1
"""Engines count in 32 bits, and no context comes near."""
_LONGEST_NAME = 64


def _without_lone_surrogates(text: str) -> str:
    try:
        text.encode()
    except UnicodeEncodeError as error:
        raise ValueError("the text is not valid Unicode: it has half of a surrogate pair") from error
    return text


def _can_be_written(value: dict[str, Any]) -> dict[str, Any]:
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except (ValueError, RecursionError) as error:
        raise ValueError("it has something that JSON cannot carry (NaN, infinity, half a surrogate pair)") from error
    return value


Text = Annotated[str, AfterValidator(_without_lone_surrogates)]
AnswerTokens = Annotated[int, Field(ge=1, le=LARGEST_COUNT)]
JsonObject = Annotated[dict[str, Any], AfterValidator(_can_be_written)]


class Body(BaseModel):
    """Base of request shapes: no coercion, no infinities, unknown fields refused with the valid ones listed."""

    model_config = ConfigDict(strict=True, extra="forbid", allow_inf_nan=False, frozen=True)

    null_has_meaning: ClassVar[frozenset[str]] = frozenset()

    @model_validator(mode="before")
    @classmethod
    def _known_fields(cls, data: Any) -> Any:
        if not isinstance(data, dict):
            return data
        given = {key: value for key, value in data.items() if value is not None or key in cls.null_has_meaning}
        valid = {field.alias or name for name, field in cls.model_fields.items()}
        unknown = sorted(str(key) for key in set(given) - valid)
        if unknown:
            raise refused(unknown[0], f"valid here are {', '.join(sorted(valid))}")
        return given


def refused(name: str, why: str) -> PydanticCustomError:
    """The error, for a model's validator, that field `name` is not honoured."""
    return PydanticCustomError(UNSUPPORTED, "{name} {why}", {"name": _shown(name), "why": why})


def check_kind(data: Any, kinds: Collection[str], why: str) -> None:
    """Refuse an object by the name of its `type` if that is none of `kinds`; whatever else is wrong, pydantic says."""
    kind = data.get("type") if isinstance(data, dict) else None
    if isinstance(kind, str) and kind not in kinds:
        raise refused(kind, why)


def invalid(name: str, why: str) -> PydanticCustomError:
    """The error, for a model's validator, that field `name` does not go with the others."""
    return PydanticCustomError(INVALID, "{name} {why}", {"name": name, "why": why})


def _shown(name: str) -> str:
    """A client's own word as an answer can repeat it: short, and printable whatever it was."""
    plain = "".join(
        letter if letter.isprintable() else letter.encode("unicode_escape").decode() for letter in name[:_LONGEST_NAME]
    )
    return plain + "…" * (len(name) > _LONGEST_NAME)


def explain(errors: Sequence[Mapping[str, Any]]) -> InvalidRequest:
    """One sentence for pydantic's list of errors: the deepest one is what the client meant."""
    error = max(errors, key=lambda each: len(each["loc"]))
    kind, path = error["type"], _path(error["loc"])
    if kind == "json_invalid":
        return InvalidRequest(f"The request body is not valid JSON: {error['ctx']['error']}.")
    if kind in (UNSUPPORTED, INVALID):
        path.append(error["ctx"]["name"])
    if not path:
        return InvalidRequest("The request body must be a JSON object, sent with 'content-type: application/json'.")
    name = ".".join(path)
    if kind == UNSUPPORTED:
        return UnsupportedParameter(f"The parameter '{name}' is not supported: {error['ctx']['why']}.", param=name)
    if kind == "missing":
        return InvalidRequest(f"The parameter '{name}' is missing.", param=name)
    why = error["ctx"]["why"] if kind == INVALID else error["msg"].removeprefix("Value error, ")
    return InvalidRequest(f"The parameter '{name}' is not valid: {why}.", param=name)


def _path(location: Sequence[int | str]) -> list[str]:
    """The field's path without FastAPI's name of the place and without pydantic's names of union members."""
    if location and location[0] in {"path", "query", "header"}:
        return [str(location[-1])]
    union_members = {"str", "bool", "int", "float"}
    steps = location[1:] if location[:1] == ("body",) else location
    return [
        str(step)
        for step in steps
        if isinstance(step, int) or (step not in union_members and re.fullmatch(r"[a-z_]+", step))
    ]
