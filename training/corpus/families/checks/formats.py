"""Addresses and numbers with check digits."""

from __future__ import annotations

import re
from functools import partial

from training.corpus.clauses import ask, each
from training.corpus.registry import family
from training.corpus.types import Names, Task


def is_ipv4_oracle(high: int, zeros: bool, parts: int, text: str) -> bool:
    fields = text.split(".")
    return len(fields) == parts and all(
        re.fullmatch("[0-9]+", x) and int(x) in range(high + 1) and (zeros or x == str(int(x))) for x in fields
    )


@family("is_ipv4 valid_ip check_ip ip_ok", "text address ip s", high=(255, 127, 99), zeros=(True, False), parts=(4, 3))
def is_ipv4(n: Names, high: int, zeros: bool, parts: int) -> Task:
    f, s = n
    example = ".".join(["10", "0", "7", "42"][:parts])
    lead = "" if zeros else ' or (len(p) > 1 and p[0] == "0")'
    what = f"an address of {parts} numbers from 0 to {high} separated by dots, like `{example}`"
    texts = (
        "",
        "a.b.c.d",
        "1.2.3.4",
        "10.0.7.42",
        "01.2.3.4",
        "1.2.3",
        "1.2.3.4.5",
        "1..2.3",
        "-1.2.3.4",
        "99.98.97.96",
        "0.0.0.0",
        "1.2.x.3",
    )
    shaped = [".".join(x.split(".")[4 - parts :]) if x.count(".") == 3 else x for x in texts]
    edge = [".".join([str(v), *["1"] * (parts - 1)]) for v in (high, high + 1, 100, 128)]
    return Task(
        says=ask(f"`{s}`", what),
        rules=(
            ("Leading zeros are allowed.", "Numbers may have leading zeros.", "A number like `01` is fine.")
            if zeros
            else (
                "Leading zeros are not allowed.",
                "Numbers must not have leading zeros.",
                "A number like `01` is not valid.",
            ),
        ),
        code=f"""
def {f}({s}):
    parts = {s}.split(".")
    if len(parts) != {parts}:
        return False
    for p in parts:
        if not p.isdigit() or int(p) > {high}{lead}:
            return False
    return True
""",
        oracle=partial(is_ipv4_oracle, high, zeros, parts),
        inputs=each(*shaped, *edge, ".".join(["007"] * parts)),
    )


IS_EMAIL_INPUTS = each(
    "",
    "ann",
    "ann@example.com",
    "bob7@site.org",
    "a.b@site.edu",
    "a.b@example.com",
    "c.d@x.org",
    "x@y",
    "@site.org",
    "q@w.net",
    "two@at@site.org",
    f"{'l' * 13}@site.org",
    f"{'m' * 23}@site.edu",
    f"{'k' * 9}@example.com",
    f"{'n' * 25}@example.com",
    f"{'o' * 45}@site.net",
    "p q@site.edu",
    "z@host.edu",
    f"{'r' * 30}@site.org",
    f"{'t' * 16}@b.net",
    f"{'u' * 17}@x.edu",
    f"{'v' * 27}@x.edu",
    f"{'w' * 17}@x.org",
    f"{'y' * 27}@x.org",
)


def is_email_oracle(domain: str, user: str, longest: int, text: str) -> bool:
    name, at, host = text.partition("@")
    plain = name.replace(".", "") if user.endswith("dots") and name.strip(".") else name
    words = host.split(".")
    good = (
        len(words) == 2
        and re.fullmatch("[A-Za-z0-9]+", words[0]) is not None
        and re.fullmatch("[a-z]+", words[1]) is not None
    )
    fits = {
        "any": True,
        "example.com": host == "example.com",
        ".org": host.endswith(".org"),
        ".edu": host.endswith(".edu"),
    }[domain]
    return bool(at) and re.fullmatch("[A-Za-z0-9]+", plain) is not None and good and fits and len(text) <= longest


