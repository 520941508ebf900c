"""The circuit breaker on a hand-moved clock."""

from __future__ import annotations

import pytest
from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import Bundle, RuleBasedStateMachine, consumes, initialize, invariant, precondition, rule
from pydantic import ValidationError

from inference.resilience import BreakerSpec
from router.resilience.breaker import PROBING_SECONDS, Breaker, Call, Outcome
from router.resilience.window import Window
from tests.router.resilience.doubles import Clock

ROW = BreakerSpec(consecutive_failures=3, least_calls=100, open_seconds=4, longest_open_seconds=10)
SHARE = BreakerSpec(consecutive_failures=100, least_calls=10, failure_share=0.5, window_seconds=30)


OUTCOMES: dict[str, Outcome] = {"+": "success", "-": "failure", "?": "nothing"}


def tell(breaker: Breaker, outcomes: str) -> None:
    """Calls that end like this, one after the other."""
    for sign in outcomes:
        breaker.end(breaker.admit(), OUTCOMES[sign])


def state(breaker: Breaker) -> str:
    return breaker.state


def test_failures_in_a_row_open_it() -> None:
    breaker = Breaker(ROW, Clock())
    tell(breaker, "--+-?-")
    assert state(breaker) == "closed"
    tell(breaker, "-")
    assert (state(breaker), breaker.open_for(), breaker.opens) == ("open", 4, 1)
    with pytest.raises(AssertionError):
        breaker.admit()


def test_a_share_of_failures_opens_it_once_there_are_enough_calls() -> None:
    breaker = Breaker(SHARE, Clock())
    tell(breaker, "-+-+-+-+-")
    assert state(breaker) == "closed"  # more than the share, of nine calls
    tell(breaker, "+")
    assert state(breaker) == "closed"  # only a failure opens it
    tell(breaker, "-")
    assert state(breaker) == "open"


def test_what_is_older_than_the_window_does_not_count() -> None:
    clock = Clock()
    breaker = Breaker(SHARE, clock)
    tell(breaker, "-" * 9)
    clock.now += 34
    tell(breaker, "-")
    assert (state(breaker), breaker.counts()) == ("closed", (1, 1))


def test_open_times_double_up_to_the_longest_until_a_call_succeeds() -> None:
    clock = Clock()
    breaker = Breaker(ROW, clock)
    tell(breaker, "---")
    for seconds in (4, 8, 10, 10):
        assert breaker.open_for() == seconds
        clock.now += seconds
        assert (state(breaker), breaker.open_for()) == ("half-open", 0)
        tell(breaker, "-")
    clock.now += 10
    tell(breaker, "+")
    assert state(breaker) == "closed"
    tell(breaker, "---")
    assert breaker.open_for() == 4


def test_half_open_lets_so_many_probes_through_and_no_more() -> None:
    clock = Clock()
    breaker = Breaker(ROW.model_copy(update={"probes": 2}), clock)
    tell(breaker, "---")
    clock.now += 4
    probes = [breaker.admit(), breaker.admit()]
    assert breaker.open_for() == PROBING_SECONDS
    breaker.end(probes[0], "nothing")  # the client left: the next one finds out
    assert breaker.open_for() == 0
    breaker.end(breaker.admit(), "success")
    assert state(breaker) == "closed"
    breaker.end(probes[1], "failure")  # it began while the circuit was half-open
    assert breaker.counts() == (1, 0)


def test_the_first_piece_of_a_probes_answer_closes_it_and_its_end_counts_all_the_same() -> None:
    clock = Clock()
    breaker = Breaker(ROW, clock)
    tell(breaker, "---")
    for seconds in (4, 8):  # it goes on to break in the middle of answers, so it stays away longer
        assert breaker.open_for() == seconds
        clock.now += seconds
        calls = [breaker.admit()]
        breaker.answers(calls[0])
        assert (state(breaker), breaker.open_for()) == ("closed", 0)
        calls += [breaker.admit(), breaker.admit()]
        for call in calls:
            breaker.end(call, "failure")
    assert breaker.open_for() == 10


def test_calls_that_began_before_it_opened_say_nothing_afterwards() -> None:
    clock = Clock()
    breaker = Breaker(ROW, clock)
    late = [breaker.admit() for _ in range(4)]
    tell(breaker, "---")
    breaker.answers(late[0])
    breaker.end(late[0], "success")
    breaker.end(late[1], "failure")
    assert breaker.open_for() == 4
    clock.now += 4
    probe = breaker.admit()
    breaker.answers(late[2])
    breaker.end(late[2], "success")
    breaker.end(late[3], "nothing")
    assert breaker.open_for() == PROBING_SECONDS
    breaker.end(probe, "failure")
    assert breaker.open_for() == 8


