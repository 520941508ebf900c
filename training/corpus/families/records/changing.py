"""Records sorted, updated and written as lines."""

from __future__ import annotations

from functools import partial

from training.corpus.clauses import outcome, raising
from training.corpus.families.records.data import PARTS, PEOPLE, SALES
from training.corpus.registry import family
from training.corpus.types import Names, Task

SORT_RECORDS_INPUTS: tuple[tuple[object, ...], ...] = (
    ([], "a"),
    ([{"b": 1}, {"a": 2, "name": "q"}], "a"),
    (PEOPLE, "age"),
    (PEOPLE, "name"),
    (PEOPLE, "city"),
    (PARTS, "price"),
    (SALES, "amount"),
    ([{"name": "z", "n": 1}, {"name": "y", "n": 0}], "n"),
    ([{"name": "u", "m": 5}, {"m": 9}, {"name": "w"}], "m"),
    ([{"name": "B", "w": 2}, {"name": "A", "w": 3}], "w"),
)


def sort_records_oracle(missing: str, reverse: bool, give: str, rows: list[dict[str, int]], key: str) -> object:
    if missing == "KeyError" and any(key not in r for r in rows):
        return outcome("KeyError")
    rest = [r for r in rows if key not in r]
    out = sorted((r for r in rows if key in r), key=lambda r: r[key], reverse=reverse)
    out = out + rest if missing == "last" else rest + out
    return out if give == "records" else [r.get("name") for r in out]


@family(
    "sort_records order_rows sort_rows ordered_records",
    "records rows items people",
    "key field name column",
    missing=("last", "first", "KeyError"),
    reverse=(False, True),
    give=("records", "names"),
)
def sort_records(n: Names, missing: str, reverse: bool, give: str) -> Task:
    f, rs, k = n
    order = "descending" if reverse else "ascending"
    backwards = ", reverse=True" if reverse else ""
    source = f"[r for r in {rs} if {k} in r]" if missing != "KeyError" else rs
    lines = f"    out = sorted({source}, key=lambda r: r[{k}]{backwards})\n"
    if missing != "KeyError":
        rest = f"[r for r in {rs} if {k} not in r]"
        lines += f"    rest = {rest}\n    out = {'out + rest' if missing == 'last' else 'rest + out'}\n"
    result = "out" if give == "records" else '[r.get("name") for r in out]'
    what = "the sorted list" if give == "records" else "the list of their `name` values"
    return Task(
        says=(
            f"sort the dicts `{rs}` by `{k}` in {order} order and return {what}",
            f"order the list of dicts `{rs}` by their `{k}`, {order}, and return {what}",
            f"put the dicts in `{rs}` in {order} order of `{k}` and return {what}",
            f"arrange `{rs}` by the value of `{k}` ({order}) and return {what}",
            f"bring the dicts `{rs}` into {order} order by `{k}`, then return {what}",
            f"compare the dicts in `{rs}` by `{k}`, sort them in {order} order and return {what}",
        ),
        rules=(
            raising(f"a dict has no `{k}`", "KeyError")
            if missing == "KeyError"
            else (
                f"Dicts without `{k}` come {missing}.",
                f"Put dicts that lack `{k}` {missing}.",
                f"Those without the key come {missing}.",
            ),
            *(
                [("A dict without a name gives None.", "A missing name is None.", "Use None where there is no name.")]
                if give == "names"
                else []
            ),
        ),
        code=f"def {f}({rs}, {k}):\n{lines}    return {result}",
        oracle=partial(sort_records_oracle, missing, reverse, give),
        inputs=SORT_RECORDS_INPUTS,
    )


UPDATE_RECORDS_INPUTS: tuple[tuple[object, ...], ...] = (
    ([], "a", 1),
    ([{}], "a", 1),
    ([{"a": None}], "a", 2),
    ([{"a": 5}, {"b": 6}], "a", 0),
    ([{"x": 1}, {"x": None}, {}], "x", "new"),
    ([{"done": False}], "done", True),
    ([{"m": 1}, {"m": 2}], "n", 3),
)


def update_records_oracle(when: str, flag: str, rows: list[dict[str, object]], key: str, value: object) -> object:
    out = [dict(r) for r in rows]
    hits = [r for r in out if when == "always" or key not in r or (when == "None" and r[key] is None)]
    for r in hits:
        r[key] = value
    return (out, len(hits)) if flag == "count" else out


def update_records_says(rs: str, k: str, v: str, when: str, flag: str) -> tuple[str, ...]:
    which = {"missing": f"that have no `{k}`", "always": "", "None": f"in which `{k}` is missing or None"}[when]
    dicts = f"each of the dicts `{rs}` {which}".strip()
    result = "the list" if flag == "nothing" else "a tuple of the list and the number of changed dicts"
    return (
        f"set `{k}` to `{v}` in {dicts} and return {result}",
        f"give {dicts} the value `{v}` under `{k}` and return {result}",
        f"store `{v}` under `{k}` in {dicts}, then return {result}",
        f"put `{v}` into {dicts} as `{k}` and return {result}",
        f"write `{v}` to the key `{k}` of {dicts} and return {result}",
        f"make `{v}` the value of `{k}` in {dicts} and return {result}",
    )


