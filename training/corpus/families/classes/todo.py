"""Lists of tasks."""

from __future__ import annotations

from training.corpus.registry import family
from training.corpus.types import Names, Rule, Task


def todo_list_says(add: str, finish: str, pending: str) -> tuple[str, ...]:
    return (
        (
            f"keep titles: `{add}(title)` adds one, `{finish}(title)` removes it and `{pending}()` returns the "
            "list of titles"
        ),
        (
            f"hold a list of titles with `{add}(title)` to add, `{finish}(title)` to remove and `{pending}()` to "
            "list them"
        ),
        f"store titles that `{add}(title)` adds, `{finish}(title)` takes away and `{pending}()` returns as a list",
        (
            f"manage titles of things to do; `{add}(title)` and `{finish}(title)` add and remove one, "
            f"`{pending}()` gives the list"
        ),
        (
            f"provide `{add}(title)` for a new title, `{finish}(title)` for removing one and `{pending}()` for a "
            "list of all"
        ),
        (
            f"remember titles given to `{add}(title)` until `{finish}(title)` removes them, and list them in "
            f"`{pending}()`"
        ),
    )


def todo_list_rules(add: str, finish: str, unknown: str, twice: str, order: str) -> tuple[Rule, ...]:
    return (
        {
            "ignore": (
                "A title that is already there is not added again.",
                "Ignore a title that is there already.",
                "Adding a title twice changes nothing.",
            ),
            "ValueError": (
                "Adding a title that is already there raises a ValueError.",
                f"`{add}` raises ValueError if the title is there already.",
                "A title that is already there raises a ValueError.",
            ),
            "again": (
                "A title may be there more than once.",
                "The same title can be added again.",
                "Titles may repeat.",
            ),
        }[twice],
        {
            "ignore": (
                "Removing an unknown title does nothing.",
                f"`{finish}` ignores unknown titles.",
                "Nothing happens for an unknown title.",
            ),
            "ValueError": (
                "Removing an unknown title raises a ValueError.",
                f"`{finish}` raises ValueError if the title is unknown.",
                "An unknown title raises a ValueError.",
            ),
            "False": (
                f"`{finish}` returns True, or False if the title is unknown.",
                f"For an unknown title `{finish}` returns False, otherwise True.",
                f"`{finish}` tells by True or False whether the title was there.",
            ),
        }[unknown],
        (
            "The list is in the order of adding.",
            "List them in the order in which they were added.",
            "They come in the order of adding.",
        )
        if order == "added"
        else ("The list is sorted.", "List them in alphabetical order.", "They come in alphabetical order."),
    )


def todo_list_tests(n: Names, unknown: str, twice: str, order: str) -> tuple[str, ...]:
    c, add, finish, pending = n

    def test(moves: str, refuse: str = "") -> str:
        items: list[str] = []
        lines = [f"t = {c}()"]
        for move in moves.split():
            title = move[1:]
            if move[0] == "+":
                lines.append(f't.{add}("{title}")')
                items += [title] if twice == "again" or title not in items else []
            else:
                lines.append(f't.{finish}("{title}")')
                if title in items:
                    items.remove(title)
        if refuse:
            return "\n".join([*lines, f"with raises(ValueError):\n    {refuse}"])
        shown = items if order == "added" else sorted(items)
        return "\n".join([*lines, f"assert t.{pending}() == {shown}".replace("'", '"')])

    tests = [
        test(""),
        test("+a"),
        test("+b +a"),
        test("+b +a -b"),
        test("+x +y +z -y"),
        test("+c -c"),
        test("+pay +call +buy"),
        test("+q -q +q"),
    ]
    tests += [test("+a", f't.{add}("a")')] if twice == "ValueError" else [test("+a +b +a"), test("+a +a -a")]
    tests += {
        "ValueError": [test("+a", f't.{finish}("b")'), test("+a -a", f't.{finish}("a")')],
        "False": [
            f't = {c}()\nt.{add}("a")\nassert [t.{finish}("b"), t.{finish}("a")] == [False, True]',
            f't = {c}()\nassert t.{finish}("z") is False',
        ],
        "ignore": [
            test("+a -b"),
            f't = {c}()\nassert t.{finish}("z") is None',
            f't = {c}()\nt.{add}("a")\nassert t.{finish}("b") is None',
        ],
    }[unknown]
    return tuple(tests)


@family(
    "TodoList Tasks Checklist Agenda",
    "add append_task note plan",
    "finish done complete check_off",
    "open_items pending remaining left",
    unknown=("ValueError", "False", "ignore"),
    twice=("ignore", "ValueError", "again"),
    order=("added", "sorted"),
)
def todo_list(n: Names, unknown: str, twice: str, order: str) -> Task:
    c, add, finish, pending = n
    check = {
        "again": "",
        "ignore": "        if title in self.items:\n            return\n",
        "ValueError": '        if title in self.items:\n            raise ValueError("already there")\n',
    }[twice]
    missing = {
        "ValueError": '        if title not in self.items:\n            raise ValueError("unknown title")\n',
        "False": "        if title not in self.items:\n            return False\n",
        "ignore": "        if title not in self.items:\n            return\n",
    }[unknown]
    done = "        return True\n" if unknown == "False" else ""
    result = "list(self.items)" if order == "added" else "sorted(self.items)"
    return Task(
        says=todo_list_says(add, finish, pending),
        rules=todo_list_rules(add, finish, unknown, twice, order),
        code=f"""
class {c}:
    def __init__(self):
        self.items = []

    def {add}(self, title):
{check}        self.items.append(title)

    def {finish}(self, title):
{missing}        self.items.remove(title)
{done}
    def {pending}(self):
        return {result}
""",
        tests=todo_list_tests(n, unknown, twice, order),
    )
