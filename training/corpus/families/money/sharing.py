"""Money that grows, is shared or is given back."""

from __future__ import annotations

from functools import partial

from training.corpus.clauses import each, guard, outcome, raising, rounding
from training.corpus.registry import family
from training.corpus.types import Names, Rule, Task


@family(
    "interest balance_after grow compound",
    "amount start capital money",
    "years n periods count",
    rate=(1, 2, 3, 5, 10),
    kind=("compound", "simple"),
    give=("balance", "gain", "list"),
    digits=(0, 2),
)
def interest(n: Names, rate: int, kind: str, give: str, digits: int) -> Task:
    f, x, k = n
    loop = f"{x} * (1 + {rate} / 100) ** {{i}}" if kind == "compound" else f"{x} * (1 + {{i}} * {rate} / 100)"
    value = loop.format(i=k)
    body = {
        "balance": f"round({value}, {digits})",
        "gain": f"round({value} - {x}, {digits})",
        "list": f"[round({loop.format(i='i')}, {digits})" + f" for i in range(1, {k} + 1)]",
    }[give]
    what = {
        "balance": "the balance",
        "gain": "the interest earned in total",
        "list": "a list of the balances at the end of each year",
    }[give]

    def oracle(amount: float, years: int) -> object:
        grown = [
            amount * (1 + rate / 100) ** i if kind == "compound" else amount * (1 + i * rate / 100)
            for i in range(years + 1)
        ]
        return {
            "balance": round(grown[-1], digits),
            "gain": round(grown[-1] - amount, digits),
            "list": [round(v, digits) for v in grown[1:]],
        }[give]

    return Task(
        says=(
            f"return {what} for `{x}` after `{k}` years of {kind} interest at {rate} percent",
            f"compute {what} when `{x}` earns {rate} percent {kind} interest a year for `{k}` years",
            f"calculate {what} of `{x}` at {rate} percent {kind} interest over `{k}` years",
            f"determine {what} if `{x}` is saved for `{k}` years with {kind} interest of {rate} percent",
            f"give {what} after saving `{x}` for `{k}` years at {rate} percent, with {kind} interest",
            f"let `{x}` grow for `{k}` years by {rate} percent {kind} interest and return {what}",
        ),
        rules=(rounding(digits),),
        code=f"def {f}({x}, {k}):\n    return {body}",
        oracle=oracle,
        inputs=((0, 3), (100, 0), (1000, 1), (1000, 2), (250, 5), (99.5, 4), (5000, 10), (80, 3)),
    )


