from __future__ import annotations

import ast
from pathlib import Path
from textwrap import dedent

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from retrieval.chunk import MAX_CHARACTERS, chunk, split_lines
from retrieval.protocol import Passage

ROOT = Path(__file__).parents[2]
OWN_SOURCES = sorted(path for package in ("retrieval", "inference") for path in (ROOT / package).rglob("*.py"))

FRAGMENTS = ("", "", "  ", "x = 1", "# why", "@wrap", "def f():", "class A:", "    def g(self):", "        return 1")
ODD = (
    "    # in",
    '"""',
    "    pass",
    "if x:",
    "else:",
    "# Title",
    "func main() {",
    "}",
    "\f",
    "y = '\x0b'",
    "async def h(a,",
)
LINES = st.sampled_from(FRAGMENTS + ODD)
TEXTS = st.builds(
    lambda lines, end: end.join(lines), st.lists(LINES, max_size=80), st.sampled_from(["\n", "\r\n", "\r"])
) | st.text(max_size=300)


def assert_covers(text: str, passages: list[Passage], max_lines: int) -> None:
    lines = split_lines(text)
    assert "".join(lines) == text
    assert "".join(passage.text for passage in passages) == (text if text.strip() else "")
    following = 1
    for passage in passages:
        assert passage.start_line == following
        following = passage.end_line + 1
        assert passage.text == "".join(lines[passage.start_line - 1 : passage.end_line])
        content = [number for number, line in enumerate(split_lines(passage.text)) if line.strip()]
        assert content[-1] - content[0] < max_lines
    assert not passages or following == len(lines) + 1


@settings(deadline=None)
@example("\n\ndef f(): ...\n", "a.py", 5)
@given(TEXTS, st.sampled_from(["a.py", "a.go", "README.md"]), st.integers(5, 30))
def test_passages_put_together_are_the_file(text: str, path: str, max_lines: int) -> None:
    assert_covers(text, chunk(path, text, max_lines), max_lines)


@pytest.mark.parametrize("path", OWN_SOURCES, ids=lambda path: str(path.relative_to(ROOT)))
def test_every_definition_of_our_own_sources_is_found_whole_or_split(path: Path) -> None:
    text = path.read_text()
    passages = chunk(path.name, text, 60)
    assert_covers(text, passages, 60)
    for node in ast.parse(text).body:
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            holders = [passage for passage in passages if node.name in passage.symbols]
            assert holders, f"{node.name} is in no passage"
            if node.end_lineno is not None and node.end_lineno - node.lineno < 55:
                assert [passage for passage in holders if passage.start_line <= node.lineno <= passage.end_line]
                assert holders[0].end_line >= node.end_lineno


def spans(path: str, text: str, max_lines: int = 60) -> list[tuple[int, int, tuple[str, ...]]]:
    return [(p.start_line, p.end_line, p.symbols) for p in chunk(path, dedent(text).lstrip("\n"), max_lines)]


def test_python_goes_by_definitions_with_their_comments_and_decorators() -> None:
    text = '''
        """Head."""
        import os
        LIMIT = 3

        # Explains f,
        # on two lines.
        @cache
        def f():
            def inner(): ...

        class A:
            def m(self): ...
        if LIMIT:
            print(os)
    '''
    assert spans("a.py", text) == [
        (1, 4, ()),
        (5, 10, ("f", "f.inner")),
        (11, 12, ("A", "A.m")),
        (13, 14, ()),
    ]


def test_a_long_class_is_split_by_method_and_a_long_function_by_lines() -> None:
    body = "\n".join(f"        x{i} = {i}" for i in range(8))
    head = "class A:\n    '''Doc.'''\n\n    def short(self): ...\n\n    # Long.\n    def long(self):\n"
    text = f"{head}{body}\n\nTAIL = 1\n"
    assert [(start, end, symbols) for start, end, symbols in spans("a.py", text, 6)] == [
        (1, 3, ("A",)),
        (4, 5, ("A.short",)),
        (6, 11, ("A.long",)),
        (12, 16, ("A.long",)),
        (17, 17, ()),
    ]


def test_what_looks_like_a_comment_inside_a_string_is_left_in_it() -> None:
    assert spans("a.py", 'TEXT = """\n# Title"""\ndef f(): ...\n') == [(1, 2, ()), (3, 3, ("f",))]


def test_definitions_under_a_condition_are_found() -> None:
    text = """
        try:
            import fast
        except ImportError:
            def fallback(): ...
        else:
            def quick(): ...
    """
    assert [symbols for *_, symbols in spans("a.py", text)] == [(), ("fallback",), (), ("quick",)]


def test_broken_python_is_cut_by_lines_that_look_like_definitions() -> None:
    body = "\n".join(f"    y = {i}" for i in range(4))
    text = f"def one(:\n{body}\n\ndef two():\n{body}\n"
    assert spans("a.py", text, 8) == [(1, 6, ("one",)), (7, 11, ("two",))]


def test_other_languages_and_documents_have_symbols() -> None:
    assert spans("a.go", "package a\n\nfunc (s *Server) Listen() {\n}\n") == [(1, 4, ("Listen",))]
    assert spans("a.rs", "pub(crate) async fn poll_next() {}\n") == [(1, 1, ("poll_next",))]
    assert spans("a.md", "# Guide\n\nText.\n\n## Set up\n") == [(1, 5, ("Guide", "Set up"))]


def test_windows_end_before_a_blank_line_or_the_least_indented_one() -> None:
    text = "a\n" * 4 + "\n" + "b\n" * 4
    assert [(start, end) for start, end, _ in spans("a.txt", text, 7)] == [(1, 5), (6, 9)]


def test_a_passage_is_bounded_in_characters_too() -> None:
    line = "z" * 999 + "\n"
    passages = chunk("a.txt", line * 20, 60)
    assert_covers(line * 20, passages, 60)
    assert all(len(passage.text) <= MAX_CHARACTERS for passage in passages)
    assert len(chunk("b.txt", "z" * (2 * MAX_CHARACTERS), 60)) == 1


def test_odd_sources_are_cut_all_the_same() -> None:
    escapes = 'pattern = "\\d"\n\n\ndef f(): ...\n'  # a warning to the compiler, none to us
    assert [passage.symbols for passage in chunk("a.py", escapes)] == [(), ("f",)]
    chain = "if x == 0: pass\n" + "".join(f"elif x == {i}: pass\n" for i in range(3000))
    assert_covers(chain, chunk("b.py", chain), 60)
    nested = "(" * 5000 + ")" * 5000
    assert len(chunk("c.py", nested)) == 1
    assert chunk("d.py", "\n \n\t\n") == chunk("e.py", "") == []
