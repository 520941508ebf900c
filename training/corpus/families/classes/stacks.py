"""Stacks, queues and histories."""

from __future__ import annotations

from training.corpus.clauses import when_it_fails
from training.corpus.families.classes.methods import refused, stop
from training.corpus.registry import family
from training.corpus.types import Names, Rule, Task


def stack_says(push: str, pop: str, peek: str, kind: str) -> tuple[str, ...]:
    order = "last in, first out" if kind == "stack" else "first in, first out"
    which = "the one added last" if kind == "stack" else "the one added first"
    return (
        (
            f"keep items ({order}): `{push}(item)` adds one, `{pop}()` removes and returns {which}, `{peek}()` "
            "returns it without removing"
        ),
        (
            f"hold items with `{push}(item)` to add, `{pop}()` to take out {which} and `{peek}()` to look at it "
            f"({order})"
        ),
        (
            f"be a {kind} with the methods `{push}(item)`, `{pop}()` and `{peek}()`; the last two return {which}, "
            f"only `{pop}` removes it"
        ),
        (
            f"store items, {order}, with `{push}(item)`, `{pop}()`, which removes and returns {which}, and "
            f"`{peek}()`, which only returns it"
        ),
        (
            f"manage a {kind}: add with `{push}(item)`, remove and return {which} with `{pop}()`, and see it with "
            f"`{peek}()`"
        ),
        (
            f"provide `{push}(item)` for adding, `{pop}()` for removing and `{peek}()` for reading {which}, in the "
            f"manner {order}"
        ),
    )


def stack_rules(empty: str, limit: str) -> tuple[Rule, ...]:
    return (
        when_it_fails("there are no items", empty),
        *(
            []
            if limit == "none"
            else [
                (
                    f"It holds at most {limit} items; one more raises a ValueError.",
                    f"Raise a ValueError when an item is added to {limit} others.",
                    f"With {limit} items it is full, and adding raises ValueError.",
                )
            ]
        ),
    )


def stack_tests(n: Names, empty: str, limit: str, kind: str, index: str) -> tuple[str, ...]:
    c, push, pop, peek = n

    def test(count: int, takes: int, call: str) -> str:
        lines = [f"s = {c}()", *(f"s.{push}({i})" for i in range(count)), *(f"s.{pop}()" for _ in range(takes))]
        left = list(range(count))[: count - takes] if kind == "stack" else list(range(count))[takes:]
        setup = "\n".join(lines)
        if not left:
            return refused(setup, f"s.{call}()", empty)
        return f"{setup}\nassert s.{call}() == {left[int(index)]}"

    fill = f"s = {c}()\nfor i in range({{}}):\n    s.{push}(i)\n"
    tests = [
        test(0, 0, pop),
        test(0, 0, peek),
        test(1, 0, pop),
        test(1, 0, peek),
        test(3, 0, pop),
        test(3, 0, peek),
        test(3, 1, pop),
        test(3, 2, peek),
        test(2, 2, pop),
    ]
    if limit == "none":
        tests += [fill.format(6) + f"assert s.{peek}() == {5 if kind == 'stack' else 0}"]
    else:
        tests += [
            f"{fill.format(limit)}with raises(ValueError):\n    s.{push}(9)",
            fill.format(limit) + f"assert s.{pop}() == {int(limit) - 1 if kind == 'stack' else 0}",
        ]
    tests += [
        f"s = {c}()\nt = {c}()\ns.{push}(4)\nt.{push}(5)\nassert [s.{pop}(), t.{pop}()] == [4, 5]",
        (
            f"s = {c}()\ns.{push}(7)\ns.{push}(8)\ns.{peek}()\n"
            f"assert [s.{pop}(), s.{pop}()] == {[8, 7] if kind == 'stack' else [7, 8]}"
        ),
    ]
    return tuple(tests)


@family(
    "Stack Pile Heap Tower",
    "push add put lay",
    "pop take remove lift",
    "peek top look last_item",
    empty=("None", "IndexError", "ValueError"),
    limit=("none", "3", "5"),
    kind=("stack", "queue"),
)
def stack(n: Names, empty: str, limit: str, kind: str) -> Task:
    c, push, pop, peek = n
    index = "-1" if kind == "stack" else "0"
    take = "self.items.pop()" if kind == "stack" else "self.items.pop(0)"
    full = "" if limit == "none" else stop(f"len(self.items) >= {limit}", "ValueError", "it is full")
    return Task(
        says=stack_says(push, pop, peek, kind),
        rules=stack_rules(empty, limit),
        code=f"""
class {c}:
    def __init__(self):
        self.items = []

    def {push}(self, item):
{full}        self.items.append(item)

    def {pop}(self):
{stop("not self.items", empty, "no items")}        return {take}

    def {peek}(self):
{stop("not self.items", empty, "no items")}        return self.items[{index}]
""",
        tests=stack_tests(n, empty, limit, kind, index),
    )


