"""Time between dates: shifts and ages."""

from __future__ import annotations

from datetime import date
from functools import partial

from training.corpus.clauses import guard, outcome, raising, when_negative
from training.corpus.families.dates.days import DAYS
from training.corpus.registry import family
from training.corpus.types import Names, Rule, Task

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
    (date(2024, 6, 19), -7),
)


def add_days_oracle(how: tuple[str, str, str], negative: str, day: date, count: int) -> date:
    direction, weekend, unit = how
    if count < 0 and negative == "ValueError":
        raise ValueError
    step = count * (1 if unit == "days" else 7) * (1 if direction == "later" else -1)
    result = date.fromordinal(day.toordinal() + step)
    if result.isoweekday() > 5 and weekend != "nothing":
        move = 8 - result.isoweekday() if weekend == "Monday" else 5 - result.isoweekday()
        result = date.fromordinal(result.toordinal() + move)
    return result


def add_days_rules(k: str, weekend: str, negative: str) -> tuple[Rule, ...]:
    day = {"nothing": "", "Monday": "next Monday", "Friday": "Friday before"}[weekend]
    return (
        (
            f"If that is a Saturday or Sunday, take the {day}.",
            f"A result on a weekend moves to the {day}.",
            f"Weekend dates become the {day}.",
        )
        if day
        else (
            "The result may be on a weekend.",
            "Saturdays and Sundays count like other days.",
            "It does not matter if that is a Saturday or Sunday.",
        ),
        when_negative(k, negative)
        if negative == "ValueError"
        else (
            f"A negative `{k}` moves it the other way.",
            f"If `{k}` is negative, go the other way.",
            f"`{k}` may be negative, which reverses the direction.",
        ),
    )


@family(
    "add_days later_date shift_date date_after",
    "day start d date_value",
    "count n k days",
    direction=("later", "earlier"),
    weekend=("nothing", "Monday", "Friday"),
    unit=("days", "weeks"),
    negative=("other way", "ValueError"),
)
def add_days(n: Names, direction: str, weekend: str, unit: str, negative: str) -> Task:
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
    check = guard(f"{k} < 0", negative, f"{k} is negative") if negative == "ValueError" else ""
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
        rules=add_days_rules(k, weekend, negative),
        code=f"from datetime import timedelta\n\n\ndef {f}({d}, {k}):\n{check}{body}",
        oracle=partial(add_days_oracle, (direction, weekend, unit), negative),
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


def age_on_oracle(unit: str, x: date, y: date) -> int:
    if unit in ("weeks", "days"):
        return len(range(x.toordinal() + 1, y.toordinal() + 1)) // (7 if unit == "weeks" else 1)
    step, count = 12 if unit == "years" else 1, 0
    while (y.year * 12 + y.month, y.day) >= (x.year * 12 + x.month + (count + 1) * step, x.day):
        count += 1
    return count


@family(
    "age_on years_between full_years age",
    "born birthday start birth_date",
    "today on day now",
    unit=("years", "months", "weeks", "days"),
    future=("ValueError", "0", "None"),
    text=(False, True),
)
def age_on(n: Names, unit: str, future: str, text: bool) -> Task:
    f, b, t = n
    years = f"{t}.year - {b}.year - (({t}.month, {t}.day) < ({b}.month, {b}.day))"
    months = f"({t}.year - {b}.year) * 12 + {t}.month - {b}.month - ({t}.day < {b}.day)"
    days = f"({t} - {b}).days"
    value = {"years": years, "months": months, "weeks": f"{days} // 7", "days": days}[unit]
    result = f'str({value}) + " {unit}"' if text else value

    def oracle(x: date, y: date) -> object:
        if x > y:
            return outcome(future)
        count = age_on_oracle(unit, x, y)
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
