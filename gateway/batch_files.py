"""The two files of a batch: questions that are read, and answers, of which nothing that is not ours is ever lost."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from gateway.problems import BatchProblem

_FIELDS = {"id", "custom_id", "response", "error"}
_BEGINNING = b'{"id": "'


def read_questions(source: Path) -> list[tuple[int, str]]:
    """(line number, text) of every line that is not blank. Raises `BatchProblem`."""
    try:
        text = source.read_text(encoding="utf-8")
    except OSError as error:
        raise BatchProblem(f"{source} cannot be read: {error.strerror}.") from None
    except UnicodeDecodeError:
        raise BatchProblem(f"{source} is not UTF-8 text.") from None
    lines = [(number, line) for number, line in enumerate(text.split("\n"), 1) if line.strip()]
    ids = Counter(custom_id for _, line in lines if (custom_id := custom_id_of(line)) is not None)
    if repeated := [custom_id for custom_id, times in ids.items() if times > 1]:
        raise BatchProblem(f"{source} has custom_id {repeated[0]!r} more than once; each line needs its own.")
    return lines


def custom_id_of(line: str) -> str | None:
    """The id of a line, as far as it can be read and written again."""
    found = _parsed(line)
    custom_id = found.get("custom_id") if isinstance(found, dict) else None
    try:
        return custom_id if isinstance(custom_id, str) and custom_id.encode() else None
    except UnicodeEncodeError:
        return None


def keep_answered(source: Path, target: Path) -> set[str]:
    """Ids that have an answer in `target`. Errors and a torn last line are dropped from it, to be tried again.

    Raises `BatchProblem`, and changes nothing, when anything else is in the file.
    """
    if not target.exists():
        return set()
    if target.samefile(source):
        raise BatchProblem(f"{target} would be both the questions and the answers; name another file for the answers.")
    kept = dict(_answered(target))
    fresh = target.with_name(target.name + ".unfinished")
    fresh.write_bytes(b"".join(line + b"\n" for line in kept.values()))
    fresh.replace(target)
    return set(kept)


def _answered(target: Path) -> Iterator[tuple[str, bytes]]:
    *lines, rest = target.read_bytes().split(b"\n")
    if _parsed(rest) is not None or not (rest.startswith(_BEGINNING) or _BEGINNING.startswith(rest)):
        lines.append(rest)  # not what a kill in the middle of a write leaves
    for number, line in enumerate(lines, 1):
        answer = _parsed(line)
        if line.strip() and not (isinstance(answer, dict) and set(answer) == _FIELDS):
            raise BatchProblem(
                f"{target} is there already, and line {number} of it is no answer of a batch; "
                "name another file for the answers. Nothing was changed."
            )
        if answer and answer["error"] is None and isinstance(answer["custom_id"], str):
            yield answer["custom_id"], line


def _parsed(line: str | bytes) -> Any:
    """The JSON of a line; None for what is none."""
    try:
        return json.loads(line)
    except (ValueError, RecursionError):
        return None
