"""Answers become change sets, or say what was wrong with them."""

from __future__ import annotations

import ast
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from codegen.edit import MalformedAnswer, Target, is_safe_path, merge_definitions, patch_from_answer

SOURCE = '''"""Words."""

import re

LIMIT = 3


def first(text):
    return text[0]


@staticmethod
def last(text):
    return text[-1]
'''
TARGET = Target(("words.py", "more.py"), {"words.py": SOURCE})


def block(code: str) -> str:
    return f"Here it is:\n```python\n{code}\n```\nDone."


def test_a_block_replaces_the_definition_of_the_same_name_and_keeps_the_rest() -> None:
    patch = patch_from_answer(block("def last(text):\n    return text.strip()[-1]"), TARGET)
    changed = patch.changes["words.py"]
    assert changed is not None
    assert changed == SOURCE.replace("@staticmethod\n", "").replace("text[-1]", "text.strip()[-1]")


def test_a_new_definition_goes_to_the_end_and_its_imports_to_the_imports() -> None:
    changed = merge_definitions(SOURCE, "import json\nimport re\n\ndef dump(x):\n    return json.dumps(x)")
    assert "import re\nimport json\n\nLIMIT" in changed
    assert changed.endswith("\n\n\ndef dump(x):\n    return json.dumps(x)\n")
    assert changed.count("import re") == 1


def test_examples_and_prints_of_the_block_are_left_out() -> None:
    changed = merge_definitions("", "def one():\n    return 1\n\nprint(one())\nassert one() == 1")
    assert changed == "def one():\n    return 1\n"


def test_of_two_definitions_of_a_name_the_last_counts() -> None:
    changed = merge_definitions(SOURCE, "def first(t):\n    return 1\n\ndef first(t):\n    return 2")
    assert changed.count("def first") == 1
    assert "return 2" in changed


def test_a_file_without_imports_gets_them_after_its_docstring() -> None:
    changed = merge_definitions('"""Doc."""\n\nX = 1\n', "import os\n\ndef cwd():\n    return os.getcwd()")
    assert changed == '"""Doc."""\n\nimport os\n\n\nX = 1\n\n\ndef cwd():\n    return os.getcwd()\n'


def test_lines_are_counted_as_python_counts_them() -> None:
    source = 'RULE = "a\u2028b"\n\x0c\n\ndef one():\n    return 1\n\n\ndef two():\n    return 2\n'
    changed = merge_definitions(source, "def one():\n    return '\x0c\u2028'")
    assert changed == source.replace("return 1", "return '\x0c\u2028'")
    with_import = merge_definitions('"""Doc."""\n\x0c\nX = 1', "import os\n\ndef cwd():\n    return os.getcwd()")
    assert with_import.startswith('"""Doc."""\n\nimport os\n\n\n\x0c\nX = 1\n\n\ndef cwd')


def test_a_file_keeps_its_line_ends() -> None:
    source = SOURCE.replace("\n", "\r\n")
    changed = merge_definitions(source, "import json\n\ndef first(text):\n    return 1\n\ndef new():\n    return json")
    assert changed.count("\n") == changed.count("\r\n") == len(changed.splitlines())
    assert "def first(text):\r\n    return 1\r\n" in changed
    mixed = "A = 1\r\nB = 2\nC = 3\r\n"
    assert merge_definitions(mixed, "C = 4") == "A = 1\r\nB = 2\nC = 4\r\n"
    whole = patch_from_answer(block("# file: words.py\nX = 1"), Target(("words.py",), {"words.py": source}))
    assert whole.changes == {"words.py": "X = 1\r\n"}


def test_a_last_line_without_an_end_gets_one() -> None:
    assert merge_definitions("import re", "import os\nX = os") == "import re\nimport os\n\n\nX = os\n"


def test_whole_files_are_named_by_their_first_line() -> None:
    answer = block("# file: words.py\nX = 1") + "\n" + block("# file: more.py\nY = 2")
    assert patch_from_answer(answer, TARGET).changes == {"words.py": "X = 1\n", "more.py": "Y = 2\n"}


@pytest.mark.parametrize("fence", ["", "```json\n"])
def test_a_json_change_set_is_understood_with_and_without_a_fence(fence: str) -> None:
    files = {"files": [{"path": "words.py", "content": None}, {"path": "more.py", "content": "Y = 2\n"}]}
    answer = fence + json.dumps(files) + ("\n```" if fence else "")
    assert patch_from_answer(answer, TARGET).changes == {"words.py": None, "more.py": "Y = 2\n"}


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        ("Sorry, I cannot.", "no code block"),
        (block("def broken(:"), "not valid Python"),
        (block("print('hello')"), "defines no function"),
        (block("# file: ../etc/passwd\nx"), "not a path inside"),
        (block("# file: other.py\nx = 1"), "may not be changed"),
        ('{"files": [{"path": "words.py"}]}', "not a JSON change set"),
        (block(SOURCE), "changes nothing"),
    ],
)
def test_what_cannot_be_read_is_said(answer: str, problem: str) -> None:
    with pytest.raises(MalformedAnswer, match=problem):
        patch_from_answer(answer, TARGET)


@pytest.mark.parametrize(
    "path", ["", "/etc/passwd", "../x", "a/../b", "a//b", ".git/config", "a/.GIT/x", "a\\b", "a\0b"]
)
def test_unsafe_paths(path: str) -> None:
    assert not is_safe_path(path)


@given(st.lists(st.sampled_from(["alpha", "beta", "gamma", "delta"]), unique=True), st.integers(0, 9))
def test_merging_keeps_every_definition_and_always_parses(names: list[str], value: int) -> None:
    source = "\n\n".join(f"def {name}():\n    return 0" for name in names)
    merged = ast.parse(merge_definitions(source, f"import os\n\ndef beta():\n    return {value}"))
    defined = [node.name for node in merged.body if isinstance(node, ast.FunctionDef)]
    assert sorted(defined) == sorted({*names, "beta"})
