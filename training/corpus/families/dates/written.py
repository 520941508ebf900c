"""Dates as text."""

from __future__ import annotations

import calendar
from datetime import date
from functools import partial

from training.corpus.clauses import each, outcome, raising
from training.corpus.families.dates.days import ONE_DAY
from training.corpus.registry import family
from training.corpus.types import Names, Task

FORMATS = {
    "2024-03-05": "%Y-%m-%d",
    "05.03.2024": "%d.%m.%Y",
    "03/05/2024": "%m/%d/%Y",
    "20240305": "%Y%m%d",
    "05-03-2024": "%d-%m-%Y",
}


def parse_date_oracle(form: str, bad: str, strip: bool, text: str) -> object:
    text = text.strip(" ") if strip else text
    separators = [c for c in form if not c.isdigit()]
    parts = text.split(separators[0]) if separators else [text[:4], text[4:6], text[6:]]
    order_of = {
        "2024-03-05": "ymd",
        "05.03.2024": "dmy",
        "03/05/2024": "mdy",
        "20240305": "ymd",
        "05-03-2024": "dmy",
    }[form]
    if len(parts) == 3 and all(p.isdigit() for p in parts):
        y, m, d = (int(parts[order_of.index(k)]) for k in "ymd")
        if 1 <= m <= 12 and 1 <= d <= calendar.monthrange(y, m)[1]:
            return date(y, m, d)
    return date.min if bad == "date.min" else outcome(bad)


def parse_date_says(s: str, form: str) -> tuple[str, ...]:
    order = {
        "2024-03-05": "year-month-day",
        "05.03.2024": "day.month.year",
        "03/05/2024": "month/day/year",
        "20240305": "year, month and day without separators",
        "05-03-2024": "day-month-year",
    }[form]
    return (
        f"parse `{s}`, a date like `{form}` ({order}), and return a date",
        f"convert the text `{s}` in the form `{form}` ({order}) to a date",
        f"read a date written as `{form}`, that is {order}, from `{s}`",
        f"turn `{s}` into a date; it looks like `{form}` ({order})",
        f"return the date that `{s}` stands for, in the format {order} as in `{form}`",
        f"interpret `{s}` as a date in the format `{form}` ({order})",
    )


@family(
    "parse_date read_date to_date date_from",
    "text s value source",
    form=("2024-03-05", "05.03.2024", "03/05/2024", "20240305", "05-03-2024"),
    bad=("None", "ValueError", "date.min"),
    strip=(True, False),
)
def parse_date(n: Names, form: str, bad: str, strip: bool) -> Task:
    f, s = n
    pattern = FORMATS[form]
    source = f"{s}.strip()" if strip else s
    parse = f'datetime.strptime({source}, "{pattern}").date()'
    names = "date, datetime" if bad == "date.min" else "datetime"
    body = (
        f"    return {parse}"
        if bad == "ValueError"
        else f"    try:\n        return {parse}\n    except ValueError:\n        return {bad}"
    )
    spaces = (
        ("Ignore spaces around it.", "Spaces at the ends do not matter.", "Strip spaces first.")
        if strip
        else ("Spaces around it are not allowed.", "Do not strip spaces.", "Text with spaces around it is not valid.")
    )
    days = [
        date(2024, 3, 5),
        date(2023, 12, 31),
        date(2000, 2, 29),
        date(2021, 10, 11),
        date(1999, 7, 4),
        date(2030, 1, 2),
    ]
    return Task(
        says=parse_date_says(s, form),
        rules=(
            spaces,
            raising("it is not valid", "ValueError")
            if bad == "ValueError"
            else (
                f"If it is not valid, return {bad}.",
                f"Return {bad} for text that is not valid.",
                f"Anything else gives {bad}.",
            ),
        ),
        code=f"from datetime import {names}\n\n\ndef {f}({s}):\n{body}",
        oracle=partial(parse_date_oracle, form, bad, strip),
        inputs=each(
            "",
            "soon",
            *(day.strftime(pattern) for day in days),
            f" {days[0].strftime(pattern)} ",
            days[1].strftime(pattern).replace("12", "13").replace("31", "32"),
        ),
    )


MONTHS = (
    "January",
    "February",
    "March",
    "April",
    "May",
    "June",
    "July",
    "August",
    "September",
    "October",
    "November",
    "December",
)


@family(
    "format_date date_text write_date show_date",
    "day d date_value when",
    form=("2024-03-05", "05.03.2024", "03/05/2024", "5 March 2024", "Mar 5, 2024", "5.3.2024", "Q1 2024"),
    none=("-", "n/a", "unknown"),
)
def format_date(n: Names, form: str, none: str) -> Task:
    f, d = n
    text = {
        "2024-03-05": f'{d}.strftime("%Y-%m-%d")',
        "05.03.2024": f'{d}.strftime("%d.%m.%Y")',
        "03/05/2024": f'{d}.strftime("%m/%d/%Y")',
        "5 March 2024": f'str({d}.day) + {d}.strftime(" %B %Y")',
        "Mar 5, 2024": f'{d}.strftime("%b ") + f"{{{d}.day}}, {{{d}.year}}"',
        "5.3.2024": f'f"{{{d}.day}}.{{{d}.month}}.{{{d}.year}}"',
        "Q1 2024": f'f"Q{{({d}.month + 2) // 3}} {{{d}.year}}"',
    }[form]
    check = f'    if {d} is None:\n        return "{none}"\n'

    def oracle(day: date | None) -> object:
        if day is None:
            return none
        name = MONTHS[day.month - 1]
        return {
            "2024-03-05": day.isoformat(),
            "05.03.2024": f"{day.day:02}.{day.month:02}.{day.year}",
            "03/05/2024": f"{day.month:02}/{day.day:02}/{day.year}",
            "5 March 2024": f"{day.day} {name} {day.year}",
            "Mar 5, 2024": f"{name[:3]} {day.day}, {day.year}",
            "5.3.2024": f"{day.day}.{day.month}.{day.year}",
            "Q1 2024": f"Q{-(-day.month // 3)} {day.year}",
        }[form]

    what = "the quarter and year" if form[0] == "Q" else "text"
    return Task(
        says=(
            f"return the date `{d}` as {what} in the form `{form}`",
            f"format the date `{d}` like `{form}`",
            f"write `{d}`, a date, as in `{form}`",
            f"turn the date `{d}` into {what} that looks like `{form}`",
            f"convert the date `{d}` to a string such as `{form}`",
            f"show the date `{d}` in the style `{form}`",
        ),
        rules=((f"For None return `{none}`.", f"If `{d}` is None, return `{none}`.", f"None gives `{none}`."),),
        code=f"def {f}({d}):\n{check}    return {text}",
        oracle=oracle,
        inputs=((None,), *ONE_DAY),
    )