@family(
    "update_records set_field change_rows mark_rows",
    "records rows items tasks",
    "key field name column",
    "value new_value content x",
    when=("missing", "always", "None"),
    copy=(True, False),
    flag=("nothing", "count"),
)
def update_records(n: Names, when: str, copy: bool, flag: str) -> Task:
    f, rs, k, v = n
    test = {"missing": f"{k} not in r", "always": "", "None": f"r.get({k}) is None"}[when]
    if copy:
        new = f"{{**r, {k}: {v}}}"
        out = f"[{new} if {test} else dict(r) for r in {rs}]" if test else f"[{new} for r in {rs}]"
        count = f"sum(1 for r in {rs} if {test})" if test else f"len({rs})"
        body = f"    return {out}" if flag == "nothing" else f"    out = {out}\n    return out, {count}"
    else:
        inner = f"        if {test}:\n            r[{k}] = {v}\n" if test else f"        r[{k}] = {v}\n"
        if flag == "count":
            inner = (
                f"        if {test}:\n            r[{k}] = {v}\n            count += 1\n"
                if test
                else f"        r[{k}] = {v}\n        count += 1\n"
            )
        body = (
            "    count = 0\n" if flag == "count" else ""
        ) + f"    for r in {rs}:\n{inner}    return {rs if flag == 'nothing' else f'{rs}, count'}"
    expected = "{'a': 1}" if copy else "{'a': 1, 'b': 2}"
    return Task(
        says=update_records_says(rs, k, v, when, flag),
        rules=(
            (
                "Work on copies of the dicts.",
                "Do not change the given dicts; return copies.",
                "The given dicts must stay as they are.",
            )
            if copy
            else ("Change the dicts themselves.", "The given dicts are changed in place.", "Modify the given dicts."),
        ),
        code=f"def {f}({rs}, {k}, {v}):\n{body}",
        oracle=partial(update_records_oracle, when, flag),
        inputs=UPDATE_RECORDS_INPUTS,
        tests=(
            f'rows = [{{"a": 1}}]\n{f}(rows, "b", 2)\nassert rows == [{expected.replace(chr(39), chr(34))}]',
            (
                f'rows = [{{"z": None}}]\n{f}(rows, "y", 0)\n'
                f'assert rows == [{{"z": None{"" if copy else chr(44) + " " + chr(34) + "y" + chr(34) + ": 0"}}}]'
            ),
        ),
    )


TABLE_LINES_INPUTS: tuple[tuple[object, ...], ...] = (
    ([], ["a"]),
    ([{"b": 1}], ["a"]),
    (PEOPLE, ["name", "city"]),
    (PARTS, ["id", "kind"]),
    ([{"a": 1, "b": 2}], ["b", "a"]),
    (SALES, ["item", "amount"]),
    ([{"x": None}, {}], ["x", "y"]),
    ([{"k": True, "m": 1.5}], ["k", "m"]),
)


def table_lines_oracle(
    separator: str, head: bool, missing: str, rows: list[dict[str, object]], keys: list[str]
) -> list[str]:
    cells = [keys] * head + [[f"{r[k]}" if k in r else missing for k in keys] for r in rows]
    return [separator.join(line) for line in cells]


@family(
    "table_lines format_rows rows_to_text render_table",
    "records rows items people",
    "keys fields names columns",
    separator=(", ", " | ", ";", "\t"),
    head=(False, True),
    missing=("", "-", "n/a"),
)
def table_lines(n: Names, separator: str, head: bool, missing: str) -> Task:
    f, rs, ks = n
    sep = {"\t": '"\\t"'}.get(separator, f'"{separator}"')
    named = "a tab" if separator == "\t" else f"`{separator}`"
    row = f'{sep}.join(str(r.get(k, "{missing}")) for k in {ks})'
    body = (
        f"    return [{row} for r in {rs}]"
        if not head
        else f"    lines = [{sep}.join({ks})]\n    for r in {rs}:\n        lines.append({row})\n    return lines"
    )
    empty = f"`{missing}`" if missing else "an empty string"
    return Task(
        says=(
            f"return a list of lines, one for each dict in `{rs}`, with the values of `{ks}` joined by {named}",
            f"turn each dict in `{rs}` into a line of its `{ks}` values, separated by {named}, and return the lines",
            (
                f"write the values of `{ks}` in each of the dicts `{rs}` as a line with {named} between them and "
                "return the list of lines"
            ),
            f"format the dicts `{rs}` as lines: the values of `{ks}` with {named} in between",
            (
                f"make one string per dict of `{rs}` from the values of `{ks}`, joined by {named}, and return them in "
                "a list"
            ),
            f"build a list of strings in which the values of `{ks}` of every dict in `{rs}` are joined by {named}",
        ),
        rules=(
            (
                f"A missing value is written as {empty}.",
                f"Write {empty} where a key is missing.",
                f"For missing keys use {empty}.",
            ),
            *(
                [
                    (
                        f"The first line has the `{ks}` themselves.",
                        f"Begin with a line of the `{ks}`.",
                        f"Put a header line with the `{ks}` first.",
                    )
                ]
                if head
                else []
            ),
        ),
        code=f"def {f}({rs}, {ks}):\n{body}",
        oracle=partial(table_lines_oracle, separator, head, missing),
        inputs=TABLE_LINES_INPUTS,
    )