def history_says(put: str, undo: str, value: str, redo: bool) -> tuple[str, ...]:
    extra = " and `redo()` to undo the undoing" if redo else ""
    return (
        (
            f"hold a text, empty at first: `{put}(text)` replaces it, `{undo}()` brings back the one before, "
            f"`{value}()` returns it{extra.replace(' and', ';')}"
        ),
        (
            f"keep a text with `{put}(text)` to change it, `{undo}()` to take back the last change and `{value}()` "
            f"to read it{extra}"
        ),
        (
            f"store a text (first an empty one) with the methods `{put}(text)`, `{undo}()` for the previous one "
            f"and `{value}()`{extra}"
        ),
        (
            f"remember earlier texts: `{put}(text)` sets a new one, `{undo}()` returns to the one before and "
            f"`{value}()` reads it{extra.replace(' and', ';')}"
        ),
        (
            f"provide `{put}(text)`, `{undo}()`, which goes back to the text before, and `{value}()` for a text "
            f"that starts empty{extra}"
        ),
        (
            f"manage a text that is empty at the start; `{put}(text)` sets it, `{undo}()` reverts the last change, "
            f"`{value}()` gives it{extra.replace(' and', ';')}"
        ),
    )


def history_rules(put: str, limit: str, empty: str, redo: bool) -> tuple[Rule, ...]:
    return (
        when_it_fails("there is nothing to take back" + (" or to redo" if redo else ""), empty),
        *(
            []
            if limit == "none"
            else [
                (
                    f"Only the last {limit} changes can be taken back.",
                    f"Remember at most {limit} earlier texts.",
                    f"At most {limit} changes can be undone.",
                )
            ]
        ),
        *(
            [
                (
                    f"`{put}` ends the chance to redo.",
                    f"After `{put}` nothing can be redone.",
                    f"With `{put}`, forget what could be redone.",
                )
            ]
            if redo
            else []
        ),
    )


def history_tests(n: Names, limit: str, empty: str, redo: bool) -> tuple[str, ...]:
    c, put, undo, value = n

    def test(moves: str, call: str = "") -> str:
        past: list[str] = []
        future: list[str] = []
        now = ""
        lines = [f"h = {c}()"]
        for move in moves:
            if move == "<":
                future.append(now)
                now = past.pop()
                lines.append(f"h.{undo}()")
            elif move == ">":
                past.append(now)
                now = future.pop()
                lines.append("h.redo()")
            else:
                past = [*past, now][-int(limit) :] if limit != "none" else [*past, now]
                future, now = [], move
                lines.append(f'h.{put}("{move}")')
        return refused("\n".join(lines), call, empty) if call else "\n".join([*lines, f'assert h.{value}() == "{now}"'])

    cap = 4 if limit == "none" else int(limit)
    tests = [
        test(""),
        test("", f"h.{undo}()"),
        test("a"),
        test("a<"),
        test("ab<"),
        test("abc<<"),
        test("abcde" + "<" * min(cap, 4)),
        test("ab<c"),
        test("ab<c<"),
        test("xyz<<"),
    ]
    tests += [
        test("a<", f"h.{undo}()"),
        test("abcde" + "<" * cap, f"h.{undo}()") if limit != "none" else test("abcde<<<<<"),
    ]
    if limit != "none" and empty != "ValueError":
        lines = test("abcde" + "<" * cap).splitlines()
        tests.append("\n".join([*lines[:-1], f"h.{undo}()", lines[-1]]))
    if redo:
        tests += [test("ab<>"), test("ab<<>>"), test("ab", "h.redo()"), test("ab<c", "h.redo()")]
    return tuple(tests)


@family(
    "History Editor UndoList Versions",
    "set change write save",
    "undo back revert previous",
    "value text current read",
    limit=("none", "2", "3"),
    empty=("None", "ValueError", "False"),
    redo=(False, True),
)
def history(n: Names, limit: str, empty: str, redo: bool) -> Task:
    c, put, undo, value = n
    trim = "" if limit == "none" else f"        self.past = self.past[-{limit}:]\n"
    lost = "        self.future = []\n" if redo else ""
    keep = "        self.future.append(self.now)\n" if redo else ""
    again = (
        f"""
    def redo(self):
{stop("not self.future", empty, "nothing to redo")}        self.past.append(self.now)
        self.now = self.future.pop()
"""
        if redo
        else ""
    )
    return Task(
        says=history_says(put, undo, value, redo),
        rules=history_rules(put, limit, empty, redo),
        code=f"""
class {c}:
    def __init__(self):
        self.past = []
        self.now = ""
{"        self.future = []" + chr(10) if redo else ""}
    def {put}(self, text):
        self.past.append(self.now)
{trim}{lost}        self.now = text

    def {undo}(self):
{stop("not self.past", empty, "nothing to undo")}{keep}        self.now = self.past.pop()
{again}
    def {value}(self):
        return self.now
""",
        tests=history_tests(n, limit, empty, redo),
    )
