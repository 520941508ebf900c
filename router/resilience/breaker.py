"""The circuit breaker of one upstream (Nygard, Release It!): closed, open, half-open.

It counts what it is told and knows no errors: what a failure is, faults.py says; who is refused is told by the guard.
Nothing happens in the background: an open circuit is half-open as soon as its time is over and somebody looks.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from inference.resilience import BreakerSpec
from router.resilience.window import Window

State = Literal["closed", "open", "half-open"]
Outcome = Literal["success", "failure", "nothing"]
"""`nothing`: how a call ended says nothing about the upstream, because the client left or asked for the impossible."""

PROBING_SECONDS = 1.0
"""For how long others are put off while probes are under way; nobody knows how long those take."""
_MOST_DOUBLINGS = 30


@dataclass(slots=True, eq=False)
class Call:
    """An admitted call. `era` is that of the circuit; what began in an earlier one does not count any more."""

    era: int
    probes: bool
    answered: bool = False


class Breaker:
    """Opens by failures in a row or by their share of a window; the time it is open doubles until a call succeeds.

    Between `admit` and `end` of a call there may be `answers`. `clock` gives seconds and never goes back.
    """

    def __init__(self, spec: BreakerSpec, clock: Callable[[], float]) -> None:
        """It is closed."""
        self._spec = spec
        self._clock = clock
        self._window = Window(spec.window_seconds, clock)
        self._in_a_row = 0
        self._open_until: float | None = None
        self._reopened = 0
        self._probing = 0
        self._era = 0
        self.opens = 0

    @property
    def state(self) -> State:
        """As it is now."""
        if self._open_until is None:
            return "closed"
        return "open" if self._clock() < self._open_until else "half-open"

    def counts(self) -> tuple[int, int]:
        """Calls of the window, and how many of them failed."""
        return self._window.counts()

    def open_for(self) -> float:
        """Seconds until a call would be admitted; 0 if it would be now."""
        if self._open_until is None:
            return 0.0
        if (left := self._open_until - self._clock()) > 0:
            return left
        return PROBING_SECONDS if self._probing >= self._spec.probes else 0.0

    def admit(self) -> Call:
        """A call begins. Only while `open_for` is 0."""
        assert not self.open_for(), "the circuit is open"
        probes = self._open_until is not None
        self._probing += probes
        return Call(self._era, probes)

    def answers(self, call: Call) -> None:
        """The first piece of an answer came. A probe then closes the circuit: long answers keep nobody waiting."""
        call.answered = True
        if call.era == self._era and call.probes:
            self._close()
            call.era, call.probes = self._era, False

    def end(self, call: Call, outcome: Outcome) -> None:
        """The call is over; say so once."""
        if call.era != self._era:
            return
        self._probing -= call.probes
        if outcome == "success":
            self._succeeded(call)
        elif outcome == "failure":
            self._failed(call)

    def _succeeded(self, call: Call) -> None:
        if call.probes:
            self._close()
        self._window.add(failed=False)
        self._in_a_row = self._reopened = 0

    def _failed(self, call: Call) -> None:
        self._window.add(failed=True)
        self._in_a_row += 1
        calls, failures = self._window.counts()
        too_many = calls >= self._spec.least_calls and failures >= self._spec.failure_share * calls
        if call.probes or too_many or self._in_a_row >= self._spec.consecutive_failures:
            self._open()

    def _open(self) -> None:
        seconds = self._spec.open_seconds * 2 ** min(self._reopened, _MOST_DOUBLINGS)
        self._open_until = self._clock() + min(seconds, self._spec.longest_open_seconds)
        self._reopened += 1
        self.opens += 1
        self._begin_era()

    def _close(self) -> None:
        self._open_until = None
        self._begin_era()

    def _begin_era(self) -> None:
        self._era += 1
        self._probing = self._in_a_row = 0
        self._window.clear()
