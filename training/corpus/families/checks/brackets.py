"""Balanced brackets."""

from __future__ import annotations

from functools import partial

from training.corpus.clauses import each
from training.corpus.registry import family
from training.corpus.types import Names, Rule, Task


def is_balanced_says(s: str, give: str, closing: str, opening: str) -> tuple[str, ...]:
    named = " and ".join(f"`{a}{b}`" for a, b in zip(opening, closing, strict=True))
    return (
        (
            f"return whether the brackets {named} in `{s}` are balanced",
            f"check that every bracket of {named} in `{s}` is closed in the right order",
            f"return True if the brackets in `{s}` ({named}) match, else False",
            f"tell whether all brackets {named} of `{s}` are opened and closed properly",
            f"test if `{s}` has balanced brackets, where {named} count",
            f"decide whether the brackets {named} in the text `{s}` are nested correctly",
        )
        if give == "bool"
        else (
            f"return how deep the brackets {named} in `{s}` are nested",
            f"compute the greatest nesting depth of the brackets {named} in `{s}`",
            f"return the largest number of open brackets {named} at any place in `{s}`",
            f"find the maximum depth of nested brackets {named} in the text `{s}`",
            f"measure how many brackets {named} are open at most in `{s}`",
            f"determine the nesting depth of `{s}`, where {named} are the brackets",
        )
    )


def is_balanced_rules(deepest: int, give: str, bad: str) -> tuple[Rule, ...]:
    rules = [("Ignore all other characters.", "Other characters do not matter.", "Skip other characters.")]
    if give == "depth":
        rules.append(
            (
                "If they are not balanced, return -1.",
                "Return -1 for brackets that do not match.",
                "Unbalanced brackets give -1.",
            )
        )
    if deepest:
        rules.append(
            (
                f"More than {deepest} open at once is not allowed and gives {bad}.",
                f"Return {bad} if more than {deepest} are open at once.",
                f"If more than {deepest} are open at the same time, the result is {bad}.",
            )
        )
    return tuple(rules)


def is_balanced_oracle(pairs: str, deepest: int, give: str, text: str) -> object:
    kept = "".join(c for c in text if c in pairs)
    deep, level = 0, 0
    for c in kept:
        level += 1 if c in pairs[::2] else -1
        deep = max(deep, level)
    before = None
    while before != kept:
        before = kept
        for start in range(0, len(pairs), 2):
            kept = kept.replace(pairs[start : start + 2], "")
    good = not kept and not (deepest and deep > deepest)
    return good if give == "bool" else deep if good else -1


@family(
    "is_balanced balanced brackets_match well_formed",
    "text s code line",
    pairs=("()", "[]", "()[]", "()[]{}", "<>"),
    deepest=(0, 1, 2, 3),
    give=("bool", "depth"),
)
def is_balanced(n: Names, pairs: str, deepest: int, give: str) -> Task:
    f, s = n
    opening, closing = pairs[::2], pairs[1::2]
    table = "{" + ", ".join(f'"{b}": "{a}"' for a, b in zip(opening, closing, strict=True)) + "}"
    limit = (
        f"            if len(stack) > {deepest}:\n                return {'False' if give == 'bool' else '-1'}\n"
        if deepest
        else ""
    )
    track = "            deepest = max(deepest, len(stack))\n" if give == "depth" else ""
    bad = "False" if give == "bool" else "-1"
    final = "    return not stack" if give == "bool" else "    return -1 if stack else deepest"
    start = "    deepest = 0\n" if give == "depth" else ""
    return Task(
        says=is_balanced_says(s, give, closing, opening),
        rules=is_balanced_rules(deepest, give, bad),
        code=f"""
def {f}({s}):
    table = {table}
    stack = []
{start}    for c in {s}:
        if c in table.values():
            stack.append(c)
{limit}{track}        elif c in table:
            if not stack or stack.pop() != table[c]:
                return {bad}
{final}
""",
        oracle=partial(is_balanced_oracle, pairs, deepest, give),
        inputs=each(
            "",
            "abc",
            *(
                x.replace("(", opening[0]).replace(")", closing[0])
                for x in ("(a)", "((x))", "(((y)))", "((((z))))", ")(", "(()", "())", "()()")
            ),
            "([)]",
            "{[()]}",
            "[(])",
            "[]{}<>",
            "{",
            "}{",
        ),
    )
