"""Cuts the text of a file into passages: Python by its syntax, everything else by its lines.

The passages of a file, put one after the other, are the file: no line is lost and none is in two.
Pure functions, no reading of files; the index calls them, and so may whoever needs a named file in passages.
"""

from __future__ import annotations

import ast
import re
import warnings
from bisect import bisect_left, bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import pairwise

from retrieval.protocol import Passage

MAX_CHARACTERS = 6000
"""Longest passage unless a single line is longer: about 60 full lines."""

_LINE = re.compile(r"[^\r\n]*(?:\r\n|\r|\n)|[^\r\n]+")
_HEADING = re.compile(
    r"^\s*(?:(?:export|default|pub(?:\([a-z]+\))?|public|private|protected|static|abstract|final|async|unsafe|inline)\s+)*"
    r"(?:def|class|func|function|fn|struct|interface|trait|type|enum|module|namespace)\s+(?:\([^)]*\)\s*)?(\w+)"
    r"|^#{1,6}\s+(.+)$"
)


@dataclass(frozen=True, slots=True)
class _Definition:
    """Lines `start` to `end` (1-based, inclusive) define `name`; `apart` asks for a passage of its own."""

    name: str
    start: int
    end: int
    apart: bool


def chunk(path: str, text: str, max_lines: int = 60) -> list[Passage]:
    """The passages of a file in order, each at most `max_lines` long; none if the text is blank. Score is 0."""
    lines = split_lines(text)
    definitions = _python(text, lines, max_lines) if path.endswith((".py", ".pyi")) else None
    if definitions is None:
        definitions = _headings(lines)
    heads = [definition.start for definition in definitions]
    owners: list[str | None] = [None] * (len(lines) + 1)
    for definition in definitions:  # in order of their start, so inner ones come last and win
        owners[definition.start : definition.end + 1] = [definition.name] * (definition.end + 1 - definition.start)

    passages: list[Passage] = []
    for start, end in _spans(lines, definitions, max_lines):
        inside = definitions[bisect_left(heads, start) : bisect_right(heads, end)]
        names = (owners[start], *(definition.name for definition in inside))
        symbols = tuple(dict.fromkeys(name for name in names if name is not None))
        passages.append(Passage(path, start, end, "".join(lines[start - 1 : end]), symbols, 0.0))
    return passages


def split_lines(text: str) -> list[str]:
    """The lines of a text with their ends, counted as editors and Python count them (not as `str.splitlines`)."""
    return _LINE.findall(text)


def _python(text: str, lines: Sequence[str], max_lines: int) -> list[_Definition] | None:
    """The definitions in Python source in order of their start, or None if it cannot be parsed."""
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # an old escape in somebody's string is not our news
            tree = ast.parse(text)
        return list(_definitions(tree, "", _Place(lines, max_lines, apart=True)))
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return None


@dataclass(frozen=True, slots=True)
class _Place:
    """Where definitions are being collected: `apart` is false inside functions and short classes."""

    lines: Sequence[str]
    max_lines: int
    apart: bool


def _definitions(parent: ast.AST, prefix: str, place: _Place) -> Iterator[_Definition]:
    floor = getattr(parent, "lineno", 0)
    for node in ast.iter_child_nodes(parent):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            end = node.end_lineno or node.lineno
            start = _with_comments(node, floor, place.lines)
            yield _Definition(prefix + node.name, start, end, place.apart)
            apart = place.apart and isinstance(node, ast.ClassDef) and end - start >= place.max_lines
            yield from _definitions(node, f"{prefix}{node.name}.", _Place(place.lines, place.max_lines, apart))
            floor = end
        elif isinstance(node, ast.stmt | ast.excepthandler | ast.match_case):
            yield from _definitions(node, prefix, place)
            floor = getattr(node, "end_lineno", floor)


def _with_comments(
    node: ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef, floor: int, lines: Sequence[str]
) -> int:
    """The first line of a definition with its decorators and the comments right above, below line `floor`."""
    start = min([node.lineno, *(decorator.lineno for decorator in node.decorator_list)])
    while start - 1 > floor and lines[start - 2].lstrip().startswith("#"):
        start -= 1
    return start


def _headings(lines: Sequence[str]) -> list[_Definition]:
    """What looks like a definition or a Markdown heading; each lasts until the next."""
    found = [(number, match[1] or match[2]) for number, line in enumerate(lines, 1) if (match := _HEADING.match(line))]
    ends = [number - 1 for number, _ in found[1:]] + [len(lines)]
    return [_Definition(name.strip(), start, end, False) for (start, name), end in zip(found, ends, strict=False)]


def _spans(lines: Sequence[str], definitions: Sequence[_Definition], max_lines: int) -> Iterator[tuple[int, int]]:
    """Spans that cover every line once; what is set apart begins a span, and so does what follows it."""
    content = _past_blanks(lines, 1)
    if content > len(lines):
        return
    cuts = {1, len(lines) + 1}
    for definition in definitions:
        if definition.apart:
            cuts |= {definition.start, _past_blanks(lines, definition.end + 1)} - {content}
    heads = {definition.start for definition in definitions}
    ordered = sorted(cuts)
    for start, stop in pairwise(ordered):
        while start < stop:
            following = _window(lines, (start, stop), heads, max_lines)
            yield start, following - 1
            start = following


def _window(lines: Sequence[str], span: tuple[int, int], heads: set[int], max_lines: int) -> int:
    """Where the passage that begins at `span[0]` ends (exclusive): at `span[1]` or at the best line before.

    Best is a definition, then a line after a blank one, then the least indented, then the last. Blank lines
    go with the passage before them and do not count.
    """
    start, stop = span
    first = _past_blanks(lines, start)
    limit, room = first + 1, MAX_CHARACTERS - len(lines[first - 1])
    while limit < stop and limit < first + max_lines and room >= len(lines[limit - 1]):
        room -= len(lines[limit - 1])
        limit += 1
    if _past_blanks(lines, limit) >= stop:
        return stop

    def quality(number: int) -> tuple[bool, bool, int, int]:
        line, before = lines[number - 1], lines[number - 2]
        return number in heads, not before.strip(), len(line.strip() and line.lstrip()) - len(line), number

    return _past_blanks(lines, max(range((first + limit) // 2 + 1, limit + 1), key=quality, default=limit))


def _past_blanks(lines: Sequence[str], number: int) -> int:
    """The first line from `number` on that is not blank, or one past the last."""
    while number <= len(lines) and not lines[number - 1].strip():
        number += 1
    return number
