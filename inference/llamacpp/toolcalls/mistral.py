"""Mistral up to Nemo and Large 2: a control token and a JSON list of calls."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from typing import ClassVar

from inference.llamacpp.toolcalls.family import Family, Trigger, object_head, object_rules

OPEN = "[TOOL_CALLS]"
_ACCEPTED_ID = re.compile("[a-zA-Z0-9]{9}")


class Mistral(Family):
    """`[TOOL_CALLS][{"name": "f", "arguments": {...}}, ...]`; a call may end in an id, which we replace by our own."""

    marks: ClassVar[tuple[str, ...]] = (OPEN,)
    head = object_head("arguments")

    def fits(self, template: str) -> bool:
        """The newer spelling has `[ARGS]` in it."""
        return OPEN in template and "[ARGS]" not in template

    def rules(self, names: Sequence[str], several: bool) -> str:
        """The list of calls."""
        more = ' (gap "," gap call)*' if several else ""
        identified = r'("," gap "\"id\":" gap "\"" [a-zA-Z0-9]{9} "\"" gap)?'
        return "\n".join(
            [
                f'calls ::= "{OPEN}" list',
                f'list ::= gap "[" gap call{more} gap "]" gap',
                object_rules(names, "arguments", last=identified),
            ]
        )

    def triggers(self, names: Sequence[str]) -> tuple[Trigger, ...]:
        """The control token, wherever it is."""
        return (Trigger(OPEN, "list"),)

    def call_id(self, given: str) -> str:
        """These templates insist on nine letters or digits."""
        return given if _ACCEPTED_ID.fullmatch(given) else hashlib.sha256(given.encode()).hexdigest()[:9]