def test_the_first_open_time_is_not_longer_than_the_longest() -> None:
    with pytest.raises(ValidationError, match="open_seconds is 10: more than longest_open_seconds, 5"):
        BreakerSpec(open_seconds=10, longest_open_seconds=5)


class BreakerMachine(RuleBasedStateMachine):
    """Any calls at any times, beside a model that keeps every event of the present era."""

    calls: Bundle[Call] = Bundle("calls")

    @initialize(
        row=st.integers(1, 6), least=st.integers(1, 8), share=st.sampled_from([0.3, 0.5, 1.0]), probes=st.integers(1, 3)
    )
    def begin(self, row: int, least: int, share: float, probes: int) -> None:
        self.spec = BreakerSpec(
            consecutive_failures=row,
            least_calls=least,
            failure_share=share,
            window_seconds=10,
            open_seconds=2,
            longest_open_seconds=7,
            probes=probes,
        )
        self.clock = Clock()
        self.breaker = Breaker(self.spec, self.clock)
        self.seen: list[tuple[float, bool]] = []  # ends of calls since it last opened or closed
        self.live: list[Call] = []  # admitted since then, and not over
        self.reopened = 0

    @rule(seconds=st.one_of(st.floats(0, 1), st.floats(0, 20)))
    def wait(self, seconds: float) -> None:
        self.clock.now += seconds

    @precondition(lambda self: self.breaker.open_for() == 0)
    @rule(target=calls)
    def admit(self) -> Call:
        call = self.breaker.admit()
        self.live.append(call)
        return call

    @rule(call=calls)
    def answers(self, call: Call) -> None:
        probed = self.breaker.state == "half-open" and call in self.live
        before = self.breaker.state
        self.breaker.answers(call)
        if probed:
            self.turned("closed")
            self.live = [call]
        assert self.breaker.state == ("closed" if probed else before)

    @rule(call=consumes(calls), outcome=st.sampled_from(["success", "failure", "nothing"]))
    def end(self, call: Call, outcome: Outcome) -> None:
        before, counts = self.breaker.state, call in self.live
        self.live = [each for each in self.live if each is not call]
        expected = self.expected(before, outcome) if counts else before
        self.breaker.end(call, outcome)
        assert self.breaker.state == expected
        if counts and outcome == "success":
            self.reopened = 0
        if expected == "open" and before != "open":
            self.turned("open")
            assert self.breaker.open_for() == pytest.approx(min(2.0 * 2**self.reopened, 7.0))
            self.reopened += 1
        elif expected == "closed" and before != "closed":
            self.turned("closed")
            self.seen.append((self.clock.now, False))

    def expected(self, before: str, outcome: Outcome) -> str:
        """The state after a call of this era has ended."""
        if before == "half-open":
            return {"success": "closed", "failure": "open", "nothing": "half-open"}[outcome]
        if outcome != "nothing":
            self.seen.append((self.clock.now, outcome == "failure"))
        if outcome != "failure":
            return "closed"
        recent = [failed for when, failed in self.seen if self.clock.now // 1 - when // 1 < 10]
        row = len(self.seen) - max((n for n, (_, failed) in enumerate(self.seen, 1) if not failed), default=0)
        enough = len(recent) >= self.spec.least_calls and sum(recent) >= self.spec.failure_share * len(recent)
        return "open" if enough or row >= self.spec.consecutive_failures else "closed"

    def turned(self, state: str) -> None:
        assert self.breaker.state == state
        self.seen, self.live = [], []

    @invariant()
    def never_more_probes_than_declared(self) -> None:
        if hasattr(self, "breaker") and self.breaker.state == "half-open":
            assert len(self.live) <= self.spec.probes
            assert (self.breaker.open_for() > 0) == (len(self.live) == self.spec.probes)

    @invariant()
    def it_is_open_for_no_longer_than_declared_and_counts_no_more_than_there_was(self) -> None:
        if hasattr(self, "breaker"):
            assert 0 <= self.breaker.open_for() <= 7 + 1e-9
            calls, failures = self.breaker.counts()
            assert 0 <= failures <= calls <= len(self.seen)


TestBreaker = BreakerMachine.TestCase
TestBreaker.settings = settings(max_examples=100, stateful_step_count=40, deadline=None)


def test_the_window_counts_what_is_young_enough_and_does_not_grow() -> None:
    clock = Clock()
    window = Window(10, clock)
    for _ in range(100):
        window.add(failed=True)
        window.add(failed=False)
        clock.now += 1
    assert window.counts() == (18, 9)
    clock.now += 1e9
    assert window.counts() == (0, 0)
    window.add(failed=True)
    window.clear()
    assert window.counts() == (0, 0)
