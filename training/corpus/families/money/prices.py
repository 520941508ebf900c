"""What something costs: discounts, tax, shipping, carts."""

from __future__ import annotations

from functools import partial
from typing import TypedDict, Unpack

from training.corpus.clauses import each, guard, outcome, raising, rounding
from training.corpus.registry import family
from training.corpus.types import Names, Task


def discounted_oracle(percent: int, limit: int, inclusive: bool, negative: str, price: float) -> object:
    if price < 0:
        return outcome(negative)
    reduced = round(price * (100 - percent) / 100, 2)
    if limit == 0:
        return max(1, reduced) if inclusive else reduced
    return reduced if price > limit or (inclusive and price == limit) else round(price, 2)


@family(
    "discounted apply_discount reduced_price sale_price",
    "price amount total value",
    percent=(5, 10, 15, 20, 25, 50),
    limit=(0, 20, 50, 100),
    inclusive=(True, False),
    negative=("ValueError", "0", "None"),
)
def discounted(n: Names, percent: int, limit: int, inclusive: bool, negative: str) -> Task:
    f, x = n
    symbol = ">=" if inclusive else ">"
    least = "of at least" if inclusive else "above"
    condition = "" if limit == 0 else f" for prices {least} {limit}"
    body = (
        f"    return round({x} * {100 - percent} / 100, 2)"
        if limit == 0
        else f"    if {x} {symbol} {limit}:\n        {x} = {x} * {100 - percent} / 100\n    return round({x}, 2)"
    )
    rules = [rounding(2)]
    if limit:
        rules.insert(
            0, ("Lower prices stay the same.", "Other prices are not reduced.", "There is no discount on other prices.")
        )
    elif inclusive:
        body = body.replace("return round(", "return max(1, round(")[:-1] + "))"
        rules.insert(
            0, ("The result is at least 1.", "Never return less than 1.", "Return 1 if the result would be lower.")
        )
    return Task(
        says=(
            f"return `{x}` after a discount of {percent} percent{condition}",
            f"reduce `{x}` by {percent} percent{condition} and return the new price",
            f"take {percent} percent off `{x}`{condition}",
            f"compute the price `{x}` with {percent} percent discount{condition}",
            f"subtract a discount of {percent} percent from `{x}`{condition}",
            f"lower `{x}` by {percent} percent{condition}",
        ),
        rules=(
            *rules,
            raising(f"`{x}` is negative", negative)
            if negative == "ValueError"
            else (
                f"If `{x}` is negative, return {negative}.",
                f"Return {negative} for a negative `{x}`.",
                f"A negative `{x}` gives {negative}.",
            ),
        ),
        code=f"def {f}({x}):\n{guard(f'{x} < 0', negative, f'{x} is negative')}{body}",
        oracle=partial(discounted_oracle, percent, limit, inclusive, negative),
        inputs=each(0, -5, 10, 20, 50, 100, 19.99, 120, 49.5, 250, 0.5),
    )


def with_tax_oracle(rate: int, give: str, digits: int, free: int, price: float) -> float:
    if price < free:
        return 0 if give == "tax" else price
    return round(
        {"gross": price * (1 + rate / 100), "tax": price * rate / 100, "net": price / (1 + rate / 100)}[give],
        digits,
    )


@family(
    "with_tax add_tax gross_price price_with_tax",
    "price amount net value",
    rate=(5, 7, 8, 19, 20, 21),
    give=("gross", "tax", "net"),
    digits=(0, 1, 2),
    free=(0, 10, 22),
)
def with_tax(n: Names, rate: int, give: str, digits: int, free: int) -> Task:
    f, x = n
    value = {"gross": f"{x} * (1 + {rate} / 100)", "tax": f"{x} * {rate} / 100", "net": f"{x} / (1 + {rate} / 100)"}[
        give
    ]
    untaxed = "0" if give == "tax" else x
    check = f"    if {x} < {free}:\n        return {untaxed}\n" if free else ""
    what = {
        "gross": f"`{x}` with {rate} percent tax added",
        "tax": f"the tax of {rate} percent on `{x}`",
        "net": f"the price without tax when `{x}` includes {rate} percent tax",
    }[give]
    no_tax = f"Below {free} there is no tax: return {'0' if give == 'tax' else 'it unchanged'}."
    return Task(
        says=(
            f"return {what}",
            f"compute {what}",
            f"calculate {what}",
            f"give {what}",
            f"determine {what}",
            f"work out {what}",
        ),
        rules=(
            rounding(digits),
            *(
                [
                    (
                        no_tax,
                        (
                            f"Return {'0' if give == 'tax' else f'`{x}` itself'} if `{x}` is less than {free}, which "
                            "is free of tax."
                        ),
                        f"Amounts under {free} are free of tax and give {'0' if give == 'tax' else 'themselves'}.",
                    )
                ]
                if free
                else []
            ),
        ),
        code=f"def {f}({x}):\n{check}    return round({value}, {digits})",
        oracle=partial(with_tax_oracle, rate, give, digits, free),
        inputs=each(0, 10, 100, 5, 19.99, 250, 9.5, 1234.56, 22, 21.75),
    )


