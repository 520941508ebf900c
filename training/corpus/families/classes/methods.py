"""What methods do in cases they cannot handle, as code and as tests."""

from __future__ import annotations


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
