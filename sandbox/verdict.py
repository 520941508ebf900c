"""From what was observed to the one outcome. Pure; `run.py` observes.

The supervisor's own facts come first. An exit status is looked at last, and 137 or 255 mean nothing by
themselves: a program may choose them.
"""

from __future__ import annotations

import re
import signal
from dataclasses import dataclass

from sandbox.protocol import Limits, Outcome

_NSJAIL_END = re.compile(
    rb"\(\[STANDALONE MODE\]\) (?:exited with status: (\d+)|terminated with signal: \S+ \((\d+)\))"
)
_INIT_REPORT = re.compile(rb"A child with PID 2 (?:exited with exit status|was terminated by signal) (\d+)\.\n")
_BY_SIGNAL = b"was terminated by signal"
_FIRST_SIGNAL_STATUS = 128


@dataclass(frozen=True, slots=True)
class Ending:
    """How the program ended: one of the two; `torn_down` means that the whole jail was killed from outside."""

    exit_code: int | None
    signal: int | None
    torn_down: bool


def read_ending(log: bytes, report: bytes) -> Ending:
    """The end from nsjail's log and the init process's last report.

    nsjail's log is out of the job's reach. The report only tells 128+n as a choice from death by signal n,
    so a job that forges it claims nothing that it could not also do to itself.
    """
    ends = _NSJAIL_END.findall(log)
    if not ends or ends[-1][1]:
        return Ending(None, int(ends[-1][1]) if ends else signal.SIGKILL, torn_down=True)
    status = int(ends[-1][0])
    reports = list(_INIT_REPORT.finditer(report))
    if reports and _BY_SIGNAL in reports[-1][0] and status == _FIRST_SIGNAL_STATUS + int(reports[-1][1]):
        return Ending(None, int(reports[-1][1]), torn_down=False)
    return Ending(status, None, torn_down=False)


@dataclass(frozen=True, slots=True)
class Observation:
    """Everything that decides. `stopped` is the reason for which the supervisor killed, if it did."""

    ending: Ending
    stopped: Outcome | None
    most_output_bytes: int
    oom_kills: int
    cpu_seconds: float
    disk_full: bool
    backstop: bool


def judge(seen: Observation, limits: Limits) -> Outcome:
    """The first rule that holds. A program that fails while memory or disk is full failed because of it."""
    ending = seen.ending
    if seen.most_output_bytes > limits.output_bytes:
        return "output_limit"
    if seen.stopped is not None and ending.torn_down:
        return seen.stopped
    if seen.backstop:
        return "timeout"
    if ending.signal == signal.SIGSYS:
        return "policy_violation"
    if ending.exit_code == 0:
        return "exited"
    if seen.oom_kills:
        return "out_of_memory"
    if ending.signal in (signal.SIGKILL, signal.SIGXCPU) and seen.cpu_seconds >= limits.cpu_seconds:
        return "cpu_limit"
    if seen.disk_full:
        return "disk_limit"
    return "exited" if ending.signal is None else "signalled"
