"""Classes with a position: points and playlists."""

from __future__ import annotations

from training.corpus.clauses import when_it_fails
from training.corpus.families.classes.methods import refused, stop
from training.corpus.registry import family
from training.corpus.types import Names, Rule, Task


def point_says(add: str, scale: str, length: str, kind: str) -> tuple[str, ...]:
    named = {
        "Euclidean": "the Euclidean length",
        "Manhattan": "the sum of the absolute components",
        "largest component": "the largest absolute component",
    }[kind]
    return (
        (
            f"hold `x` and `y`; `{add}(other)` adds another one, `{scale}(k)` multiplies both by k, `{length}()` "
            f"returns {named}"
        ),
        (
            f"have the components `x` and `y`, with `{add}(other)` for adding, `{scale}(k)` for multiplying and "
            f"`{length}()` for {named}"
        ),
        (
            f"represent a pair `x`, `y` and offer `{add}(other)` (sum), `{scale}(k)` (multiple) and `{length}()`, "
            f"{named}"
        ),
        f"store `x` and `y` and provide `{add}(other)`, `{scale}(k)` and `{length}()`, which returns {named}",
        (
            f"model two components `x` and `y`: `{add}(other)` adds those of another, `{scale}(k)` multiplies "
            f"them, `{length}()` gives {named}"
        ),
        (
            f"keep two numbers `x` and `y` that `{add}(other)` and `{scale}(k)` add to and multiply, and return "
            f"{named} in `{length}()`"
        ),
    )


def point_rules(add: str, scale: str, new: bool, text: str) -> tuple[Rule, ...]:
    how = "return a new one" if new else "change it in place"
    return (
        (
            f"`{add}` and `{scale}` {how}.",
            f"Both `{add}` and `{scale}` {how}.",
            f"The methods `{add}` and `{scale}` {how}.",
        ),
        (f"As a string it reads `{text}`.", f"Its string form is `{text}`.", f"`str` gives `{text}`."),
    )


def point_tests(n: Names, kind: str, new: bool, text: str) -> tuple[str, ...]:
    c, add, scale, length = n

    def write(x: float, y: float) -> str:
        return f'"{text.replace("x", str(x)).replace("y", str(y))}"'

    def changed(x: int, y: int, call: str, result: tuple[int, int]) -> str:
        return f"p = {c}({x}, {y})\n{'p = ' if new else ''}p.{call}\nassert str(p) == {write(*result)}"

    sizes = {"Euclidean": (0.0, 5.0, 13.0), "Manhattan": (0, 7, 17), "largest component": (0, 4, 12)}[kind]
    return (
        f"assert str({c}(1, 2)) == {write(1, 2)}",
        f"assert str({c}(-3, 0)) == {write(-3, 0)}",
        f"assert {c}(0, 0).{length}() == {sizes[0]}",
        f"assert {c}(3, -4).{length}() == {sizes[1]}",
        f"assert {c}(5, 12).{length}() == {sizes[2]}",
        changed(1, 2, f"{add}({c}(3, 4))", (4, 6)),
        changed(2, -1, f"{scale}(3)", (6, -3)),
        changed(0, 0, f"{add}({c}(-1, 5))", (-1, 5)),
        changed(4, 5, f"{scale}(0)", (0, 0)),
        f"p = {c}(1, 1)\np.{scale}(2)\nassert p.x == {1 if new else 2}",
        f"p = {c}(1, 1)\np.{add}(p)\nassert p.y == {1 if new else 2}",
    )


@family(
    "Point Vector Position Coordinate",
    "add plus combine moved_by",
    "scale times stretch grow",
    "length norm size magnitude",
    kind=("Euclidean", "Manhattan", "largest component"),
    new=(True, False),
    text=("(x, y)", "x,y", "<x y>"),
)
def point(n: Names, kind: str, new: bool, text: str) -> Task:
    c, add, scale, length = n
    size = {
        "Euclidean": "(self.x ** 2 + self.y ** 2) ** 0.5",
        "Manhattan": "abs(self.x) + abs(self.y)",
        "largest component": "max(abs(self.x), abs(self.y))",
    }[kind]
    shown = text.replace("x", "{self.x}").replace("y", "{self.y}")
    if new:
        added, scaled = (
            f"        return {c}(self.x + other.x, self.y + other.y)",
            f"        return {c}(self.x * k, self.y * k)",
        )
    else:
        added, scaled = (
            "        self.x += other.x\n        self.y += other.y",
            "        self.x *= k\n        self.y *= k",
        )
    return Task(
        says=point_says(add, scale, length, kind),
        rules=point_rules(add, scale, new, text),
        code=f"""
class {c}:
    def __init__(self, x, y):
        self.x = x
        self.y = y

    def {add}(self, other):
{added}

    def {scale}(self, k):
{scaled}

    def {length}(self):
        return {size}

    def __str__(self):
        return f"{shown}"
""",
        tests=point_tests(n, kind, new, text),
    )


