"""Parts of paths and addresses."""

from __future__ import annotations

import re
from functools import partial

from training.corpus.clauses import each, guard, outcome, raising
from training.corpus.registry import family
from training.corpus.types import Names, Task

FILE_EXTENSION_INPUTS = each(
    "",
    "README",
    "a.txt",
    "photo.JPG",
    "report.tar.gz",
    "dir.d/file",
    "src/app/main.py",
    "x/Y.Tar.GZ",
    "end.",
    "v1.2/data.csv",
)


def file_extension_oracle(dot: bool, which: str, case: str, none: str, path: str) -> object:
    name = path.split("/")[-1]
    parts = name.split(".")
    end = (parts[-1] if which == "last" else ".".join(parts[1:])) if len(parts) > 1 else ""
    if not end:
        return "" if none == '""' else outcome(none)
    end = end.lower() if case == "lower" else end
    return f".{end}" if dot else end


@family(
    "file_extension get_extension extension suffix_of",
    "path name filename file",
    dot=(True, False),
    which=("last", "all"),
    case=("lower", "keep"),
    none=('""', "None", "ValueError"),
)
def file_extension(n: Names, dot: bool, which: str, case: str, none: str) -> Task:
    f, p = n
    low = ".lower()" if case == "lower" else ""
    end = 'rpartition(".")[2] if "." in name else ""' if which == "last" else 'partition(".")[2]'
    mark = '"." + ' if dot else ""
    example = "report.tar.gz"
    shown = ("." if dot else "") + ("gz" if which == "last" else "tar.gz")
    named = "an empty string" if none == '""' else none
    return Task(
        says=(
            f"return the extension of the file path `{p}`; `{example}` gives `{shown}`",
            f"find the file extension in `{p}`, for example `{shown}` for `{example}`",
            f"extract the extension from a path `{p}`, such as `{shown}` from `{example}`",
            f"give the extension of the file `{p}`: for `{example}` it is `{shown}`",
            f"return what kind of extension the path `{p}` has, like `{shown}` for `{example}`",
            f"take the extension off the path `{p}` and return it (`{shown}` for `{example}`)",
        ),
        rules=(
            *(
                [("Return it in lower case.", "Convert it to lower case.", "The result is in lower case.")]
                if case == "lower"
                else [("Do not change its case.", "Keep upper and lower case.", "The case stays the same.")]
            ),
            raising("there is none", none)
            if none == "ValueError"
            else (
                f"If there is none, return {named}.",
                f"Return {named} for a path without one.",
                f"Without an extension the result is {named}.",
            ),
        ),
        code=f"""
def {f}({p}):
    name = {p}.split("/")[-1]
    end = name.{end}
{guard("not end", none, "no extension")}    return {mark}end{low}
""",
        oracle=partial(file_extension_oracle, dot, which, case, none),
        inputs=FILE_EXTENSION_INPUTS,
    )


def path_part_oracle(part: str, separator: str, path: str) -> object:
    pieces = path.split(separator)
    name = pieces.pop()
    return {
        "file name": name,
        "folder": separator.join(pieces),
        "name without extension": re.sub(r"\..*", "", name),
        "first folder": (pieces or [""])[0],
        "depth": len(pieces),
    }[part]


def path_part_says(p: str, part: str, separator: str) -> tuple[str, ...]:
    example = separator.join(["src", "app", "main.py"])
    shown = {
        "file name": "main.py",
        "folder": separator.join(["src", "app"]),
        "name without extension": "main",
        "first folder": "src",
        "depth": "2",
    }[part]
    named = {"depth": "the number of folders"}.get(part, f"the {part}")
    return (
        (f"return {named} of the path `{p}`, whose parts are separated by `{separator}`; `{example}` gives `{shown}`"),
        f"find {named} in a path `{p}` like `{example}`, here `{shown}`",
        f"extract {named} from `{p}`, a path with `{separator}` between its parts (`{shown}` for `{example}`)",
        f"take a path `{p}` such as `{example}` and return {named}, `{shown}`",
        f"give {named} for the path `{p}`, for example `{shown}` for `{example}`",
        f"split the path `{p}` at `{separator}` and return {named}; for `{example}` that is `{shown}`",
    )


