"""A model's answer becomes a change set, or a problem that says what was wrong with it.

Three forms are understood, told apart by the answer itself: a JSON change set
({"files": [{"path": ..., "content": ...}]}), fenced blocks that begin with a `# file: path` line
(whole files), and one plain Python block whose definitions are merged into the target file.
Nothing is applied to any checkout here.
"""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import PurePosixPath

from codegen.protocol import Patch
from retrieval.chunk import split_lines

_FENCE = re.compile(r"^```[ \t]*(?P<language>[\w+-]*)[ \t]*\n(?P<body>.*?)^```[ \t]*$", re.MULTILINE | re.DOTALL)
_FILE_LINE = re.compile(r"\A#\s*file:\s*(?P<path>\S+)\s*\n")
_IMPORT = ast.Import | ast.ImportFrom
_DEFINITION = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef


class MalformedAnswer(ValueError):
    """The answer cannot be read as a change; the message goes back to the model."""


@dataclass(frozen=True, slots=True)
class Target:
    """Where an answer may go: the allowed paths (the first takes a plain block) and their contents now."""

    paths: tuple[str, ...]
    contents: Mapping[str, str]


def patch_from_answer(answer: str, target: Target) -> Patch:
    """Read an answer. Raises `MalformedAnswer`."""
    changes: dict[str, str | None]
    if whole := _json_changes(answer) or _named_blocks(answer):
        changes = {path: _with_ends_of(target.contents.get(path, ""), text) for path, text in whole.items()}
    else:
        path = target.paths[0]
        changes = {path: merge_definitions(target.contents.get(path, ""), _blocks(answer)[0])}
    for path in changes:
        if not is_safe_path(path):
            raise MalformedAnswer(f"{path!r} is not a path inside the repository.")
        if path not in target.paths:
            raise MalformedAnswer(f"{path} may not be changed by this task; allowed: {', '.join(target.paths)}.")
    changed = {path: text for path, text in changes.items() if target.contents.get(path) != text}
    if not changed:
        raise MalformedAnswer("The answer changes nothing.")
    return Patch(changed)


def is_safe_path(path: str) -> bool:
    """A relative POSIX path that stays inside the repository and out of git's own folder."""
    parts = PurePosixPath(path).parts
    clean = path == "/".join(parts) and "\0" not in path and "\\" not in path and path.isprintable()
    return clean and bool(parts) and not path.startswith("/") and not {"..", ".", ".git"} & {p.lower() for p in parts}


def _json_changes(answer: str) -> dict[str, str | None] | None:
    """The files of a JSON change set; None when the answer is not one."""
    text = answer.strip()
    if fenced := _FENCE.fullmatch(text):
        text = fenced["body"].strip()
    if not text.startswith("{"):
        return None
    try:
        files = json.loads(text)["files"]
        return {str(file["path"]): None if file["content"] is None else str(file["content"]) for file in files}
    except (ValueError, KeyError, TypeError) as error:
        raise MalformedAnswer(f"The answer is not a JSON change set with files of path and content: {error}.") from None


def _named_blocks(answer: str) -> dict[str, str | None]:
    """The whole files among the blocks of an answer."""
    return {match["path"]: block[match.end() :] for block in _blocks(answer) if (match := _FILE_LINE.match(block))}


def code_blocks(answer: str) -> list[str]:
    """What stands in the fences of an answer, in order."""
    return [match["body"] for match in _FENCE.finditer(answer)]


def _blocks(answer: str) -> list[str]:
    blocks = code_blocks(answer)
    if not blocks:
        raise MalformedAnswer("The answer has no code block.")
    return blocks


def _line_end(text: str) -> str:
    """How the lines of a file end, going by its first."""
    return "\r\n" if text.partition("\n")[0].endswith("\r") else "\n"


def _with_ends_of(old: str, text: str | None) -> str | None:
    """A file's new text with the line ends of its old one."""
    return text if text is None else text.replace("\r\n", "\n").replace("\n", _line_end(old))


