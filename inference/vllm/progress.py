"""What vLLM's server is doing while it starts, read from its output as it comes.

vLLM says this nowhere but there. Lines that a later vLLM words differently are passed over: then a phase lasts longer,
and nothing else changes.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path

_PHASES: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern), phase)
    for pattern, phase in (
        (r"non-default args", "reading the model's configuration"),
        (r"Resolved architecture", "starting the engine"),
        (r"Starting to load model", "loading weights"),
        (
            r"Loading .*(?:shards|Loader|Streamer)[^|]*?(?P<percent>\d+)% Completed \| (?P<done>\d+)/(?P<all>\d+)",
            "loading weights",
        ),
        (r"Loading weights took|Model loading took", "preparing the model"),
        (
            r"Dynamo bytecode transform|Compiling a graph|Warming up model for the compilation",
            "compiling",
        ),
        (r"Capturing CUDA graphs[^%]*?(?P<percent>\d+)%\|[^|]*\| (?P<done>\d+)/(?P<all>\d+)", "capturing graphs"),
        (r"Graph capturing finished|KV cache size", "warming up"),
        (r"init engine .* took", "opening the server"),
        (r"Application startup complete", "waiting for the first token"),
    )
)

_ERROR = re.compile(r"\b(?:\w+\.)*\w*(?:Error|Exception): .+|(?<=error: ).+")
_HARMLESS = re.compile(r"\b(?:WARNING|INFO|DEBUG) \d")
_ORDER = ("starting Python", *dict.fromkeys(phase for _, phase in _PHASES))


@dataclass(frozen=True, slots=True)
class Step:
    """A phase of the start, with how far it is where vLLM tells."""

    phase: str
    percent: int | None = None
    of: str = ""

    def is_news_after(self, other: Step) -> bool:
        """Whether a log that has told of the other one should tell of this one, too: a line per quarter is enough."""
        return self.phase != other.phase or (self.percent or 0) // 25 > (other.percent or 0) // 25

    def __str__(self) -> str:
        return self.phase if self.percent is None else f"{self.phase}, {self.of} ({self.percent} %)"


BEGINNING, FIRST_TOKEN = Step(_ORDER[0]), Step(_ORDER[-1])


class Progress:
    """Follows the file that a server's output goes to."""

    def __init__(self, log: Path) -> None:
        self._log = log
        self._offset = 0
        self._rest = ""
        self.step = BEGINNING

    def read(self) -> Step:
        """What the newest output says."""
        with self._log.open("rb") as file:
            file.seek(self._offset)
            new = file.read()
        self._offset += len(new)
        # Progress bars return to the beginning of their line instead of ending it, and of several processes one may
        # be behind: nothing goes back.
        *lines, self._rest = re.split(r"[\r\n]", self._rest + new.decode("utf-8", "replace"))
        for line in (*lines, self._rest):
            step = step_of(line)
            if step is not None and _ORDER.index(step.phase) >= _ORDER.index(self.step.phase):
                self.step = step
        return self.step

    def complaint(self) -> str:
        """The first error in the output, which is what the others follow from; empty if there is none."""
        with self._log.open(encoding="utf-8", errors="replace") as file:
            lines = (line for line in file if not _HARMLESS.search(line))
            found = next((match for match in map(_ERROR.search, lines) if match), None)
        return found[0].strip() if found else ""


def step_of(line: str) -> Step | None:
    """The phase that a line of vLLM's output tells of; None if it tells of none."""
    for pattern, phase in _PHASES:
        if found := pattern.search(line):
            parts = found.groupdict()
            if parts.get("percent") is None:
                return Step(phase)
            return Step(phase, int(parts["percent"]), f"{parts['done']} of {parts['all']}")
    return None
