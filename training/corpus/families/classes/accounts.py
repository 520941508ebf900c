"""Classes that keep sums: accounts and statistics."""

from __future__ import annotations

from training.corpus.clauses import when_it_fails
from training.corpus.families.classes.methods import refused, stop
from training.corpus.registry import family
from training.corpus.types import Names, Rule, Task


def account_says(deposit: str, withdraw: str, balance: str, given: bool) -> tuple[str, ...]:
    begin = "`start`" if given else "0"
    return (
        (
            f"keep an amount of money that starts at {begin}: `{deposit}(x)` adds, `{withdraw}(x)` subtracts and "
            f"`{balance}()` returns it"
        ),
        (
            f"hold money, at first {begin}; `{deposit}(x)` puts some in, `{withdraw}(x)` takes some out, "
            f"`{balance}()` tells how much there is"
        ),
        (
            f"manage an amount beginning with {begin}, with `{deposit}(x)` to increase it, `{withdraw}(x)` to "
            f"decrease it and `{balance}()` to read it"
        ),
        (
            f"store an amount (first {begin}) and offer `{deposit}(x)` for adding, `{withdraw}(x)` for subtracting "
            f"and `{balance}()`"
        ),
        (
            f"have an amount of {begin} at the start, which `{deposit}(x)` raises, `{withdraw}(x)` lowers and "
            f"`{balance}()` returns"
        ),
        (f"provide `{deposit}(x)`, `{withdraw}(x)` and `{balance}()` for an amount of money that begins with {begin}"),
    )


def account_rules(withdraw: str, overdraft: int, error: str) -> tuple[Rule, ...]:
    return (
        when_it_fails(f"`{withdraw}` would make it less than {-overdraft}", error),
        *(
            [
                (
                    f"`{withdraw}` returns True if it succeeds.",
                    f"Otherwise `{withdraw}` returns True.",
                    f"A successful `{withdraw}` returns True.",
                )
            ]
            if error == "False"
            else []
        ),
    )


def account_tests(n: Names, overdraft: int, error: str, given: bool) -> tuple[str, ...]:
    c, deposit, withdraw, balance = n
    create = f"{c}({{}})" if given else f"{c}()"

    def test(first: int, moves: tuple[int, ...]) -> str:
        money = first if given else 0
        lines = [f"a = {create.format(first)}"]
        for move in moves:
            refuse = move < 0 and money + move < -overdraft
            call = f"a.{deposit if move > 0 else withdraw}({abs(move)})"
            if refuse:
                lines.append(
                    f"with raises(ValueError):\n    {call}" if error == "ValueError" else f"assert {call} is {error}"
                )
            else:
                lines.append(f"assert {call} is True" if error == "False" and move < 0 else call)
                money += move
        return "\n".join([*lines, f"assert a.{balance}() == {money}"])

    return tuple(
        test(first, moves)
        for first, moves in (
            (0, ()),
            (100, ()),
            (0, (5,)),
            (20, (30, -10)),
            (0, (-1,)),
            (0, (-50,)),
            (0, (-51, 2)),
            (0, (-100,)),
            (0, (-101,)),
            (10, (-5, -5)),
            (0, (200, -150, -100)),
            (0, (-500,)),
            (0, (-501,)),
        )
    )


@family(
    "Account Wallet Purse Budget",
    "deposit add put pay_in",
    "withdraw take spend pay_out",
    "balance total amount left",
    overdraft=(0, 50, 100, 500),
    error=("ValueError", "False", "None"),
    start=("argument", "zero"),
)
def account(n: Names, overdraft: int, error: str, start: str) -> Task:
    c, deposit, withdraw, balance = n
    given = start == "argument"
    limit = f"self.money - x < -{overdraft}" if overdraft else "x > self.money"
    done = "        return True\n" if error == "False" else ""
    return Task(
        says=account_says(deposit, withdraw, balance, given),
        rules=account_rules(withdraw, overdraft, error),
        code=f"""
class {c}:
    def __init__(self{", start" if given else ""}):
        self.money = {"start" if given else "0"}

    def {deposit}(self, x):
        self.money += x

    def {withdraw}(self, x):
{stop(limit, error, "not enough money")}        self.money -= x
{done}
    def {balance}(self):
        return self.money
""",
        tests=account_tests(n, overdraft, error, given),
    )


