"""Time between dates: differences, shifts, ages."""

from __future__ import annotations

from datetime import date
from functools import partial

from training.corpus.clauses import outcome, raising
from training.corpus.families.dates.days import DAYS
from training.corpus.registry import family
from training.corpus.types import Names, Task

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


def days_between_oracle(unit: str, order: str, x: date, y: date) -> object:
    if x > y and order == "ValueError":
        return outcome(order)
    if x > y and order == "absolute":
        x, y = y, x
    gap = y.toordinal() - x.toordinal()
    if unit == "days":
        return gap
    if unit == "weeks":
        return gap // 7
    names = [date.fromordinal(x.toordinal() + i).strftime("%a") for i in range(gap)]
    return len([name for name in names if (name in ("Sat", "Sun")) == (unit == "weekend days")])


def days_between_says(a: str, b: str, unit: str) -> tuple[str, ...]:
    named = {
        "days": "the number of days",
        "weeks": "the number of full weeks",
        "weekend days": "the number of Saturdays and Sundays",
        "weekdays": "the number of weekdays (Monday to Friday)",
    }[unit]
    return (
        f"return {named} from the date `{a}` to the date `{b}`",
        f"compute {named} between the dates `{a}` and `{b}`",
        f"count {named} from `{a}` up to `{b}`, both dates",
        f"tell {named} that lie between the dates `{a}` and `{b}`",
        f"calculate {named} from one date, `{a}`, to another, `{b}`",
        f"determine {named} in the time from `{a}` to `{b}` (dates)",
    )


@family(
    "days_between day_count date_gap difference_in_days",
    "start a first begin",
    "end b second finish",
    unit=("days", "weeks", "weekend days", "weekdays"),
    order=("negative", "absolute", "ValueError"),
)
def days_between(n: Names, unit: str, order: str) -> Task:
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
    imports = "from datetime import timedelta\n\n\n" if test else ""
    return Task(
        says=days_between_says(a, b, unit),
        rules=(
            *(
                [
                    (
                        f"`{b}` itself does not count.",
                        f"The day `{b}` is not counted.",
                        f"Count from `{a}` until the day before `{b}`.",
                    )
                ]
                if test
                else []
            ),
            {
                "negative": (
                    f"The result is negative if `{a}` is later.",
                    f"If `{a}` is later, the result is negative.",
                    f"A later `{a}` gives a negative number.",
                ),
                "0": (f"If `{a}` is later, return 0.", f"Return 0 if `{a}` is later.", f"A later `{a}` gives 0."),
                "absolute": (
                    f"If `{a}` is later, swap them.",
                    "The dates may come in any order; swap them if needed.",
                    f"Swap the two if `{a}` is later.",
                ),
                "ValueError": raising(f"`{a}` is later than `{b}`", "ValueError"),
            }[order],
        ),
        code=f"{imports}def {f}({a}, {b}):\n{check}    return {body}",
        oracle=partial(days_between_oracle, unit, order),
        inputs=DAYS_BETWEEN_INPUTS,
    )


ADD_DAYS_INPUTS: tuple[tuple[object, ...], ...] = (
    (DAYS[0], 0),
    (DAYS[1], 1),
    (DAYS[2], 6),
    (DAYS[3], 0),
    (DAYS[4], 7),
    (DAYS[5], 30),
    (DAYS[6], 5),
    (DAYS[7], 2),
    (date(2024, 6, 5), 3),
    (date(2024, 6, 12), 4),
)


def add_days_oracle(direction: str, weekend: str, unit: str, day: date, count: int) -> date:
    step = count * (1 if unit == "days" else 7) * (1 if direction == "later" else -1)
    result = date.fromordinal(day.toordinal() + step)
    if result.isoweekday() > 5 and weekend != "nothing":
        move = 8 - result.isoweekday() if weekend == "Monday" else 5 - result.isoweekday()
        result = date.fromordinal(result.toordinal() + move)
    return result


