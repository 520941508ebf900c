"""Conditions that many families share, each as wording, as code and as an oracle's behaviour.

What a model learns about "if it is empty" in one family, it can use in all others.
"""

from __future__ import annotations

from training.corpus.types import Rule

EMPTY = ("None", "0", "ValueError")


def when_empty(argument: str, result: str) -> Rule:
    """What an empty argument gives: a literal, or the name of an error."""
    if result.endswith("Error"):
        return raising(f"`{argument}` is empty", result)
    return (
        f"If `{argument}` is empty, return {result}.",
        f"Return {result} for an empty `{argument}`.",
        f"An empty `{argument}` gives {result}.",
        f"When `{argument}` is empty, the result is {result}.",
    )


def empty_guard(argument: str, result: str) -> str:
    """The lines that carry out `when_empty`."""
    return guard(f"not {argument}", result, f"{argument} is empty")


def guard(condition: str, result: str, message: str) -> str:
    """An early exit of a function body: return a literal, or raise the named error."""
    action = f'raise {result}("{message}")' if result.endswith("Error") else f"return {result}"
    return f"    if {condition}:\n        {action}\n"


def outcome(result: str) -> object:
    """What an oracle does where the code has a guard: return the literal or raise the error."""
    errors = {"ValueError": ValueError, "KeyError": KeyError, "IndexError": IndexError, "TypeError": TypeError}
    if result in errors:
        raise errors[result]
    return {"None": None, "0": 0, "-1": -1, "[]": [], "{}": {}, '""': "", "False": False, "True": True}[result]


def raising(condition: str, error: str) -> Rule:
    """When an error is raised."""
    return (
        f"Raise a {error} if {condition}.",
        f"If {condition}, raise {error}.",
        f"It raises {error} when {condition}.",
        f"A {error} is raised if {condition}.",
    )


def when_it_fails(condition: str, result: str) -> Rule:
    """What a function or a method does in a case it cannot handle: give a literal, or raise the named error."""
    if result.endswith("Error"):
        return raising(condition, result)
    return (
        f"If {condition}, return {result}.",
        f"Return {result} if {condition}.",
        f"When {condition}, the result is {result}.",
    )


def when_negative(argument: str, result: str) -> Rule:
    """What a negative number gives."""
    if result == "ValueError":
        return raising(f"`{argument}` is negative", result)
    return (
        f"If `{argument}` is negative, return {result}.",
        f"Return {result} for a negative `{argument}`.",
        f"A negative `{argument}` gives {result}.",
    )


def when_invalid(argument: str, result: str) -> Rule:
    """What text that cannot be read gives."""
    if result.endswith("Error"):
        return raising(f"`{argument}` is not valid", result)
    return (
        f"If `{argument}` is not valid, return {result}.",
        f"Return {result} if `{argument}` cannot be read.",
        f"An invalid `{argument}` gives {result}.",
    )


def rounding(digits: int) -> Rule:
    """To how many places a result is rounded."""
    places = f"{digits} decimal place{'s' * (digits != 1)}"
    return (f"Round to {places}.", f"The result is rounded to {places}.", f"Round the result to {places}.")


def ignoring_case(ignored: bool) -> Rule:
    """Whether upper and lower case are the same."""
    if ignored:
        return (
            "Ignore case.",
            "Upper and lower case count as the same.",
            "The comparison is case-insensitive.",
            "Case does not matter.",
        )
    return (
        "Respect case.",
        "Upper and lower case are different.",
        "The comparison is case-sensitive.",
        "Case matters.",
    )


def lower(ignored: bool) -> str:
    """The call that ignores case, or nothing."""
    return ".lower()" if ignored else ""


def keeping_order() -> Rule:
    """The order of the input stays."""
    return ("Keep the original order.", "The order stays the same.", "Preserve the order.")


def each(*values: object) -> tuple[tuple[object, ...], ...]:
    """Inputs of a function of one argument."""
    return tuple((value,) for value in values)


def ask(subject: str, what: str) -> tuple[str, ...]:
    """Six ways to ask for a yes-or-no check."""
    return (
        f"return whether {subject} is {what}",
        f"check whether {subject} is {what}",
        f"return True if {subject} is {what}, else False",
        f"tell whether {subject} is {what}",
        f"validate {subject}: return True for {what}, otherwise False",
        f"test if {subject} is {what} and return a bool",
    )