def merge_definitions(source: str, block: str) -> str:
    """`source` with the block's functions and classes put in place of those of the same name, or at its end.

    Imports that `source` lacks go after its own; other statements of the block (examples, prints) are
    left out unless they assign a name. Every other line of `source` stays as it is, its end included.
    Raises `MalformedAnswer` when either does not parse.
    """
    new, old = _parse(block, "The code block"), _parse(source, "The file to change")
    imports, statements = _sorted_out(new)
    if not statements:
        raise MalformedAnswer("The code block defines no function, class or constant.")
    spans = {_name(node): _span(node) for node in old.body if _name(node)}
    # Lines as Python counts them: a form feed or U+2028 ends none. The last one may have no end yet.
    end, lines, block_lines = _line_end(source), split_lines(source), _bare_lines(block)
    lines[-1:] = [line.rstrip("\r\n") + end for line in lines[-1:]]
    edits = [(*spans[_name(node)], _text(block_lines, node)) for node in statements if _name(node) in spans]
    edits.append(_import_edit(old, lines, imports))
    for first, last, replacement in sorted(edits, reverse=True):
        lines[first - 1 : last] = [line + end for line in replacement]
    added = [end.join(_text(block_lines, node)) for node in statements if _name(node) not in spans]
    return (end * 3).join(filter(None, ["".join(lines).strip("\r\n"), *added])) + end


def _import_edit(old: ast.Module, lines: Sequence[str], imports: Sequence[ast.stmt]) -> tuple[int, int, Sequence[str]]:
    """Which lines to replace by the missing imports: none of them after other imports, else the gap after the head."""
    present = {ast.dump(node): node.end_lineno or 0 for node in old.body if isinstance(node, _IMPORT)}
    missing = [ast.unparse(node) for node in imports if ast.dump(node) not in present]
    after = max(present.values(), default=_docstring_end(old))
    if present or not missing:
        return after + 1, after, missing
    gap_end = after
    while gap_end < len(lines) and not lines[gap_end].strip(" \t\r\n"):
        gap_end += 1
    return after + 1, gap_end, [*([""] if after else []), *missing, "", ""]


def _docstring_end(module: ast.Module) -> int:
    first = module.body[0] if module.body else None
    is_docstring = isinstance(first, ast.Expr) and isinstance(first.value, ast.Constant)
    return (first.end_lineno or 0) if first is not None and is_docstring else 0


def _parse(code: str, what: str) -> ast.Module:
    try:
        return ast.parse(code)
    except (SyntaxError, ValueError) as error:
        raise MalformedAnswer(f"{what} is not valid Python: {error}.") from None


def _sorted_out(module: ast.Module) -> tuple[list[ast.stmt], list[ast.stmt]]:
    """Imports and definitions; of two definitions of a name the last counts, as it does in Python."""
    # A future import would have to come first, and generated code runs without it.
    imports: list[ast.stmt] = [
        node for node in module.body if isinstance(node, _IMPORT) and getattr(node, "module", "") != "__future__"
    ]
    return imports, list({_name(node): node for node in module.body if _name(node)}.values())


def _name(node: ast.stmt) -> str:
    """What a top-level statement defines; empty for statements that define nothing."""
    if isinstance(node, _DEFINITION):
        return node.name
    targets = node.targets if isinstance(node, ast.Assign) else [node.target] if isinstance(node, ast.AnnAssign) else []
    names = [target.id for target in targets if isinstance(target, ast.Name)]
    return names[0] if names else ""


def _span(node: ast.stmt) -> tuple[int, int]:
    """First and last line (1-based), decorators included."""
    decorators = node.decorator_list if isinstance(node, _DEFINITION) else []
    return min([node.lineno, *(d.lineno for d in decorators)]), node.end_lineno or node.lineno


def _bare_lines(text: str) -> list[str]:
    return [line.rstrip("\r\n") for line in split_lines(text)]


def _text(lines: Sequence[str], node: ast.stmt) -> Sequence[str]:
    start, end = _span(node)
    return lines[start - 1 : end]
