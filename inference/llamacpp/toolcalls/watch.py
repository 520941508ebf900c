"""Notices where calls begin in text that comes in pieces. Used twice on every answer: by what draws its tokens and by
what reads them; both see the same triggers complete at the same character, however the text is cut.
"""

from __future__ import annotations

from dataclasses import dataclass

from inference.llamacpp.toolcalls.family import Trigger
from inference.stop import overlap

SPACES = " \t\r\n"
MOST_SPACES = 8
"""So many in front of calls are no part of the text."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What a piece has made certain: `text` that is only text, and the trigger that is complete, if any.

    `end` is where in the piece that trigger ends.
    """

    text: str
    trigger: Trigger | None = None
    end: int = 0


@dataclass(frozen=True, slots=True)
class Watch:
    """Looks out for triggers; `held` may still become one."""

    triggers: tuple[Trigger, ...]
    held: str = ""

    def read(self, piece: str) -> tuple[Seen, Watch]:
        """What the next piece brings, and the watch that reads on."""
        text = self.held + piece
        places = [(trigger, _find(text, trigger)) for trigger in self.triggers]
        found = [(at + len(trigger.text), at, trigger) for trigger, at in places if at >= 0]
        if found:
            end, start, trigger = min(found, key=lambda candidate: candidate[:2])
            return Seen(text[: start - _spaces_before(text, start)], trigger, end - len(self.held)), self
        certain = len(text) - self._doubtful(text)
        triggers = tuple(trigger for trigger in self.triggers if not (certain and trigger.at_start))
        return Seen(text[:certain]), Watch(triggers, text[certain:])

    def _doubtful(self, text: str) -> int:
        """How many characters at the end may belong to a trigger, or to the space in front of one."""
        spaces = len(text) - len(text.lstrip(SPACES))
        first = text[spaces:]
        if spaces <= MOST_SPACES and any(t.at_start and t.text.startswith(first) for t in self.triggers):
            return len(text)
        begun = max((overlap(text, trigger.text) for trigger in self.triggers if not trigger.at_start), default=0)
        return begun + _spaces_before(text, len(text) - begun)


def _find(text: str, trigger: Trigger) -> int:
    if not trigger.at_start:
        return text.find(trigger.text)
    start = len(text) - len(text.lstrip(SPACES))
    return start if start <= MOST_SPACES and text.startswith(trigger.text, start) else -1


def _spaces_before(text: str, end: int) -> int:
    before = text[max(0, end - MOST_SPACES) : end]
    return len(before) - len(before.rstrip(SPACES))
