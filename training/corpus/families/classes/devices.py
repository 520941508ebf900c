"""Classes with a state: switches and thermometers."""

from __future__ import annotations

from training.corpus.registry import family
from training.corpus.types import Names, Task


def switch_says(press: str, state: str, states: tuple[str, ...], back: bool) -> tuple[str, ...]:
    order = ", ".join(f"`{s}`" for s in states)
    extra = " and `back()` to the one before" if back else ""
    return (
        f"go through the states {order}: `{press}()` moves to the next one{extra}, `{state}()` returns it",
        (
            f"have one of the states {order}, first `{states[0]}`; `{press}()` goes to the next{extra}, "
            f"`{state}()` tells which it is"
        ),
        (
            f"start as `{states[0]}` and change with `{press}()` to the next of {order}{extra}; `{state}()` "
            "returns the state"
        ),
        f"hold a state out of {order}, which `{press}()` moves on by one{extra} and `{state}()` returns",
        f"step through {order} with `{press}()`{extra} and return the present state with `{state}()`",
        (
            f"begin with `{states[0]}` and offer `{press}()` to reach the next state of {order}{extra}, and "
            f"`{state}()` to read it"
        ),
    )


@family(
    "Switch Light Toggle Lamp",
    "toggle press flip click",
    "state status show read",
    states=(("off", "on"), ("red", "green"), ("closed", "open"), ("red", "green", "yellow"), ("low", "medium", "high")),
    wrap=(True, False),
    back=(False, True),
)
def switch(n: Names, states: tuple[str, ...], wrap: bool, back: bool) -> Task:
    c, press, state = n
    listed = ", ".join(f'"{s}"' for s in states)
    last = len(states) - 1
    step = f"self.i = (self.i + 1) % {len(states)}" if wrap else f"self.i = min({last}, self.i + 1)"
    step_back = f"self.i = (self.i - 1) % {len(states)}" if wrap else "self.i = max(0, self.i - 1)"

    def test(moves: str) -> str:
        i = 0
        for move in moves:
            i += 1 if move == "p" else -1
            i = i % len(states) if wrap else max(0, min(last, i))
        calls = "".join(f"s.{press}()\n" if move == "p" else "s.back()\n" for move in moves)
        return f's = {c}()\n{calls}assert s.{state}() == "{states[i]}"'

    moves = ["", "p", "pp", "ppp", "pppp", "ppppp", "p" * 6, "p" * 7] + (
        ["b", "pb", "ppb", "bb", "pppb"] if back else []
    )
    two = f'a = {c}()\nb = {c}()\na.{press}()\nassert [a.{state}(), b.{state}()] == ["{states[1]}", "{states[0]}"]'
    return Task(
        says=switch_says(press, state, states, back),
        rules=(
            (
                f"After `{states[-1]}` comes `{states[0]}` again.",
                f"From `{states[-1]}` it goes on to `{states[0]}`.",
                "After the last state the first one follows.",
            )
            if wrap
            else (
                f"At `{states[-1]}` it stays there.",
                f"It stops at `{states[-1]}`.",
                "After the last state nothing changes.",
            ),
        ),
        code=f"""
class {c}:
    def __init__(self):
        self.states = [{listed}]
        self.i = 0

    def {press}(self):
        {step}
{f"{chr(10)}    def back(self):{chr(10)}        {step_back}{chr(10)}" if back else ""}
    def {state}(self):
        return self.states[self.i]
""",
        tests=(*(test(m) for m in moves), two),
    )


def temperature_says(convert: str, is_warm: str, source: str, target: str, limit: int) -> tuple[str, ...]:
    return (
        (
            f"hold `degrees` {source}; `{convert}()` returns them in {target} and `{is_warm}()` whether they are "
            f"at least {limit}"
        ),
        (
            f"store a temperature of `degrees` {source}, with `{convert}()` for {target} and `{is_warm}()` telling "
            f"if it is {limit} or more"
        ),
        (f"represent `degrees` in {source}: `{convert}()` converts to {target}, `{is_warm}()` is True from {limit} on"),
        (
            f"keep `degrees` {source} and return {target} in `{convert}()`, and in `{is_warm}()` if they are not "
            f"below {limit}"
        ),
        (
            f"provide `{convert}()`, which turns the `degrees` {source} into {target}, and `{is_warm}()`, True for "
            f"{limit} and above"
        ),
        (
            f"model a temperature in {source} (`degrees`) that `{convert}()` gives in {target} and `{is_warm}()` "
            f"compares with {limit}, which is warm"
        ),
    )


@family(
    "Temperature Thermometer Reading Degrees",
    "to_other converted other_scale in_other",
    "is_warm warm comfortable nice",
    source=("Celsius", "Fahrenheit"),
    warm=(15, 18, 20, 25),
    digits=(0, 1, 2),
)
def temperature(n: Names, source: str, warm: int, digits: int) -> Task:
    c, convert, is_warm = n
    target = "Fahrenheit" if source == "Celsius" else "Celsius"
    limit = warm if source == "Celsius" else warm * 9 // 5 + 32
    formula = "self.degrees * 9 / 5 + 32" if source == "Celsius" else "(self.degrees - 32) * 5 / 9"

    def convert_by_hand(x: float) -> float:
        return round(x * 1.8 + 32 if source == "Celsius" else (x - 32) / 1.8, digits)

    places = f"{digits} decimal place{'s' * (digits != 1)}"
    return Task(
        says=temperature_says(convert, is_warm, source, target, limit),
        rules=(
            (
                f"Round {target} to {places}.",
                f"The {target} value is rounded to {places}.",
                f"`{convert}` rounds to {places}.",
            ),
        ),
        code=f"""
class {c}:
    def __init__(self, degrees):
        self.degrees = degrees

    def {convert}(self):
        return round({formula}, {digits})

    def {is_warm}(self):
        return self.degrees >= {limit}
""",
        tests=(
            *(f"assert {c}({x}).{convert}() == {convert_by_hand(x)}" for x in (0, 100, -40, 36.6, 21.37)),
            *(f"assert {c}({x}).{is_warm}() is {x >= limit}" for x in (limit, limit - 1, limit + 1, 0, limit - 0.5)),
        ),
    )