def statistics_says(add: str, result: str, named: str, of: str) -> tuple[str, ...]:
    return (
        f"collect numbers with `{add}(x)` and return {named} of {of} with `{result}()`",
        f"take numbers by `{add}(x)`; `{result}()` returns {named} of {of}",
        f"record numbers: `{add}(x)` adds one, `{result}()` gives {named} of {of}",
        f"have a method `{add}(x)` that takes a number and a method `{result}()` that returns {named} of {of}",
        f"provide `{add}(x)` for new numbers and `{result}()` for {named} of {of}",
        f"remember numbers given to `{add}(x)` and compute {named} of {of} in `{result}()`",
    )


def statistics_rules(what: str, empty: str, window: int) -> tuple[Rule, ...]:
    return (
        *(
            [
                (
                    f"When there are more than {window}, forget all of them.",
                    f"After {window} numbers, the next one clears everything.",
                    f"If a number is added to {window} others, forget all numbers.",
                )
            ]
            if what == "last" and window
            else []
        ),
        when_it_fails("there are no numbers", empty),
    )


def statistics_tests(n: Names, what: str, empty: str, window: int) -> tuple[str, ...]:
    c, add, result = n

    def test(numbers: tuple[int, ...]) -> str:
        setup = "\n".join([f"s = {c}()", *(f"s.{add}({x})" for x in numbers)])
        kept = list(numbers[-window:] if window else numbers)
        if what == "last" and window:
            kept = []
            for x in numbers:
                kept = [*kept, x] if len(kept) < window else []
        if not kept:
            return refused(setup, f"s.{result}()", empty)
        expected = {
            "mean": sum(kept) / len(kept),
            "largest": max(kept),
            "smallest": min(kept),
            "range": max(kept) - min(kept),
            "sum of squares": sum(x * x for x in kept),
            "last": kept[-1],
        }[what]
        return f"{setup}\nassert s.{result}() == {expected}"

    return tuple(
        test(x)
        for x in (
            (),
            (4,),
            (0,),
            (1, 2),
            (5, 3, 4),
            (10, 2, 2, 3),
            (-1, 7, -9, 4, 4),
            (9, 1, 2, 3, 4, 5),
            (8, 8, 6, 6, 6, 2, 1),
            (100, 1, 1, 1),
            (3, 50, 6, 5, 4, 1, 2),
            (1, 5, 6, 7, 8, 9),
        )
    )


@family(
    "Statistics Samples Measurements Series",
    "add record push note",
    "result value summary current",
    what=("mean", "largest", "smallest", "range", "sum of squares", "last"),
    empty=("None", "0", "ValueError"),
    window=(0, 3, 5),
)
def statistics(n: Names, what: str, empty: str, window: int) -> Task:
    c, add, result = n
    value = {
        "mean": "sum(self.values) / len(self.values)",
        "largest": "max(self.values)",
        "smallest": "min(self.values)",
        "range": "max(self.values) - min(self.values)",
        "sum of squares": "sum(x * x for x in self.values)",
        "last": "self.values[-1]",
    }[what]
    named = {
        "mean": "the mean",
        "largest": "the largest",
        "smallest": "the smallest",
        "range": "the difference between the largest and the smallest",
        "sum of squares": "the sum of the squares",
        "last": "the last",
    }[what]
    trim = f"        self.values = self.values[-{window}:]\n" if window else ""
    of = f"the last {window} numbers" if window else "all numbers"
    if what == "last":
        trim = f"        if len(self.values) > {window}:\n            self.values = []\n" if window else ""
        named, of = "the last one", "the numbers"
    return Task(
        says=statistics_says(add, result, named, of),
        rules=statistics_rules(what, empty, window),
        code=f"""
class {c}:
    def __init__(self):
        self.values = []

    def {add}(self, x):
        self.values.append(x)
{trim}
    def {result}(self):
{stop("not self.values", empty, "no numbers")}        return {value}
""",
        tests=statistics_tests(n, what, empty, window),
    )
