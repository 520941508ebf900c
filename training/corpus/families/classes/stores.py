"""Inventories and carts."""

from __future__ import annotations

from training.corpus.clauses import raising, when_it_fails
from training.corpus.families.classes.methods import refused, stop
from training.corpus.registry import family
from training.corpus.types import Names, Rule, Task


def inventory_says(add: str, remove: str, count: str) -> tuple[str, ...]:
    return (
        (
            f"keep how many there are of each name: `{add}(name, k)` adds k, `{remove}(name, k)` takes k away and "
            f"`{count}(name)` returns the number"
        ),
        (
            f"hold numbers of things by name, with `{add}(name, k)`, `{remove}(name, k)` and `{count}(name)` to "
            "increase, decrease and read them"
        ),
        (
            f"manage amounts by name; `{add}(name, k)` raises one, `{remove}(name, k)` lowers it, `{count}(name)` "
            "tells it"
        ),
        (
            f"store for each name a number that `{add}(name, k)` and `{remove}(name, k)` change by k and "
            f"`{count}(name)` returns"
        ),
        (
            f"provide `{add}(name, k)` and `{remove}(name, k)` to change how many of a name there are, and "
            f"`{count}(name)` to get that number"
        ),
        (
            f"track quantities by name: more with `{add}(name, k)`, fewer with `{remove}(name, k)`, and "
            f"`{count}(name)` for the quantity"
        ),
    )


def inventory_rules(remove: str, count: str, missing: str, short: str, drop: bool) -> tuple[Rule, ...]:
    return (
        when_it_fails(f"`{remove}` asks for more than there are", short),
        *(
            [
                (
                    f"`{remove}` returns True if it succeeds.",
                    f"Otherwise `{remove}` returns True.",
                    f"A successful `{remove}` returns True.",
                )
            ]
            if short == "False"
            else []
        ),
        (
            f"For an unknown name `{count}` raises a KeyError.",
            f"`{count}` raises KeyError if the name is unknown.",
            f"An unknown name in `{count}` raises KeyError.",
        )
        if missing == "KeyError"
        else (
            f"For an unknown name `{count}` returns {missing}.",
            f"`{count}` returns {missing} if the name is unknown.",
            f"An unknown name in `{count}` gives {missing}.",
        ),
        (
            (
                "A name whose number becomes 0 is forgotten.",
                "Forget names with nothing left.",
                "When nothing is left, the name is unknown again.",
            )
            if drop
            else (
                "A name whose number becomes 0 stays known.",
                "Keep names with nothing left.",
                "When nothing is left, the number is 0.",
            )
        ),
    )


def inventory_tests(n: Names, missing: str, short: str, drop: bool) -> tuple[str, ...]:
    c, add, remove, count = n

    def level(setup: str, name: str, expected: int | None) -> str:
        if expected is None:
            return refused(setup, f's.{count}("{name}")', missing)
        return f'{setup}\nassert s.{count}("{name}") == {expected}'

    base = f's = {c}()\ns.{add}("pen", 5)\ns.{add}("ink", 2)'
    return (
        level(f"s = {c}()", "pen", None),
        level(base, "cap", None),
        level(base, "pen", 5),
        level(base, "ink", 2),
        refused(base, f's.{remove}("pen", 6)', short),
        refused(base, f's.{remove}("cap", 1)', short),
        level(f'{base}\ns.{remove}("pen", 2)', "pen", 3),
        level(f'{base}\ns.{add}("ink", 4)', "ink", 6),
        level(f'{base}\ns.{remove}("ink", 2)', "ink", (0 if missing == "0" else None) if drop else 0),
        level(
            f'{base}\ns.{remove}("ink", 1)\ns.{remove}("ink", 1)',
            "ink",
            (0 if missing == "0" else None) if drop else 0,
        ),
        *(
            (
                f'{base}\nassert s.{remove}("pen", 5) is True',
                f'{base}\nassert [s.{remove}("ink", 1), s.{count}("ink")] == [True, 1]',
            )
            if short == "False"
            else ()
        ),
        level(f'{base}\ns.{add}("cap", 9)', "cap", 9),
        (
            f'{base}\ns.{remove}("ink", 2)\n'
            f'assert s.items == {{"pen": 5{"" if drop else ", " + chr(34) + "ink" + chr(34) + ": 0"}}}'
        ),
        (
            f'{base}\ns.{remove}("pen", 5)\n'
            f'assert s.items == {{{"" if drop else chr(34) + "pen" + chr(34) + ": 0, "}"ink": 2}}'
        ),
    )


