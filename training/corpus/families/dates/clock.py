"""Times of day as text."""

from __future__ import annotations

from functools import partial

from training.corpus.clauses import each, guard, outcome, raising
from training.corpus.registry import family
from training.corpus.types import Names, Rule, Task


def clock_minutes_oracle(separator: str, unit: str, bad: str, text: str) -> object:
    h, mark, m = text.partition(separator)
    if not mark or not (h.isdigit() and m.isdigit()) or int(h) > 23 or int(m) > 59:
        return outcome(bad)
    return (int(h) * 60 + int(m)) * (1 if unit == "minutes" else 60)


@family(
    "clock_minutes parse_time minutes_of time_to_minutes",
    "text s time_text clock",
    separator=(":", ".", "h"),
    unit=("minutes", "seconds"),
    bad=("ValueError", "None", "-1"),
)
def clock_minutes(n: Names, separator: str, unit: str, bad: str) -> Task:
    f, s = n
    factor = "" if unit == "minutes" else " * 60"
    value = f"(int(h) * 60 + int(m)){factor}" if factor else "int(h) * 60 + int(m)"
    example = f"07{separator}30"
    result = "450" if unit == "minutes" else "27000"
    return Task(
        says=(
            f"return how many {unit} after midnight the time `{s}` is; `{example}` gives {result}",
            f"convert the time `{s}`, such as `{example}`, to {unit} since midnight ({result})",
            f"parse `{s}`, a time like `{example}`, and return the {unit} since midnight, here {result}",
            f"compute the {unit} from midnight to the time `{s}`, for example {result} for `{example}`",
            f"turn a time of day `{s}` like `{example}` into {unit} after midnight, like {result}",
            f"read hours and minutes from `{s}` (like `{example}`) and return the {unit} since midnight ({result})",
        ),
        rules=(
            raising("it is not a valid time", bad)
            if bad == "ValueError"
            else (
                f"If it is not a valid time, return {bad}.",
                f"Return {bad} for an invalid time.",
                f"An invalid time gives {bad}.",
            ),
        ),
        code=f"""
def {f}({s}):
    h, mark, m = {s}.partition("{separator}")
{guard("not (h.isdigit() and m.isdigit()) or int(h) > 23 or int(m) > 59", bad, "not a valid time")}    return {value}
""",
        oracle=partial(clock_minutes_oracle, separator, unit, bad),
        inputs=each(
            "",
            "noon",
            *(
                f"{h}{separator}{m}"
                for h, m in (
                    ("00", "00"),
                    ("07", "30"),
                    ("23", "59"),
                    ("24", "00"),
                    ("12", "60"),
                    ("9", "5"),
                    ("18", "45"),
                    ("01", "01"),
                )
            ),
        ),
    )


def clock_text_oracle(style: str, wrap: str, pad: bool, total: int) -> object:
    if not 0 <= total < 1440:
        if wrap != "wrap":
            return outcome(wrap)
        while total < 0:
            total += 1440
        while total >= 1440:
            total -= 1440
    h, m = divmod(total, 60)
    shown = h if style == "24 hours" else 12 if h % 12 == 0 else h % 12
    text = f"{shown:0>2}:{m:0>2}" if pad else f"{shown}:{m:0>2}"
    return text if style == "24 hours" else f"{text} {'am' if h < 12 else 'pm'}"


@family(
    "clock_text minutes_to_time time_of show_clock",
    "minutes m total n",
    style=("24 hours", "12 hours"),
    wrap=("wrap", "ValueError", "None"),
    pad=(True, False),
)
def clock_text(n: Names, style: str, wrap: str, pad: bool) -> Task:
    f, x = n
    check = (
        f"    {x} = {x} % 1440\n" if wrap == "wrap" else guard(f"{x} < 0 or {x} >= 1440", wrap, f"{x} is out of range")
    )
    spec = "02d" if pad else "d"
    if style == "24 hours":
        body = f'    return f"{{{x} // 60:{spec}}}:{{{x} % 60:02d}}"'
        example = "`07:05` for 425" if pad else "`7:05` for 425"
    else:
        body = (
            f'    h = {x} // 60 % 12 or 12\n    half = "am" if {x} < 720 else "pm"\n'
            f'    return f"{{h:{spec}}}:{{{x} % 60:02d}} {{half}}"'
        )
        example = "`07:05 am` for 425" if pad else "`7:05 am` for 425"
    return Task(
        says=(
            f"return the time of day that is `{x}` minutes after midnight as text, with a clock of {style}: {example}",
            f"convert `{x}` minutes since midnight to a time on a clock of {style}, {example}",
            f"turn `{x}`, minutes after midnight, into text like {example} ({style})",
            f"write `{x}` minutes since midnight as a clock time ({style}), for example {example}",
            f"format minutes after midnight, `{x}`, as a time with {style}, such as {example}",
            f"show the clock time for `{x}` minutes past midnight in the style of {style}: {example}",
        ),
        rules=(
            {
                "wrap": (
                    "Other numbers wrap around after 24 hours.",
                    "After 24 hours it starts again, also for negative numbers.",
                    "Count on into the next or previous day.",
                ),
                "ValueError": raising(f"`{x}` is negative or 1440 or more", "ValueError"),
                "None": (
                    f"If `{x}` is negative or 1440 or more, return None.",
                    "Return None outside one day (0 to 1439).",
                    "Numbers outside 0 to 1439 give None.",
                ),
            }[wrap],
        ),
        code=f"def {f}({x}):\n{check}{body}",
        oracle=partial(clock_text_oracle, style, wrap, pad),
        inputs=each(0, -1, 59, 60, 425, 719, 720, 779, 1439, 1440, 3000),
    )