class Tariff(TypedDict):
    """The options of `shipping_cost`: a base price up to `free` kg, a price for each further kg, up to `heavy` kg."""

    base: int
    step: int
    free: int
    heavy: int
    bad: str


@family(
    "shipping_cost delivery_fee postage freight",
    "weight kg mass w",
    base=(3, 5, 8),
    step=(1, 2, 4),
    free=(2, 5, 10),
    heavy=(20, 30),
    bad=("ValueError", "None"),
)
def shipping_cost(n: Names, **tariff: Unpack[Tariff]) -> Task:
    f, x = n
    base, step, free = tariff["base"], tariff["step"], tariff["free"]
    heavy, bad = tariff["heavy"], tariff["bad"]

    def oracle(weight: float) -> object:
        if weight <= 0 or weight > heavy:
            return outcome(bad)
        return base if weight <= free else base + step * (weight - free)

    return Task(
        says=(
            f"return the shipping cost for `{x}` kg: {base} up to {free} kg, and {step} more for each kg above {free}",
            (
                f"compute the postage of a parcel of `{x}` kg, which is {base} for at most {free} kg plus {step} per "
                f"kg beyond {free}"
            ),
            f"calculate what sending `{x}` kg costs: {base} for the first {free} kg and {step} for every further kg",
            f"determine the fee for `{x}` kg; it is {base} up to {free} kg, each kg over {free} adds {step}",
            f"give the delivery price of `{x}` kg, with {base} up to {free} kg and {step} per kg above that",
            f"charge {base} for a weight `{x}` of up to {free} kg and add {step} for each kg above {free}",
        ),
        rules=(
            raising(f"`{x}` is not positive or above {heavy}", bad)
            if bad == "ValueError"
            else (
                f"If `{x}` is not positive or above {heavy}, return None.",
                f"Return None unless `{x}` is positive and at most {heavy}.",
                f"A weight that is not positive or above {heavy} gives None.",
            ),
        ),
        code=(
            f"def {f}({x}):\n{guard(f'{x} <= 0 or {x} > {heavy}', bad, 'bad weight')}    if {x} <= {free}:\n"
            f"        return {base}\n    return {base} + {step} * ({x} - {free})"
        ),
        oracle=oracle,
        inputs=each(0, -1, 1, free, free + 1, free + 3, heavy, heavy + 1, 19, free + 2.5),
    )


def cart_total_oracle(tier: int, percent: int, fee: int, items: list[tuple[float, int] | dict[str, float]]) -> float:
    total = 0.0
    for item in items:
        price, count = item if isinstance(item, tuple) else (item["price"], item["count"])
        total += price * count
    if total >= tier:
        total -= total * percent / 100
    elif total > 0:
        total += fee
    return round(total, 2)


def cart_total_says(xs: str, tier: int, percent: int, shape: str) -> tuple[str, ...]:
    rows = "(price, count) pairs" if shape == "pairs" else "dicts with `price` and `count`"
    return (
        f"return the total of the {rows} in `{xs}`, with {percent} percent off from {tier} on",
        (f"add up price times count of the {rows} in `{xs}`; a sum of at least {tier} gets {percent} percent discount"),
        f"compute what the {rows} in `{xs}` cost together, less {percent} percent if that is at least {tier}",
        (
            f"calculate the sum of price times count over `{xs}`, a list of {rows}, and take off {percent} percent "
            f"from {tier} on"
        ),
        f"sum the cost of the {rows} in `{xs}` and reduce it by {percent} percent if it reaches {tier}",
        f"determine the price of all {rows} in `{xs}`; from a total of {tier} on, {percent} percent are deducted",
    )


@family(
    "cart_total order_total sum_cart basket_sum",
    "items lines cart basket",
    tier=(50, 100, 200),
    percent=(5, 10, 20),
    fee=(0, 4, 6),
    shape=("pairs", "dicts"),
)
def cart_total(n: Names, tier: int, percent: int, fee: int, shape: str) -> Task:
    f, xs = n
    product = "price * count for price, count" if shape == "pairs" else 'i["price"] * i["count"] for i'
    add = f"    elif total > 0:\n        total += {fee}\n" if fee else ""
    baskets: tuple[list[tuple[float, int]], ...] = (
        [],
        [(10, 1)],
        [(tier, 1)],
        [(5, 2), (1.5, 4)],
        [(tier, 2)],
        [(30, 3), (2, 5)],
        [(tier - 1, 1)],
        [(0, 3)],
        [(12.25, 2), (60, 3)],
    )
    shaped = [basket if shape == "pairs" else [{"price": p, "count": c} for p, c in basket] for basket in baskets]
    return Task(
        says=cart_total_says(xs, tier, percent, shape),
        rules=(
            rounding(2),
            *(
                [
                    (
                        f"A smaller sum above 0 gets a fee of {fee}.",
                        f"Add a fee of {fee} if the sum is smaller than that but not 0.",
                        f"Otherwise add {fee}, unless the sum is 0.",
                    )
                ]
                if fee
                else []
            ),
        ),
        code=(
            f"def {f}({xs}):\n    total = sum({product} in {xs})\n    if total >= {tier}:\n"
            f"        total -= total * {percent} / 100\n{add}    return round(total, 2)"
        ),
        oracle=partial(cart_total_oracle, tier, percent, fee),
        inputs=each(*shaped),
    )
