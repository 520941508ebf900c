"""What methods do in cases they cannot handle, as code and as tests."""

from __future__ import annotations

from training.corpus.types import Rule


def stop(condition: str, result: str, message: str) -> str:
    """The lines of a method for such a case."""
    action = f'raise {result}("{message}")' if result.endswith("Error") else f"return {result}"
    return f"        if {condition}:\n            {action}\n"


def refused(setup: str, call: str, result: str) -> str:
    """A test of such a case."""
    return (
        f"{setup}\nwith raises({result}):\n    {call}"
        if result.endswith("Error")
        else f"{setup}\nassert {call} is {result}"
        if result in ("None", "False")
        else f"{setup}\nassert {call} == {result}"
    )


def when_unknown(method: str, result: str) -> Rule:
    """What a method returns or raises for a name that it does not know."""
    if result == "KeyError":
        return (
            f"For an unknown name `{method}` raises a KeyError.",
            f"`{method}` raises KeyError if the name is unknown.",
            f"An unknown name in `{method}` raises KeyError.",
        )
    return (
        f"For an unknown name `{method}` returns {result}.",
        f"`{method}` returns {result} if the name is unknown.",
        f"An unknown name in `{method}` gives {result}.",
    )


def look_up(table: str, missing: str) -> str:
    """The expression that carries out `when_unknown`."""
    return {"0": f"{table}.get(name, 0)", "None": f"{table}.get(name)", "KeyError": f"{table}[name]"}[missing]