@family(
    "path_part split_path base_name path_piece",
    "path p file location",
    part=("file name", "folder", "name without extension", "first folder", "depth"),
    separator=("/", "\\", ":"),
)
def path_part(n: Names, part: str, separator: str) -> Task:
    f, p = n
    sep = '"\\\\"' if separator == "\\" else f'"{separator}"'
    body = {
        "file name": f"{p}.split({sep})[-1]",
        "folder": f"{p}.rpartition({sep})[0]",
        "name without extension": f'{p}.split({sep})[-1].split(".")[0]',
        "first folder": f'{p}.partition({sep})[0] if {sep} in {p} else ""',
        "depth": f"{p}.count({sep})",
    }[part]
    texts = (
        "",
        "main.py",
        "src/app/main.py",
        "a/b",
        "docs/read.me.txt",
        "x/y/z/w.tar.gz",
        "lib/",
        "one/two.py",
        "top/mid/low",
    )
    return Task(
        says=path_part_says(p, part, separator),
        rules=(
            (
                f"Without `{separator}` there is no folder.",
                f"A path without `{separator}` has no folder.",
                f"If there is no `{separator}`, the path is only a file name.",
            ),
        ),
        code=f"def {f}({p}):\n    return {body}",
        oracle=partial(path_part_oracle, part, separator),
        inputs=each(*(text.replace("/", separator) for text in texts)),
    )


EMAIL_PART_INPUTS = each(
    "",
    "nobody",
    "a@b@c",
    "ann@site.org",
    "Bob.Lee@Mail.Example.com",
    "x@y",
    "INFO@HOST.NET",
    "q.r@s.t.uk",
    "me@localhost",
)


def email_part_oracle(part: str, case: str, bad: str, text: str) -> object:
    if text.count("@") != 1:
        return "" if bad == '""' else outcome(bad)
    text = text.lower() if case == "lower" else text
    at = text.index("@")
    user, domain = text[:at], text[at + 1 :]
    return {
        "user": user,
        "domain": domain,
        "last part of the domain": domain[domain.rfind(".") + 1 :],
        "user and domain as a tuple": (user, domain),
    }[part]


@family(
    "email_part split_email mail_name address_part",
    "address email mail text",
    part=("user", "domain", "last part of the domain", "user and domain as a tuple"),
    case=("lower", "keep"),
    bad=("None", "ValueError", '""'),
)
def email_part(n: Names, part: str, case: str, bad: str) -> Task:
    f, s = n
    low = ".lower()" if case == "lower" else ""
    result = {
        "user": f"user{low}",
        "domain": f"domain{low}",
        "last part of the domain": f'domain.split(".")[-1]{low}',
        "user and domain as a tuple": f"(user{low}, domain{low})",
    }[part]
    named = "an empty string" if bad == '""' else bad
    return Task(
        says=(
            f"return the {part} of the email address `{s}`",
            f"split the email address `{s}` at `@` and return the {part}",
            f"extract the {part} from the email address `{s}`",
            f"take the email address `{s}` apart and return the {part}",
            f"give the {part} in an email address `{s}`",
            f"find the {part} of `{s}`, an email address",
        ),
        rules=(
            ("Return it in lower case.", "Convert it to lower case.", "The result is in lower case.")
            if case == "lower"
            else ("Do not change its case.", "Keep upper and lower case.", "The case stays the same."),
            raising("there is not exactly one `@`", bad)
            if bad == "ValueError"
            else (
                f"If there is not exactly one `@`, return {named}.",
                f"Return {named} unless there is exactly one `@`.",
                f"Anything but one `@` gives {named}.",
            ),
        ),
        code=(
            f'def {f}({s}):\n{guard(f"""{s}.count("@") != 1""", bad, "not an address")}    user, domain = '
            f'{s}.split("@")\n    return {result}'
        ),
        oracle=partial(email_part_oracle, part, case, bad),
        inputs=EMAIL_PART_INPUTS,
    )