@family(
    "is_email valid_email check_email email_ok",
    "text address email s",
    domain=("any", "example.com", ".org", ".edu"),
    user=("letters and digits", "letters, digits and dots"),
    longest=(20, 30, 50),
)
def is_email(n: Names, domain: str, user: str, longest: int) -> Task:
    f, s = n
    part = "[A-Za-z0-9]+" if user == "letters and digits" else "[A-Za-z0-9.]+"
    end = {
        "any": r"[A-Za-z0-9]+\.[a-z]+",
        "example.com": r"example\.com",
        ".org": r"[A-Za-z0-9]+\.org",
        ".edu": r"[A-Za-z0-9]+\.edu",
    }[domain]
    where = {
        "any": "a domain like `site.net`",
        "example.com": "the domain `example.com`",
        ".org": "a domain like `site.org` that ends with `.org`",
        ".edu": "a domain like `site.edu` that ends with `.edu`",
    }[domain]
    return Task(
        says=ask(f"`{s}`", f"an email address with {where}"),
        rules=(
            (
                f"Before the `@` only {user} are allowed.",
                f"The part before `@` consists of {user}.",
                f"In front of the `@` there may be only {user}.",
            ),
            (
                f"It may have at most {longest} characters.",
                f"It must not be longer than {longest} characters.",
                f"More than {longest} characters are not allowed.",
            ),
        ),
        code=(
            f"import re\n\n\ndef {f}({s}):\n    if len({s}) > {longest}:\n        return False\n"
            f'    return re.fullmatch(r"{part}@{end}", {s}) is not None'
        ),
        oracle=partial(is_email_oracle, domain, user, longest),
        inputs=IS_EMAIL_INPUTS,
    )


def has_check_digit_says(s: str, modulus: int, fold: bool, b: int, a: int) -> tuple[str, ...]:
    reduce = "the digits of each product are added" if fold else "the products are added"
    return (
        (
            f"multiply the digits of `{s}` by {a} and {b} in turn; {reduce} and the sum must be a multiple of "
            f"{modulus}; return True if so"
        ),
        (
            f"return whether the sum is a multiple of {modulus} when the digits of `{s}` are multiplied by {a}, "
            f"{b}, {a}, {b} and so on and {reduce}"
        ),
        (
            f"check the number in `{s}`: weights {a} and {b} alternate over its digits, {reduce}, and the sum must "
            f"be divisible by {modulus}"
        ),
        (
            f"validate the digits `{s}` with the alternating weights {a} and {b}: {reduce}, and True is returned "
            f"if {modulus} divides the sum"
        ),
        (
            f"tell whether {modulus} divides the weighted digit sum of `{s}`, with the weights {a}, {b}, {a}, ... "
            f"where {reduce}"
        ),
        (
            f"test the check sum of `{s}` by weighting its digits {a} and {b} alternately; {reduce}, and it is "
            f"valid if {modulus} divides the sum"
        ),
    )


@family(
    "has_check_digit valid_number checksum_ok luhn_valid",
    "text number code s",
    weights=((1, 2), (1, 3), (2, 1), (3, 1)),
    modulus=(10, 11, 7),
    fold=(True, False),
)
def has_check_digit(n: Names, weights: tuple[int, int], modulus: int, fold: bool) -> Task:
    f, s = n
    a, b = weights
    step = "        total += x // 10 + x % 10\n" if fold else "        total += x\n"

    def oracle(text: str) -> bool:
        if not text.isdigit():
            return False
        products = [int(c) * weights[i % 2] for i, c in enumerate(text)]
        total = sum(sum(map(int, str(p))) if fold else p for p in products)
        return total in range(0, 10000, modulus)

    good = [t for t in (str(v) for v in range(10, 4000, 7)) if oracle(t)][:4]
    return Task(
        says=has_check_digit_says(s, modulus, fold, b, a),
        rules=(
            (
                "Return False if it is not all digits.",
                "Anything but digits is False.",
                "If it has other characters or is empty, return False.",
            ),
        ),
        code=f"""
def {f}({s}):
    if not {s}.isdigit():
        return False
    total = 0
    for i, c in enumerate({s}):
        x = int(c) * ({a} if i % 2 == 0 else {b})
{step}    return total % {modulus} == 0
""",
        oracle=oracle,
        inputs=each(
            "", "12a", "0", "7", *good, "18", "79927398713", "1234567", "9781", "5050", "86", "95", "59", "68", "39"
        ),
    )