@family(
    "add_days later_date shift_date date_after",
    "day start d date_value",
    "count n k days",
    direction=("later", "earlier"),
    weekend=("nothing", "Monday", "Friday"),
    unit=("days", "weeks"),
)
def add_days(n: Names, direction: str, weekend: str, unit: str) -> Task:
    f, d, k = n
    sign = "+" if direction == "later" else "-"
    argument = k if unit == "days" else f"weeks={k}"
    fix = {
        "nothing": "",
        "Monday": "    while result.weekday() > 4:\n        result += timedelta(1)\n",
        "Friday": "    while result.weekday() > 4:\n        result -= timedelta(1)\n",
    }[weekend]
    body = (
        f"    return {d} {sign} timedelta({argument})"
        if not fix
        else f"    result = {d} {sign} timedelta({argument})\n{fix}    return result"
    )
    return Task(
        says=(
            f"return the date `{k}` {unit} {direction} than `{d}`",
            f"compute the date that is `{k}` {unit} {direction} than the date `{d}`",
            (
                f"{'add' if direction == 'later' else 'subtract'} `{k}` {unit} "
                f"{'to' if direction == 'later' else 'from'} the date `{d}`"
            ),
            f"move the date `{d}` by `{k}` {unit} to a {direction} one and return it",
            f"return which date lies `{k}` {unit} {'after' if direction == 'later' else 'before'} `{d}`",
            (
                f"go `{k}` {unit} {'forward' if direction == 'later' else 'back'} from the date `{d}` and return the "
                "date reached"
            ),
        ),
        rules=()
        if weekend == "nothing"
        else (
            (
                (
                    "If that is a Saturday or Sunday, take the "
                    f"{'next Monday' if weekend == 'Monday' else 'Friday before'}."
                ),
                f"A result on a weekend moves to the {'following Monday' if weekend == 'Monday' else 'Friday before'}.",
                f"Weekend dates become the {'Monday after' if weekend == 'Monday' else 'Friday before'}.",
            ),
        ),
        code=f"from datetime import timedelta\n\n\ndef {f}({d}, {k}):\n{body}",
        oracle=partial(add_days_oracle, direction, weekend, unit),
        inputs=ADD_DAYS_INPUTS,
    )


AGE_ON_INPUTS: tuple[tuple[object, ...], ...] = (
    (DAYS[0], DAYS[0]),
    (DAYS[1], DAYS[0]),
    (date(2000, 5, 9), date(2024, 5, 8)),
    (date(2000, 5, 9), date(2024, 5, 9)),
    (date(1990, 12, 31), date(2024, 1, 1)),
    (date(2023, 3, 15), date(2024, 3, 14)),
    (date(2024, 1, 31), date(2024, 3, 1)),
    (date(2010, 6, 1), date(2020, 8, 20)),
)


@family(
    "age_on years_between full_years age",
    "born birthday start birth_date",
    "today on day now",
    unit=("years", "months"),
    future=("ValueError", "0", "None"),
    text=(False, True),
)
def age_on(n: Names, unit: str, future: str, text: bool) -> Task:
    f, b, t = n
    years = f"{t}.year - {b}.year - (({t}.month, {t}.day) < ({b}.month, {b}.day))"
    months = f"({t}.year - {b}.year) * 12 + {t}.month - {b}.month - ({t}.day < {b}.day)"
    value = years if unit == "years" else months
    result = f'str({value}) + " {unit}"' if text else value

    def oracle(x: date, y: date) -> object:
        if x > y:
            return outcome(future)
        count = 0
        while (y.year * 12 + y.month - 1, y.day) >= (
            x.year * 12 + x.month - 1 + (count + 1) * (12 if unit == "years" else 1),
            x.day,
        ):
            count += 1
        return f"{count} {unit}" if text else count

    like = f" as text like `7 {unit}`" if text else ""
    stop = f'raise ValueError("{b} is later")' if future == "ValueError" else f"return {future}"
    return Task(
        says=(
            f"return how many full {unit} have passed from the date `{b}` to the date `{t}`{like}",
            f"compute the age in {unit} on the date `{t}` of somebody born on `{b}`{like}",
            f"return the number of completed {unit} between the dates `{b}` and `{t}`{like}",
            f"calculate how many {unit} old something from the date `{b}` is on `{t}`{like}",
            f"count the full {unit} from `{b}` until `{t}`, both dates{like}",
            f"determine the age on `{t}` in complete {unit} for the date of birth `{b}`{like}",
        ),
        rules=(
            raising(f"`{b}` is later than `{t}`", future)
            if future == "ValueError"
            else (
                f"If `{b}` is later than `{t}`, return {future}.",
                f"Return {future} when `{b}` comes after `{t}`.",
                f"A `{b}` after `{t}` gives {future}.",
            ),
        ),
        code=f"def {f}({b}, {t}):\n    if {b} > {t}:\n        {stop}\n    return {result}",
        oracle=oracle,
        inputs=AGE_ON_INPUTS,
    )
