"""Classes that count: counters and scores."""

from __future__ import annotations

from training.corpus.clauses import when_it_fails
from training.corpus.families.classes.methods import refused, stop
from training.corpus.registry import family
from training.corpus.types import Names, Rule, Task


def counter_says(up: str, down: str, value: str, start: int, step: int) -> tuple[str, ...]:
    return (
        f"count from {start}: `{up}()` adds {step}, `{down}()` subtracts {step} and `{value}()` returns the number",
        (
            f"keep a number that starts at {start}; `{up}()` raises it by {step}, `{down}()` lowers it by {step}, "
            f"`{value}()` returns it"
        ),
        (
            f"hold a number, at first {start}, with the methods `{up}()` (plus {step}), `{down}()` (minus {step}) "
            f"and `{value}()` to read it"
        ),
        (
            f"have a number beginning with {start} that `{up}()` and `{down}()` change by {step} up and down, and "
            f"`{value}()` returns"
        ),
        (
            f"provide `{up}()` to add {step} to a number, `{down}()` to take {step} away and `{value}()` to get "
            f"it; it begins at {start}"
        ),
        (
            f"store a number (first {start}) and offer `{up}()` and `{down}()` to go up and down by {step}, and "
            f"`{value}()` to return it"
        ),
    )


@family(
    "Counter Tally Clicker StepCounter",
    "increase up add click",
    "decrease down reduce back",
    "value count total current",
    start=(0, 1, 10),
    step=(1, 2, 5),
    low=("no limit", "0", "-10"),
)
def counter(n: Names, start: int, step: int, low: str) -> Task:
    c, up, down, value = n
    floor = (
        f"        self.number = max({low}, self.number - {step})\n"
        if low != "no limit"
        else f"        self.number -= {step}\n"
    )

    def walk(moves: str) -> int:
        number = start
        for move in moves:
            number += step if move == "u" else -step
            number = number if low == "no limit" or number > int(low) else int(low)
        return number

    def test(moves: str) -> str:
        calls = "".join(f"c.{up if move == 'u' else down}()\n" for move in moves)
        return f"c = {c}()\n{calls}assert c.{value}() == {walk(moves)}"

    return Task(
        says=counter_says(up, down, value, start, step),
        rules=()
        if low == "no limit"
        else (
            (
                f"It never goes below {low}.",
                f"The number is never less than {low}.",
                f"It stops at {low} when it goes down.",
            ),
        ),
        code=f"""
class {c}:
    def __init__(self):
        self.number = {start}

    def {up}(self):
        self.number += {step}

    def {down}(self):
{floor}
    def {value}(self):
        return self.number
""",
        tests=tuple(
            test(moves) for moves in ("", "u", "d", "uud", "dddd", "ddddu", "uuuu", "ud", "d" * 25, "d" * 25 + "uu")
        ),
    )


def scoreboard_says(add: str, best: str, score: str) -> tuple[str, ...]:
    return (
        (
            f"keep points by name: `{add}(name, k)` adds k points, `{score}(name)` returns them and `{best}()` the "
            "name with the most"
        ),
        (
            f"hold the points of names, with `{add}(name, k)` to add, `{score}(name)` to read them and `{best}()` "
            "for the name that has most"
        ),
        (
            f"count points for names; `{add}(name, k)` gives k more, `{score}(name)` tells the points, `{best}()` "
            "the name with most points"
        ),
        (
            f"store points per name and offer `{add}(name, k)`, `{score}(name)` and `{best}()`, the name with the "
            "highest points"
        ),
        (
            f"provide `{add}(name, k)` for giving points, `{score}(name)` for looking them up and `{best}()` for "
            "the leading name"
        ),
        (
            f"track points: `{add}(name, k)` raises those of a name by k, `{score}(name)` gives them, `{best}()` "
            "names the one with most"
        ),
    )


def scoreboard_rules(score: str, tie: str, most: str, empty: str) -> tuple[Rule, ...]:
    return (
        (
            "Unknown names have 0 points.",
            "A name without points has 0.",
            f"`{score}` returns 0 for an unknown name.",
        ),
        (
            "On a tie, the name added first wins.",
            "Of several best names, return the one that was added first.",
            "Ties go to the name that came first.",
        )
        if tie == "first"
        else (
            "On a tie, the alphabetically first name wins.",
            "Of several best names, return the alphabetically first.",
            "Ties go to the smallest name in the alphabet.",
        ),
        when_it_fails("there are no names", empty),
        *(
            []
            if most == "none"
            else [
                (
                    f"Nobody gets more than {most} points.",
                    f"Points are never above {most}.",
                    f"The points of a name stop at {most}.",
                )
            ]
        ),
    )


def scoreboard_tests(n: Names, tie: str, most: str, empty: str) -> tuple[str, ...]:
    c, add, best, score = n

    def test(moves: str, call: str) -> str:
        points: dict[str, int] = {}
        lines = [f"s = {c}()"]
        for move in moves.split():
            name, k = move[0], int(move[1:])
            points[name] = points.get(name, 0) + k
            points[name] = points[name] if most == "none" else min(int(most), points[name])
            lines.append(f's.{add}("{name}", {k})')
        setup = "\n".join(lines)
        if call != "best":
            return f'{setup}\nassert s.{score}("{call}") == {points.get(call, 0)}'
        if not points:
            return refused(setup, f"s.{best}()", empty)
        names = [name for name in points if points[name] == max(points.values())]
        return f'{setup}\nassert s.{best}() == "{names[0] if tie == "first" else min(names)}"'

    cases = (
        ("", "best"),
        ("", "a"),
        ("b3", "best"),
        ("b3", "b"),
        ("b3 a3", "best"),
        ("b3 a3", "a"),
        ("a1 b5 a6", "best"),
        ("a4 b9 a4 a4", "a"),
        ("z60 y55 x7", "best"),
        ("z60 y55 x7", "y"),
        ("c8 b12 a11", "best"),
        ("d-4 e-4", "best"),
    )
    return tuple(test(moves, call) for moves, call in cases)


@family(
    "Scoreboard Ranking Scores Leaderboard",
    "add award give points_for",
    "best leader winner top",
    "score points total of",
    tie=("first", "alphabet"),
    most=("none", "10", "50"),
    empty=("None", "ValueError"),
)
def scoreboard(n: Names, tie: str, most: str, empty: str) -> Task:
    c, add, best, score = n
    total = "self.table.get(name, 0) + k" if most == "none" else f"min({most}, self.table.get(name, 0) + k)"
    source = "self.table" if tie == "first" else "sorted(self.table)"
    return Task(
        says=scoreboard_says(add, best, score),
        rules=scoreboard_rules(score, tie, most, empty),
        code=f"""
class {c}:
    def __init__(self):
        self.table = {{}}

    def {add}(self, name, k):
        self.table[name] = {total}

    def {score}(self, name):
        return self.table.get(name, 0)

    def {best}(self):
{stop("not self.table", empty, "no names")}        return max({source}, key=self.table.get)
""",
        tests=scoreboard_tests(n, tie, most, empty),
    )