def add_minutes_says(s: str, k: str, direction: str, seconds: bool) -> tuple[str, ...]:
    form, example = ("HH:MM:SS", "23:59:10") if seconds else ("HH:MM", "23:59")
    unit = "seconds" if seconds else "minutes"
    return (
        f"return the time `{k}` {unit} {direction} than `{s}`, a text in the form {form}",
        f"compute the clock time that is `{k}` {unit} {direction} than the {form} text `{s}`",
        (
            f"{'add' if direction == 'later' else 'subtract'} `{k}` {unit} "
            f"{'to' if direction == 'later' else 'from'} the time `{s}`, written as {form}"
        ),
        f"move the time `{s}` (like {example}) by `{k}` {unit} to a {direction} one",
        f"take a time `{s}` such as {example} and return the one `{k}` {unit} {direction}, in the same form",
        (
            f"return `{s}`, a time as {form}, after moving it `{k}` {unit} "
            f"{'forward' if direction == 'later' else 'back'}"
        ),
    )


def add_minutes_rules(wrap: str) -> tuple[Rule, ...]:
    return (
        {
            "wrap": ("Wrap around at midnight.", "After midnight it starts again at 0.", "Midnight wraps around."),
            "ValueError": raising("the result is on another day", "ValueError"),
            "None": (
                "If the result is on another day, return None.",
                "Return None if midnight is passed.",
                "A result on another day gives None.",
            ),
        }[wrap],
    )


def add_minutes_code(n: Names, direction: str, wrap: str, seconds: bool, day: int) -> str:
    f, s, k = n
    sign = "+" if direction == "later" else "-"
    parse = (
        f'    h, m, s = map(int, {s}.split(":"))\n    total = h * 3600 + m * 60 + s {sign} {k}\n'
        if seconds
        else f'    h, m = map(int, {s}.split(":"))\n    total = h * 60 + m {sign} {k}\n'
    )
    if s == "s":
        parse = (
            parse.replace("h, m, s = map", "h, m, sec = map").replace("+ s +", "+ sec +").replace("+ s -", "+ sec -")
        )
    if k == "m":
        parse = (
            parse.replace("h, m,", "h, mins,")
            .replace("h, m =", "h, mins =")
            .replace("m * 60", "mins * 60")
            .replace(" + m +", " + mins +")
            .replace(" + m -", " + mins -")
        )
    check = (
        f"    total = total % {day}\n" if wrap == "wrap" else guard(f"total < 0 or total >= {day}", wrap, "another day")
    )
    result = (
        'f"{total // 3600:02d}:{total // 60 % 60:02d}:{total % 60:02d}"'
        if seconds
        else 'f"{total // 60:02d}:{total % 60:02d}"'
    )
    return f"def {f}({s}, {k}):\n{parse}{check}    return {result}"


@family(
    "add_minutes shift_time later_time time_after",
    "text s start clock",
    "minutes m count n",
    direction=("later", "earlier"),
    wrap=("wrap", "ValueError", "None"),
    seconds=(False, True),
)
def add_minutes(n: Names, direction: str, wrap: str, seconds: bool) -> Task:
    _, s, k = n
    day = 86400 if seconds else 1440

    def oracle(text: str, count: int) -> object:
        parts = [int(p) for p in text.split(":")]
        total = parts[0] * 60 + parts[1] if not seconds else (parts[0] * 60 + parts[1]) * 60 + parts[2]
        total += count if direction == "later" else -count
        if not 0 <= total < day:
            if wrap != "wrap":
                return outcome(wrap)
            total -= total // day * day
        rest, last = divmod(total, 60)
        return f"{rest // 60:0>2}:{rest % 60:0>2}:{last:0>2}" if seconds else f"{rest:0>2}:{last:0>2}"

    times = (
        ("00:00", 0),
        ("23:59", 1),
        ("00:00", 1),
        ("07:30", 45),
        ("12:00", 90),
        ("18:05", 600),
        ("09:59", 2),
        ("05:00", 1000),
        ("20:20", 20),
    )
    return Task(
        says=add_minutes_says(s, k, direction, seconds),
        rules=add_minutes_rules(wrap),
        code=add_minutes_code(n, direction, wrap, seconds, day),
        oracle=oracle,
        inputs=tuple((f"{t}:10" if seconds else t, c) for t, c in times)
        + ((("23:59:59", 1), ("00:00:05", 6)) if seconds else ()),
    )
