"""Amounts as text: money, sizes, durations."""

from __future__ import annotations

from functools import partial

from training.corpus.clauses import each, guard, outcome, raising
from training.corpus.registry import family
from training.corpus.types import Names, Task


@family(
    "format_money price_text money show_price",
    "amount price value total",
    sign=("$", "€", "USD", "CHF"),
    side=("front", "back"),
    group=(",", "'", ""),
)
def format_money(n: Names, sign: str, side: str, group: str) -> Task:
    f, x = n
    spec = {",": ",.2f", "'": ",.2f", "": ".2f"}[group]
    number = f'f"{{{x}:{spec}}}"' + ('.replace(",", "\'")' if group == "'" else "")
    gap = " " if side == "back" or len(sign) > 1 else ""
    body = f'"{sign}{gap}" + {number}' if side == "front" else f'{number} + " {sign}"'
    grouped = f"`{group}` between thousands" if group else "nothing between thousands"
    where = {"front": "in front", "back": "behind it"}[side]
    spaced = ("with a space" if gap else "without a space") if side == "front" else "with a space"

    def oracle(amount: float) -> str:
        text = f"{amount:,.2f}".replace(",", group)
        return f"{sign}{gap}{text}" if side == "front" else f"{text} {sign}"

    return Task(
        says=(
            f"format `{x}` with two decimal places, {grouped} and `{sign}` {where}, {spaced}",
            f"return `{x}` as text with 2 decimals, `{sign}` {where} ({spaced}) and {grouped}",
            f"turn the number `{x}` into a string with two decimals and {grouped}, with `{sign}` {where}, {spaced}",
            f"write `{x}` as an amount of money: two decimals, {grouped}, `{sign}` {where} {spaced}",
            f"convert `{x}` to text with `{sign}` {where} {spaced}, 2 decimal places, and {grouped}",
            f"give the text of `{x}` with `{sign}` {where} ({spaced}), always two decimals, {grouped}",
        ),
        code=f"def {f}({x}):\n    return {body}",
        oracle=oracle,
        inputs=each(0, 5, 1234.5, 0.5, 999.999, 1000000, 12.34, 45678.9, -20),
    )


@family(
    "format_size human_size size_text readable_size",
    "size count number amount",
    base=(1000, 1024),
    digits=(0, 1, 2),
    gap=("", " "),
)
def format_size(n: Names, base: int, digits: int, gap: str) -> Task:
    f, x = n
    units = ("B", "kB", "MB", "GB") if base == 1000 else ("B", "KiB", "MiB", "GiB")

    def oracle(size: int) -> object:
        if size < 0:
            return outcome("ValueError")
        power = 0
        while power < 3 and size >= base ** (power + 1):
            power += 1
        return f"{size / base**power:.{digits}f}{gap}{units[power]}"

    spaced = "a space" if gap else "no space"
    listed = ", ".join(units)
    return Task(
        says=(
            f"return the number of bytes `{x}` as text with a unit: {listed}, in steps of {base}",
            f"format `{x}` bytes with the largest fitting unit of {listed} (each {base} times the one before)",
            f"turn a size of `{x}` bytes into text like {listed} with steps of {base}",
            f"write `{x}` bytes in readable form; the units {listed} are {base} apart",
            (
                f"divide the bytes `{x}` by {base} while they are at least {base} and return the text with the unit "
                f"({listed})"
            ),
            f"convert `{x}` bytes to a string in one of the units {listed}, where {base} of one make the next",
        ),
        rules=(
            (
                f"Use {digits} decimal places and {spaced} before the unit.",
                f"There are {digits} decimals and {spaced} before the unit.",
                f"The number has {digits} decimal places; {spaced} comes before the unit.",
            ),
            raising(f"`{x}` is negative", "ValueError"),
        ),
        code=f"""
def {f}({x}):
{guard(f"{x} < 0", "ValueError", f"{x} is negative")}    for unit in ["{'", "'.join(units[:3])}"]:
        if {x} < {base}:
            return f"{{{x}:.{digits}f}}{gap}{{unit}}"
        {x} /= {base}
    return f"{{{x}:.{digits}f}}{gap}{units[3]}"
""",
        oracle=oracle,
        inputs=each(0, -1, 1, 999, 1000, 1024, 1536, 2500000, 5 * 1024**3, 123456),
    )


def format_duration_oracle(style: str, negative: str, seconds: int) -> object:
    if seconds < 0:
        if negative == "ValueError":
            return outcome(negative)
        seconds = 0
    minutes, s = divmod(seconds, 60)
    h, m = divmod(minutes, 60)
    return {
        "h m s": f"{h}h {m}m {s}s",
        "clock": f"{h:0>2}:{m:0>2}:{s:0>2}",
        "minutes": f"{minutes}:{s:0>2}",
        "words": f"{h} hours, {m} minutes, {s} seconds",
    }[style]


@family(
    "format_duration duration_text time_text show_seconds",
    "seconds duration total t",
    style=("h m s", "clock", "minutes", "words"),
    negative=("ValueError", "0"),
)
def format_duration(n: Names, style: str, negative: str) -> Task:
    f, x = n
    change = (
        guard(f"{x} < 0", "ValueError", f"{x} is negative") if negative == "ValueError" else f"    {x} = max(0, {x})\n"
    )
    split = (
        f"    h, m, s = {x} // 3600, {x} // 60 % 60, {x} % 60\n"
        if style != "minutes"
        else f"    m, s = {x} // 60, {x} % 60\n"
    )
    result = {
        "h m s": 'f"{h}h {m}m {s}s"',
        "clock": 'f"{h:02d}:{m:02d}:{s:02d}"',
        "minutes": 'f"{m}:{s:02d}"',
        "words": 'f"{h} hours, {m} minutes, {s} seconds"',
    }[style]
    example = {"h m s": "1h 2m 3s", "clock": "01:02:03", "minutes": "62:03", "words": "1 hours, 2 minutes, 3 seconds"}[
        style
    ]
    return Task(
        says=(
            f"return `{x}` seconds as text in the form `{example}`",
            f"format a duration of `{x}` seconds like `{example}`",
            f"turn `{x}`, a number of seconds, into text such as `{example}`",
            f"write `{x}` seconds in the style `{example}`",
            f"convert the seconds `{x}` to a string that looks like `{example}`",
            f"show a time span of `{x}` seconds as `{example}`",
        ),
        rules=(
            raising(f"`{x}` is negative", "ValueError")
            if negative == "ValueError"
            else (f"Treat a negative `{x}` as 0.", f"If `{x}` is negative, use 0.", f"A negative `{x}` counts as 0."),
        ),
        code=f"def {f}({x}):\n{change}{split}    return {result}",
        oracle=partial(format_duration_oracle, style, negative),
        inputs=each(0, -5, 59, 60, 3600, 3723, 86399, 100000, 754),
    )