@family(
    "Inventory Stock Store Shelf",
    "add put receive fill",
    "remove take sell use",
    "count amount level in_stock",
    missing=("0", "KeyError", "None"),
    short=("ValueError", "False"),
    drop=(True, False),
)
def inventory(n: Names, missing: str, short: str, drop: bool) -> Task:
    c, add, remove, count = n
    done = "        return True\n" if short == "False" else ""
    gone = "        if self.items[name] == 0:\n            del self.items[name]\n" if drop else ""
    look = {
        "0": "        return self.items.get(name, 0)",
        "None": "        return self.items.get(name)",
        "KeyError": "        return self.items[name]",
    }[missing]
    return Task(
        says=inventory_says(add, remove, count),
        rules=inventory_rules(remove, count, missing, short, drop),
        code=f"""
class {c}:
    def __init__(self):
        self.items = {{}}

    def {add}(self, name, k):
        self.items[name] = self.items.get(name, 0) + k

    def {remove}(self, name, k):
{stop("self.items.get(name, 0) < k", short, "not enough")}        self.items[name] -= k
{gone}{done}
    def {count}(self, name):
{look}
""",
        tests=inventory_tests(n, missing, short, drop),
    )


def cart_says(add: str, total: str, discount: str, count: bool, argument: str) -> tuple[str, ...]:
    return (
        (
            f"collect prices: `{add}(price{argument})` adds {'count times a price' if count else 'one'}, "
            f"`{discount}(percent)` sets a discount, `{total}()` returns the sum"
        ),
        (
            f"sum up prices given to `{add}(price{argument})`; `{discount}(percent)` lowers the sum and "
            f"`{total}()` returns it"
        ),
        (
            f"have the methods `{add}(price{argument})` for a price, `{discount}(percent)` for a discount on "
            f"everything and `{total}()` for the sum"
        ),
        (
            f"keep a sum of prices with `{add}(price{argument})`, a discount in percent with "
            f"`{discount}(percent)`, and return the result in `{total}()`"
        ),
        (
            f"provide `{add}(price{argument})` to add prices, `{discount}(percent)` to take off some percent and "
            f"`{total}()` to get what is due"
        ),
        (
            f"add prices by `{add}(price{argument})`, reduce them by `{discount}(percent)` and return what they "
            f"come to by `{total}()`"
        ),
    )


def cart_rules(tax: int, most: int) -> tuple[Rule, ...]:
    return (
        *(
            [
                (
                    f"The sum includes {tax} percent tax.",
                    f"Add {tax} percent tax at the end.",
                    f"In the end {tax} percent tax is added.",
                )
            ]
            if tax
            else []
        ),
        raising(f"the discount is above {most} percent", "ValueError"),
        (
            "Round the sum to 2 decimal places.",
            "The sum is rounded to 2 decimal places.",
            "Round to 2 decimal places.",
        ),
    )


def cart_tests(n: Names, tax: int, most: int, count: bool) -> tuple[str, ...]:
    c, add, total, discount = n

    def test(items: tuple[tuple[float, int], ...], percent: int | None) -> str:
        lines = [f"c = {c}()", *(f"c.{add}({p}{f', {k}' if count and k != 1 else ''})" for p, k in items)]
        worth = sum(p * (k if count else 1) for p, k in items)
        if percent is not None:
            call = f"c.{discount}({percent})"
            if percent > most:
                return "\n".join([*lines, f"with raises(ValueError):\n    {call}"])
            lines.append(call)
            worth = worth * (100 - percent) / 100
        return "\n".join([*lines, f"assert c.{total}() == {round(worth * (100 + tax) / 100, 2)}"])

    cases: tuple[tuple[tuple[tuple[float, int], ...], int | None], ...] = (
        ((), None),
        ((), 10),
        (((10, 1),), None),
        (((10, 3),), None),
        (((8, 1), (2, 5)), None),
        (((100, 1),), 20),
        (((40, 2),), 50),
        (((100, 1),), 51),
        (((30, 1),), 21),
        (((30, 1),), 101),
        (((12.5, 2), (7.25, 4)), 10),
        (((64, 1),), 25),
    )
    return tuple(test(items, percent) for items, percent in cases)


@family(
    "Cart Basket Order Invoice",
    "add put insert take",
    "total price cost sum_up",
    "discount reduce rebate lower",
    tax=(0, 5, 10, 20),
    most=(20, 50, 100),
    count=(True, False),
)
def cart(n: Names, tax: int, most: int, count: bool) -> Task:
    c, add, total, discount = n
    argument = ", count=1" if count else ""
    price = "price * count" if count else "price"
    taxed = f" * (1 + {tax} / 100)" if tax else ""
    return Task(
        says=cart_says(add, total, discount, count, argument),
        rules=cart_rules(tax, most),
        code=f"""
class {c}:
    def __init__(self):
        self.sum = 0
        self.percent = 0

    def {add}(self, price{argument}):
        self.sum += {price}

    def {discount}(self, percent):
        if percent > {most}:
            raise ValueError("discount is too high")
        self.percent = percent

    def {total}(self):
        return round(self.sum * (100 - self.percent) / 100{taxed}, 2)
""",
        tests=cart_tests(n, tax, most, count),
    )
