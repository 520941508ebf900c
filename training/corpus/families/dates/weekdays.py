"""Weekdays and the edges of months."""

from __future__ import annotations

import calendar
from datetime import date, timedelta
from functools import partial

from training.corpus.clauses import each
from training.corpus.families.dates.days import ONE_DAY
from training.corpus.registry import family
from training.corpus.types import Names, Task


@family(
    "weekday_name day_name name_of_day weekday_text",
    "day d date_value when",
    length=("full", "short"),
    case=("capital", "lower", "upper"),
    first=("Monday", "number"),
)
def weekday_name(n: Names, length: str, case: str, first: str) -> Task:
    f, d = n
    days = ["Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday"]
    shown = [
        {"capital": x, "lower": x.lower(), "upper": x.upper()}[case]
        for x in (days if length == "full" else [x[:3] for x in days])
    ]
    listed = ", ".join(f'"{x}"' for x in shown)
    number = f' + " " + str({d}.day)' if first == "number" else ""
    example = f"{shown[0]}" + (" 1" if first == "number" else "")

    def oracle(day: date) -> str:
        name = day.strftime("%A" if length == "full" else "%a")
        name = {"capital": name, "lower": name.lower(), "upper": name.upper()}[case]
        return f"{name} {day.day}" if first == "number" else name

    followed = " followed by the day of the month" if first == "number" else ""
    return Task(
        says=(
            f"return the English weekday of the date `{d}`{followed}, like `{example}`",
            f"return the name of the weekday on which `{d}` falls{followed}, written like `{example}`",
            f"tell the weekday of the date `{d}`{followed} in the form `{example}`",
            f"give the English name of the day of the week for `{d}`{followed}, such as `{example}`",
            f"find the weekday of `{d}`, a date,{followed} and return text like `{example}`",
            f"write the weekday of the date `{d}`{followed} as in `{example}`",
        ),
        code=f"def {f}({d}):\n    names = [{listed}]\n    return names[{d}.weekday()]{number}",
        oracle=oracle,
        inputs=ONE_DAY,
    )


@family(
    "is_weekend day_check is_free_day falls_on",
    "day d date_value when",
    kind=(
        "a Saturday or Sunday",
        "a Friday or Saturday",
        "a weekday from Monday to Friday",
        "the last day of its month",
        "the first day of a quarter",
        "in a leap year",
        "the 13th and a Friday",
    ),
    negate=(False, True),
)
def is_weekend(n: Names, kind: str, negate: bool) -> Task:
    f, d = n
    test = {
        "a Saturday or Sunday": f"{d}.weekday() >= 5",
        "a Friday or Saturday": f"{d}.weekday() in (4, 5)",
        "a weekday from Monday to Friday": f"{d}.weekday() < 5",
        "the last day of its month": f"({d} + timedelta(1)).month != {d}.month",
        "the first day of a quarter": f"{d}.day == 1 and {d}.month % 3 == 1",
        "in a leap year": f"{d}.year % 4 == 0 and ({d}.year % 100 != 0 or {d}.year % 400 == 0)",
        "the 13th and a Friday": f"{d}.day == 13 and {d}.weekday() == 4",
    }[kind]
    value = f"not ({test})" if negate else test
    imports = "from datetime import timedelta\n\n\n" if "timedelta" in test else ""
    no = "not " if negate else ""

    def oracle(day: date) -> bool:
        name = day.strftime("%a")
        held = {
            "a Saturday or Sunday": name in ("Sat", "Sun"),
            "a Friday or Saturday": name in ("Fri", "Sat"),
            "a weekday from Monday to Friday": name not in ("Sat", "Sun"),
            "the last day of its month": day.day == calendar.monthrange(day.year, day.month)[1],
            "the first day of a quarter": (day.month, day.day) in ((1, 1), (4, 1), (7, 1), (10, 1)),
            "in a leap year": calendar.isleap(day.year),
            "the 13th and a Friday": (day.day, name) == (13, "Fri"),
        }[kind]
        return held != negate

    return Task(
        says=(
            f"return whether the date `{d}` is {no}{kind}",
            f"check whether `{d}`, a date, is {no}{kind}",
            f"return True if the date `{d}` is {no}{kind}, else False",
            f"tell whether the date `{d}` is {no}{kind}",
            f"test if the date `{d}` is {no}{kind}",
            f"decide if `{d}` is a date that is {no}{kind}",
        ),
        code=f"{imports}def {f}({d}):\n    return {value}",
        oracle=oracle,
        inputs=(*ONE_DAY, *each(date(2024, 9, 13), date(1900, 3, 30), date(2024, 10, 1), date(2023, 1, 13))),
    )


def month_edge_oracle(what: str, unit: str, day: date) -> object:
    low = date(day.year, day.month if unit == "month" else 1, 1)
    high = (
        date(day.year, 12, 31)
        if unit == "year"
        else date(day.year, day.month, calendar.monthrange(day.year, day.month)[1])
    )
    return {
        "first day": low,
        "last day": high,
        "number of days": (high - low).days + 1,
        "first day of the next": high + timedelta(1),
        "last day of the previous": low - timedelta(1),
    }[what]


@family(
    "month_edge month_day edge_of_month day_in_month",
    "day d date_value when",
    what=("first day", "last day", "number of days", "first day of the next", "last day of the previous"),
    unit=("month", "year"),
)
def month_edge(n: Names, what: str, unit: str) -> Task:
    f, d = n
    first = f"{d}.replace(day=1)" if unit == "month" else f"{d}.replace(month=1, day=1)"
    following = f"({first} + timedelta(days=32)).replace(day=1)" if unit == "month" else f"date({d}.year + 1, 1, 1)"
    body = {
        "first day": first,
        "last day": f"{following} - timedelta(days=1)",
        "number of days": f"({following} - {first}).days",
        "first day of the next": following,
        "last day of the previous": f"{first} - timedelta(days=1)",
    }[what]
    names = [name for name in ("date", "timedelta") if f"{name}(" in body]
    imports = f"from datetime import {', '.join(names)}\n\n\n" if names else ""
    phrase = f"the {what} {unit}" if what.endswith(("next", "previous")) else f"the {what} of the {unit}"
    of = (
        f"after `{d}`'s"
        if what.endswith("next")
        else f"before `{d}`'s"
        if what.endswith("previous")
        else f"in which `{d}` lies"
    )
    phrase = f"the {what.split(' of ')[0]} of the {unit} {of}"
    result = "" if what == "number of days" else " as a date"
    return Task(
        says=(
            f"return {phrase}{result}",
            f"compute {phrase}{result}",
            f"find {phrase}{result}",
            f"determine {phrase} and return it{result}",
            f"take the date `{d}` and return {phrase}{result}",
            f"give {phrase}{result}",
        ),
        code=f"{imports}def {f}({d}):\n    return {body}",
        oracle=partial(month_edge_oracle, what, unit),
        inputs=ONE_DAY,
    )
