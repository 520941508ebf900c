"""Removing from a text what should not be there."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from training.corpus.clauses import each, outcome
from training.corpus.registry import family
from training.corpus.types import Names, Task

SLUGIFY_INPUTS = each(
    "",
    "!?",
    "Hello World",
    "  A  b ",
    "What's new, in 2024?",
    "one-two_three.four",
    "The quick brown fox jumps over it",
    "abcdefghi jkl mno",
    "X" * 12,
    "Already-a-slug",
    "abcde fghij klmno pqrst uvwxy z",
)


def slugify_oracle(separator: str, case: str, longest: int, empty: str, text: str) -> object:
    text = text.lower() if case == "lower" else text
    slug = separator.join("".join(c if c.isascii() and c.isalnum() else " " for c in text).split())
    slug = slug[:longest].strip(separator) if longest else slug
    return slug or ({'""': "", '"untitled"': "untitled"}[empty] if empty[0] == '"' else outcome(empty))


def slugify_says(s: str, separator: str) -> tuple[str, ...]:
    return (
        f"turn `{s}` into a slug: its letters and digits, with `{separator}` in place of everything else",
        f"return `{s}` as a slug, with `{separator}` between the words",
        f"make a slug of `{s}` by joining its words of letters and digits with `{separator}`",
        f"convert the title `{s}` to a URL slug whose words are separated by `{separator}`",
        (
            f"replace each run of other characters than letters and digits in `{s}` by one `{separator}`, none at "
            "the ends"
        ),
        f"build a slug from `{s}`: keep letters and digits and put single `{separator}` between the words",
    )


@family(
    "slugify slug make_slug url_name",
    "text title s name",
    separator=("-", "_", "."),
    case=("lower", "keep"),
    longest=(0, 10, 20, 30),
    empty=('""', "None", '"untitled"', "ValueError"),
)
def slugify(n: Names, separator: str, case: str, longest: int, empty: str) -> Task:
    f, s = n
    words = f're.findall(r"[A-Za-z0-9]+", {s}{".lower()" if case == "lower" else ""})'
    cut = f'[:{longest}].strip("{separator}")' if longest else ""
    named = {'""': "an empty string", '"untitled"': "`untitled`"}.get(empty, empty)
    stop = 'raise ValueError("nothing left")' if empty == "ValueError" else f"return {empty}"
    guard = "" if empty == '""' else f"    if not slug:\n        {stop}\n"
    return Task(
        says=slugify_says(s, separator),
        rules=(
            ("Use lower case.", "The slug is in lower case.", "Convert it to lower case.")
            if case == "lower"
            else ("Keep the case of the letters.", "Do not change the case.", "Letters keep their case."),
            *(
                [
                    (
                        f"Cut it to at most {longest} characters, without `{separator}` at the end.",
                        f"It has at most {longest} characters and does not end with `{separator}`.",
                        f"No more than {longest} characters, and no `{separator}` at the end.",
                    )
                ]
                if longest
                else []
            ),
            (
                f"If nothing is left, {'raise a ValueError' if empty == 'ValueError' else f'return {named}'}.",
                f"{'Raise ValueError' if empty == 'ValueError' else f'Return {named}'} when nothing is left.",
                (
                    "Without letters and digits, "
                    f"{'a ValueError is raised' if empty == 'ValueError' else f'the result is {named}'}."
                ),
            ),
        ),
        code=(
            f'import re\n\n\ndef {f}({s}):\n    words = {words}\n    slug = "{separator}".join(words){cut}\n'
            f"{guard}    return slug"
        )
        if guard
        else f'import re\n\n\ndef {f}({s}):\n    words = {words}\n    return "{separator}".join(words){cut}',
        oracle=partial(slugify_oracle, separator, case, longest, empty),
        inputs=SLUGIFY_INPUTS,
    )


CLASSES = {
    "vowels": ('c.lower() in "aeiou"', "aeiouAEIOU"),
    "digits": ("c.isdigit()", "0123456789"),
    "letters": ("c.isalpha()", "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ"),
    "spaces": ('c == " "', " "),
    "punctuation": ('c in ".,;:!?"', ".,;:!?"),
    "uppercase letters": ("c.isupper()", "ABCDEFGHIJKLMNOPQRSTUVWXYZ"),
}


def clean_text_oracle(mode: str, members: str, text: str) -> str:
    change: Callable[[str], str] = {
        "remove": lambda c: "",
        "keep": lambda c: c,
        "star": lambda c: "*",
        "double": lambda c: c + c,
    }[mode]
    return "".join(change(c) if c in members else "" if mode == "keep" else c for c in text)


def clean_text_says(s: str, kind: str, mode: str) -> tuple[str, ...]:
    return {
        "remove": (
            f"remove all {kind} from `{s}`",
            f"return `{s}` without its {kind}",
            f"delete the {kind} in `{s}`",
            f"leave out every one of the {kind} of `{s}`",
            f"drop {kind} from `{s}` and return the rest",
            f"strip `{s}` of all {kind}",
        ),
        "keep": (
            f"keep only the {kind} of `{s}`",
            f"return just the {kind} that `{s}` contains",
            f"remove everything from `{s}` except {kind}",
            f"return a string with only the {kind} in `{s}`",
            f"drop all characters of `{s}` but the {kind}",
            f"extract the {kind} of `{s}` as a string",
        ),
        "star": (
            f"replace all {kind} in `{s}` by `*`",
            f"return `{s}` with `*` instead of {kind}",
            f"put `*` for each of the {kind} in `{s}`",
            f"hide the {kind} of `{s}` behind `*`",
            f"write `*` wherever `{s}` has {kind}",
            f"exchange {kind} in `{s}` for `*`",
        ),
        "double": (
            f"double all {kind} in `{s}`",
            f"return `{s}` with its {kind} written twice",
            f"repeat each of the {kind} in `{s}` once more",
            f"write the {kind} of `{s}` two times each",
            f"return `{s}` in which all {kind} are doubled",
            f"duplicate the {kind} in `{s}`",
        ),
    }[mode]


@family(
    "clean_text remove_chars keep_chars strip_chars",
    "text s line value",
    kind=CLASSES,
    mode=("remove", "keep", "star", "double"),
)
def clean_text(n: Names, kind: str, mode: str) -> Task:
    f, s = n
    test, members = CLASSES[kind]
    body = {
        "remove": f'"".join(c for c in {s} if not {test})',
        "keep": f'"".join(c for c in {s} if {test})',
        "star": f'"".join("*" if {test} else c for c in {s})',
        "double": f'"".join(c * 2 if {test} else c for c in {s})',
    }[mode]
    if "not c " in body:
        body = body.replace(f"if not {test}", f"if not ({test})")
    body = body.replace('not (c in ".,;:!?")', 'c not in ".,;:!?"').replace('not (c == " ")', 'c != " "')
    return Task(
        says=clean_text_says(s, kind, mode),
        rules=(
            (
                "All other characters stay the same.",
                "Do not change the other characters.",
                "Other characters are not changed.",
            ),
        )
        if mode in ("star", "double")
        else (("Keep the order.", "The order stays the same.", "Do not change the order."),),
        code=f"def {f}({s}):\n    return {body}",
        oracle=partial(clean_text_oracle, mode, members),
        inputs=each("", "a", "Hello, World!", "A1 b2; C3.", "rhythm", "12 34", "QUEUE up", "wait... what?", "x"),
    )


SQUEEZE_INPUTS = each(
    "",
    "a",
    "a  b",
    "  x y  ",
    "aabbb c",
    "one\n\n\ntwo\n",
    "a--b - c",
    "-start  end-",
    "\n\nq",
    "mm--  nn\n\n",
    " - ",
)


def squeeze_oracle(what: str, ends: bool, by: str, text: str) -> str:
    out, i = "", 0
    while i < len(text):
        j = i
        while j < len(text) and text[j] == text[i]:
            j += 1
        run = text[i:j]
        hit = {
            "spaces": run[0] == " ",
            "repeated characters": len(run) > 1 and run[0] != "\n",
            "blank lines": run[0] == "\n" and len(run) > 1,
            "hyphens": run[0] == "-",
        }[what]
        out += {"one": run[0], "nothing": "", "_": "_"}[by] if hit else run
        i = j
    return out.strip() if ends else out


@family(
    "squeeze normalize_spaces tidy collapse",
    "text s line value",
    what=("spaces", "repeated characters", "blank lines", "hyphens"),
    ends=(True, False),
    by=("one", "nothing", "_"),
)
def squeeze(n: Names, what: str, ends: bool, by: str) -> Task:
    f, s = n
    pattern = {"spaces": " +", "repeated characters": r"(.)\1+", "blank lines": r"\n\n+", "hyphens": "-+"}[what]
    single = {"spaces": " ", "repeated characters": r"\1", "blank lines": r"\n", "hyphens": "-"}[what]
    put = {"one": single, "nothing": "", "_": "_"}[by]
    named = {
        "spaces": "run of spaces",
        "repeated characters": "run of two or more equal characters",
        "blank lines": "run of two or more newlines",
        "hyphens": "run of hyphens",
    }[what]
    one = {
        "spaces": "a single space",
        "repeated characters": "one of them",
        "blank lines": "a single newline",
        "hyphens": "a single hyphen",
    }[what]
    target = {"one": one, "nothing": "nothing", "_": "`_`"}[by]
    strip = ".strip()" if ends else ""
    raw = 'r"' + put + '"' if "\\" in put else f'"{put}"'
    if what == "blank lines" and by == "one":
        raw = '"\\n"'
    return Task(
        says=(
            f"replace each {named} in `{s}` by {target}",
            f"return `{s}` with every {named} replaced by {target}",
            f"turn each {named} of `{s}` into {target}",
            f"clean `{s}` by putting {target} in place of every {named}",
            f"substitute {target} for each {named} in `{s}`",
            f"go through `{s}` and change each {named} to {target}",
        ),
        rules=(
            (
                "Then strip the result.",
                "Finally strip white space at both ends.",
                "Strip white space at the ends afterwards.",
            )
            if ends
            else ("Do not strip the result.", "Leave white space at the ends.", "White space at the ends stays."),
        ),
        code=f'import re\n\n\ndef {f}({s}):\n    return re.sub(r"{pattern}", {raw}, {s}){strip}',
        oracle=partial(squeeze_oracle, what, ends, by),
        inputs=SQUEEZE_INPUTS,
    )