def playlist_says(forward: str, backward: str, current: str, start: str) -> tuple[str, ...]:
    return (
        (
            f"walk through a list `items`, beginning at the {start}: `{forward}()` goes to the next, "
            f"`{backward}()` to the one before, `{current}()` returns it"
        ),
        (
            f"hold a list `items` and a place in it, at first the {start}; `{forward}()` and `{backward}()` move "
            f"by one, `{current}()` returns the item there"
        ),
        (
            f"show one of the `items` at a time, the {start} one first, with `{forward}()`, `{backward}()` and "
            f"`{current}()`, which returns it"
        ),
        (
            f"keep a position in `items` that starts at the {start} item; `{forward}()` moves on, `{backward}()` "
            f"moves back and `{current}()` gives the item"
        ),
        (
            f"provide `{forward}()` and `{backward}()` to move through the list `items` from the {start} item, and "
            f"`{current}()` to get the item"
        ),
        (
            f"step through `items` with `{forward}()` and `{backward}()`, from the {start} item on, and return the "
            f"item with `{current}()`"
        ),
    )


def playlist_rules(wrap: bool, empty: str) -> tuple[Rule, ...]:
    return (
        (
            "At the ends it wraps around.",
            "After the last comes the first, and the other way round.",
            "It goes round in a circle.",
        )
        if wrap
        else (
            "At the ends it stays where it is.",
            "It does not move beyond the ends.",
            "At the first or last item it stops.",
        ),
        when_it_fails("the list is empty", empty),
    )


def playlist_tests(n: Names, wrap: bool, empty: str, start: str) -> tuple[str, ...]:
    c, forward, backward, current = n

    def test(items: str, moves: str) -> str:
        i = 0 if start == "first" else len(items) - 1
        for move in moves:
            i += 1 if move == "f" else -1
            i = (i % len(items) if wrap else max(0, min(len(items) - 1, i))) if items else 0
        setup = "\n".join(
            [
                f"p = {c}({list(items)})".replace("'", '"'),
                *(f"p.{forward if move == 'f' else backward}()" for move in moves),
            ]
        )
        return f'{setup}\nassert p.{current}() == "{items[i]}"' if items else refused(setup, f"p.{current}()", empty)

    cases = (
        ("", ""),
        ("", "f"),
        ("a", ""),
        ("a", "fb"),
        ("abc", ""),
        ("abc", "f"),
        ("abc", "b"),
        ("abc", "ff"),
        ("abc", "bb"),
        ("abc", "ffff"),
        ("ab", "fbb"),
        ("wxyz", "bbbf"),
    )
    return tuple(test(items, moves) for items, moves in cases)


@family(
    "Playlist Slideshow Carousel Menu",
    "next forward advance step_on",
    "previous backward step_back go_back",
    "current shown selected item",
    wrap=(True, False),
    empty=("None", "ValueError", '""'),
    start=("first", "last"),
)
def playlist(n: Names, wrap: bool, empty: str, start: str) -> Task:
    c, forward, backward, current = n
    up = "(self.i + 1) % len(self.items)" if wrap else "min(len(self.items) - 1, self.i + 1)"
    down = "(self.i - 1) % len(self.items)" if wrap else "max(0, self.i - 1)"
    up, down = (f"        if self.items:\n            self.i = {x}\n" for x in (up, down))
    first = "0" if start == "first" else "len(items) - 1"
    return Task(
        says=playlist_says(forward, backward, current, start),
        rules=playlist_rules(wrap, empty),
        code=f"""
class {c}:
    def __init__(self, items):
        self.items = items
        self.i = {first}

    def {forward}(self):
{up}
    def {backward}(self):
{down}
    def {current}(self):
{stop("not self.items", empty, "no items")}        return self.items[self.i]
""",
        tests=playlist_tests(n, wrap, empty, start),
    )
