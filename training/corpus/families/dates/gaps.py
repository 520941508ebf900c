"""How many days lie between two dates."""

from __future__ import annotations

from datetime import date

from training.corpus.clauses import raising
from training.corpus.families.dates.days import DAYS
from training.corpus.registry import family
from training.corpus.types import Names, Rule, Task

DAYS_BETWEEN_INPUTS: tuple[tuple[object, ...], ...] = (
    (DAYS[0], DAYS[0]),
    (DAYS[1], DAYS[0]),
    (DAYS[0], DAYS[1]),
    (DAYS[2], DAYS[3]),
    (date(2024, 3, 1), date(2024, 3, 2)),
    (date(2024, 6, 8), date(2024, 6, 9)),
    (date(2024, 5, 1), date(2024, 5, 15)),
    (date(2024, 9, 20), date(2024, 9, 3)),
    (date(2024, 9, 1), date(2024, 9, 30)),
)


def days_between_oracle(unit: str, order: str, x: date, y: date) -> int:
    if x > y and order == "ValueError":
        raise ValueError
    if x > y and order == "absolute":
        x, y = y, x
    gap = y.toordinal() - x.toordinal()
    if unit == "days":
        return gap
    if unit == "weeks":
        return gap // 7
    names = [date.fromordinal(x.toordinal() + i).strftime("%a") for i in range(gap)]
    return len([name for name in names if (name in ("Sat", "Sun")) == (unit == "weekend days")])


def days_between_says(a: str, b: str, unit: str, text: bool) -> tuple[str, ...]:
    like = f" as text like `7 {unit}`" if text else ""
    named = {
        "days": "the number of days",
        "weeks": "the number of full weeks",
        "weekend days": "the number of Saturdays and Sundays",
        "weekdays": "the number of weekdays (Monday to Friday)",
    }[unit]
    return (
        f"return {named} from the date `{a}` to the date `{b}`{like}",
        f"compute {named} between the dates `{a}` and `{b}`{like}",
        f"count {named} from `{a}` up to `{b}`, both dates{like}",
        f"tell {named} that lie between the dates `{a}` and `{b}`{like}",
        f"calculate {named} from one date, `{a}`, to another, `{b}`{like}",
        f"determine {named} in the time from `{a}` to `{b}` (dates){like}",
    )


def days_between_rules(a: str, b: str, order: str, counted: bool) -> tuple[Rule, ...]:
    return (
        *(
            [
                (
                    f"`{b}` itself does not count.",
                    f"The day `{b}` is not counted.",
                    f"Count from `{a}` until the day before `{b}`.",
                )
            ]
            if counted
            else []
        ),
        {
            "negative": (
                f"The number is negative if `{a}` is later.",
                f"If `{a}` is later, the number is negative.",
                f"A later `{a}` gives a negative number.",
            ),
            "0": (
                f"If `{a}` is later, the number is 0.",
                f"The number is 0 if `{a}` is later.",
                f"A later `{a}` gives 0.",
            ),
            "absolute": (
                f"If `{a}` is later, swap them.",
                "The dates may come in any order; swap them if needed.",
                f"Swap the two if `{a}` is later.",
            ),
            "ValueError": raising(f"`{a}` is later than `{b}`", "ValueError"),
        }[order],
    )


@family(
    "days_between day_count date_gap difference_in_days",
    "start a first begin",
    "end b second finish",
    unit=("days", "weeks", "weekend days", "weekdays"),
    order=("negative", "absolute", "ValueError"),
    text=(False, True),
)
def days_between(n: Names, unit: str, order: str, text: bool) -> Task:
    f, a, b = n
    if unit in ("weekend days", "weekdays"):
        order = {"negative": "0"}.get(order, order)
    check = {
        "absolute": f"    if {a} > {b}:\n        {a}, {b} = {b}, {a}\n",
        "ValueError": f'    if {a} > {b}:\n        raise ValueError("wrong order")\n',
    }.get(order, "")
    test = {"weekdays": "< 5", "weekend days": ">= 5"}.get(unit)
    body = {"days": f"({b} - {a}).days", "weeks": f"({b} - {a}).days // 7"}.get(
        unit
    ) or f"sum(1 for i in range(({b} - {a}).days) if ({a} + timedelta(i)).weekday() {test})"
    result = f'str({body}) + " {unit}"' if text else body
    imports = "from datetime import timedelta\n\n\n" if test else ""

    def oracle(x: date, y: date) -> object:
        number = days_between_oracle(unit, order, x, y)
        return f"{number} {unit}" if text else number

    return Task(
        says=days_between_says(a, b, unit, text),
        rules=days_between_rules(a, b, order, test is not None),
        code=f"{imports}def {f}({a}, {b}):\n{check}    return {result}",
        oracle=oracle,
        inputs=DAYS_BETWEEN_INPUTS,
    )