def split_bill_oracle(tip: int, rest: str, bad: str, total: int, people: int) -> object:
    if people < 1:
        return [] if bad == "[]" else outcome(bad)
    total += int(total * tip / 100 + 1e-9)
    shares = [total // people] * people
    if rest == "round":
        return [s + (total % people > 0) for s in shares]
    shares[0 if rest == "first" else -1] += total - sum(shares)
    return shares


def split_bill_says(x: str, k: str) -> tuple[str, ...]:
    return (
        f"split `{x}` cents between `{k}` people and return the list of shares",
        f"divide an amount of `{x}` cents by `{k}` people, giving a list of whole shares",
        f"return a list with what each of `{k}` people pays of `{x}` cents",
        f"share `{x}` cents among `{k}` people and return their shares as a list of integers",
        f"compute the shares of `{k}` people in a bill of `{x}` cents, as a list",
        f"give the list of cents that each of the `{k}` people has to pay for a total of `{x}`",
    )


def split_bill_rules(k: str, tip: int, rest: str, bad: str) -> tuple[Rule, ...]:
    return (
        *(
            [
                (
                    f"First add a tip of {tip} percent, rounded down.",
                    f"Before, add {tip} percent as a tip (rounded down).",
                    f"A tip of {tip} percent, rounded down, is added first.",
                )
            ]
            if tip
            else []
        ),
        {
            "first": (
                "The first one pays the rest.",
                "What remains goes to the first person.",
                "The first share includes the remainder.",
            ),
            "last": (
                "The last one pays the rest.",
                "What remains goes to the last person.",
                "The last share includes the remainder.",
            ),
            "round": (
                "Everybody pays the same, rounded up.",
                "Round the shares up.",
                "All shares are equal and rounded up.",
            ),
        }[rest],
        raising(f"`{k}` is less than 1", bad)
        if bad == "ValueError"
        else (
            f"If `{k}` is less than 1, return {bad if bad == 'None' else 'an empty list'}.",
            f"Return {bad if bad == 'None' else 'an empty list'} when `{k}` is less than 1.",
            f"A `{k}` below 1 gives {bad if bad == 'None' else 'an empty list'}.",
        ),
    )


@family(
    "split_bill share_cost per_person divide_cost",
    "total bill amount sum_due",
    "people persons n guests",
    tip=(0, 5, 10, 15),
    rest=("first", "last", "round"),
    bad=("ValueError", "None", "[]"),
)
def split_bill(n: Names, tip: int, rest: str, bad: str) -> Task:
    f, x, k = n
    add = f"    {x} = {x} + {x} * {tip} // 100\n" if tip else ""
    if rest == "round":
        body = f"    return [-(-{x} // {k})] * {k}"
    else:
        body = f"    share, left = {x} // {k}, {x} % {k}\n    return " + (
            f"[share + left] + [share] * ({k} - 1)" if rest == "first" else f"[share] * ({k} - 1) + [share + left]"
        )
    return Task(
        says=split_bill_says(x, k),
        rules=split_bill_rules(k, tip, rest, bad),
        code=f"def {f}({x}, {k}):\n{guard(f'{k} < 1', bad, 'nobody pays')}{add}{body}",
        oracle=partial(split_bill_oracle, tip, rest, bad),
        inputs=((0, 2), (100, 0), (50, -1), (100, 3), (90, 3), (1000, 7), (5, 2), (2000, 1), (101, 4), (360, 8)),
    )


@family(
    "make_change coins_for change_coins pay_out",
    "amount cents total n",
    coins=((25, 10, 5), (50, 20, 10), (100, 50, 5), (10, 5, 2)),
    give=("list", "dict", "count"),
    rest=("ValueError", "None"),
)
def make_change(n: Names, coins: tuple[int, ...], give: str, rest: str) -> Task:
    f, x = n
    listed = ", ".join(map(str, coins))
    start = {"list": "[]", "dict": "{}", "count": "0"}[give]
    step = {
        "list": f"        out += [coin] * ({x} // coin)\n",
        "dict": f"        if {x} >= coin:\n            out[coin] = {x} // coin\n",
        "count": f"        out += {x} // coin\n",
    }[give]
    what = {"list": "the list of coins", "dict": "a dict from coin to number of coins", "count": "the number of coins"}[
        give
    ]

    def oracle(amount: int) -> object:
        used: list[int] = []
        for coin in coins:
            while amount >= coin:
                amount -= coin
                used.append(coin)
        if amount:
            return outcome(rest)
        return {"list": used, "count": len(used), "dict": {coin: used.count(coin) for coin in coins if coin in used}}[
            give
        ]

    return Task(
        says=(
            f"pay `{x}` with coins of {listed}, always taking the largest that fits, and return {what}",
            f"return {what} needed for `{x}`, using the coins {listed}, largest first",
            f"make change for `{x}` from coins of {listed}, beginning with the largest, and return {what}",
            f"compute {what} that make up `{x}` when the largest of the coins {listed} is used first",
            f"break `{x}` into the coins {listed}, as large as possible each time, and return {what}",
            f"determine {what} for paying `{x}`; the coins are {listed} and larger ones come first",
        ),
        rules=(
            raising("something remains", rest)
            if rest == "ValueError"
            else (
                "If something remains, return None.",
                "Return None if a rest remains.",
                "A rest that cannot be paid gives None.",
            ),
        ),
        code=(
            f"def {f}({x}):\n    out = {start}\n    for coin in {list(coins)}:\n{step}        {x} %= coin\n"
            f"{guard(x, rest, 'cannot be paid')}    return out"
        ),
        oracle=oracle,
        inputs=each(0, 10, 30, 41, 70, 99, 100, 155, 200, 260, 3, 80, 1),
    )
