"""Passwords, user names and codes."""

from __future__ import annotations

import re
from functools import partial

from training.corpus.clauses import ask, each
from training.corpus.registry import family
from training.corpus.types import Names, Rule, Task


def is_valid_password_oracle(least: int, needs: str, spaces: bool, text: str) -> bool:
    patterns = {
        "a digit": ["[0-9]"],
        "an uppercase letter": ["[A-Z]"],
        "a lowercase letter": ["[a-z]"],
        "one of `!?#$`": ["[!?#$]"],
        "a digit and an uppercase letter": ["[0-9]", "[A-Z]"],
    }[needs]
    return len(text) >= least and (spaces or " " not in text) and all(re.search(p, text) for p in patterns)


@family(
    "is_valid_password check_password strong_password password_ok",
    "password text s word",
    least=(4, 6, 8, 10, 12),
    needs=("a digit", "an uppercase letter", "a lowercase letter", "one of `!?#$`", "a digit and an uppercase letter"),
    spaces=(True, False),
)
def is_valid_password(n: Names, least: int, needs: str, spaces: bool) -> Task:
    f, s = n
    tests = {
        "a digit": ["any(c.isdigit() for c in {s})"],
        "an uppercase letter": ["any(c.isupper() for c in {s})"],
        "a lowercase letter": ["any(c.islower() for c in {s})"],
        "one of `!?#$`": ['any(c in "!?#$" for c in {s})'],
        "a digit and an uppercase letter": ["any(c.isdigit() for c in {s})", "any(c.isupper() for c in {s})"],
    }[needs]
    lines = [f"    if len({s}) < {least}:\n        return False\n"]
    if not spaces:
        lines.append(f'    if " " in {s}:\n        return False\n')
    value = " and ".join(test.format(s=s) for test in tests)
    pad = "xy" * 6
    return Task(
        says=(
            f"return whether `{s}` has at least {least} characters and contains {needs}",
            f"check that the password `{s}` is at least {least} long and has {needs}",
            f"return True if `{s}` has {least} or more characters, among them {needs}, else False",
            f"tell whether a password `{s}` contains {needs} and is not shorter than {least}",
            f"validate a password `{s}`: it needs {needs} and a length of {least} or more",
            f"test if the password `{s}` with {needs} has no fewer than {least} characters",
        ),
        rules=(
            ("Spaces are allowed.", "It may contain spaces.", "Spaces do not matter.")
            if spaces
            else ("Spaces are not allowed.", "It must not contain a space.", "With a space it is not valid."),
        ),
        code=f"def {f}({s}):\n{''.join(lines)}    return {value}",
        oracle=partial(is_valid_password_oracle, least, needs, spaces),
        inputs=each(
            "",
            "A1b!",
            f"A1b!{pad}"[:least],
            f"A1b!{pad}"[: least - 1],
            pad,
            f"{pad}7",
            f"{pad}Q",
            f"{pad}#",
            f"{pad.upper()}",
            f"A1b! {pad}",
            f"{pad}Q7",
            "12345678901234",
        ),
    )


def only(names: str) -> Rule:
    """Which characters are allowed."""
    return (f"Only {names} are allowed.", f"It may contain nothing but {names}.", f"All characters must be {names}.")


@family(
    "is_valid_username check_username username_ok valid_name",
    "name text s user",
    low=(2, 3, 4),
    high=(8, 10, 12, 16),
    extra=("_", "-", ".", ""),
    first=("letter", "any"),
)
def is_valid_username(n: Names, low: int, high: int, extra: str, first: str) -> Task:
    f, s = n
    allowed = f'c.isalnum() or c == "{extra}"' if extra else "c.isalnum()"
    start = f"    if not {s}[0].isalpha():\n        return False\n" if first == "letter" else ""
    what = f"a valid user name of {low} to {high} characters"

    def oracle(text: str) -> bool:
        if not low <= len(text) <= high or (first == "letter" and not re.match("[A-Za-z]", text)):
            return False
        return re.fullmatch(f"[A-Za-z0-9{re.escape(extra)}]*", text) is not None

    return Task(
        says=ask(f"`{s}`", what),
        rules=(
            only(f"letters, digits and `{extra}`" if extra else "letters and digits"),
            *(
                [
                    (
                        "It must begin with a letter.",
                        "The first character must be a letter.",
                        "It has to start with a letter.",
                    )
                ]
                if first == "letter"
                else []
            ),
        ),
        code=(
            f"def {f}({s}):\n    if len({s}) < {low} or len({s}) > {high}:\n        return False\n"
            f"{start}    return all({allowed} for c in {s})"
        ),
        oracle=oracle,
        inputs=each(
            "",
            "a",
            "ab",
            "abc",
            "abcd",
            "9lives",
            "x_y1",
            "x-y1",
            "x.y1",
            "a" * high,
            "a" * (high + 1),
            "no way",
            "q" * (low - 1) + "1",
            "Tom99",
        ),
    )


@family(
    "is_code matches_format valid_code check_code",
    "code text s value",
    letters=(1, 2, 3),
    digits=(2, 3, 4),
    mark=("-", " ", "", "/"),
    case=("upper", "any"),
)
def is_code(n: Names, letters: int, digits: int, mark: str, case: str) -> Task:
    f, s = n
    pattern = ("[A-Z]" if case == "upper" else "[A-Za-z]") + f"{{{letters}}}" + mark + f"[0-9]{{{digits}}}"
    middle = {"-": ", a hyphen", " ": ", a space", "": "", "/": ", a slash"}[mark]
    kind = "uppercase letter" if case == "upper" else "letter"
    example = "ABC"[:letters] + mark + "1234"[:digits]
    what = f"made of {letters} {kind}{'s' * (letters > 1)}{middle} and {digits} digits, like `{example}`"

    def oracle(text: str) -> bool:
        head, tail = text[:letters], text[len(text) - digits :]
        good = len(text) == letters + len(mark) + digits and text[letters : letters + len(mark)] == mark
        return good and head.isalpha() and head.isascii() and (case == "any" or head == head.upper()) and tail.isdigit()

    return Task(
        says=ask(f"`{s}`", what),
        code=f'import re\n\n\ndef {f}({s}):\n    return re.fullmatch(r"{pattern}", {s}) is not None',
        oracle=oracle,
        inputs=each(
            "",
            "x",
            example,
            example.lower(),
            example + "9",
            "Z" + example,
            example.replace(mark, "_") if mark else example[:letters] + "-" + example[letters:],
            "1" * len(example),
            "ABCD-12",
            f"{'xyz'[:letters]}{mark}{'9876'[:digits]}",
            f"{'QRS'[:letters]}{mark}{'00a0'[4 - digits :]}",
            f"{'AB1C'[4 - letters :]}{mark}{'5555'[:digits]}",
            "AB 12",
            "A-123",
            "ABC/1234",
            *(
                f"{'KLM'[:a]}{mark}{'4321'[:b]}"
                for a in (1, 2, 3)
                for b in (2, 3, 4)
                if (a, b) != (letters, digits) and 1 in (abs(a - letters), abs(b - digits))
            ),
        ),
    )
