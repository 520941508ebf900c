"""Mistral since Small 3.2, with Devstral, Magistral and Ministral: control tokens around name and arguments."""

from __future__ import annotations

import re
from collections.abc import Sequence

from inference.llamacpp.grammar import literal
from inference.llamacpp.toolcalls.mistral import OPEN, Mistral

CALL_ID, ARGS = "[CALL_ID]", "[ARGS]"


class MistralNamed(Mistral):
    """`[TOOL_CALLS]f[ARGS]{...}` for each call, in Small 3.2 with `[CALL_ID]` and an id after the name."""

    marks = (OPEN, CALL_ID, ARGS)
    head = re.compile(r"\[TOOL_CALLS\]\s*(?P<name>[^\[]*)(?:\[CALL_ID\][^\[]*)?\[ARGS\]\s*(?=\{)")

    def fits(self, template: str) -> bool:
        """By the token before the arguments."""
        return OPEN in template and ARGS in template

    def rules(self, names: Sequence[str], several: bool) -> str:
        """One call after the other."""
        more = f' (gap "{OPEN}" call)*' if several else ""
        choices = " | ".join(f"{literal(name)} marked arguments-{number}" for number, name in enumerate(names))
        return "\n".join(
            [
                f'calls ::= "{OPEN}" list',
                f"list ::= call{more} gap",
                f"call ::= gap ({choices})",
                f'marked ::= ("{CALL_ID}" [a-zA-Z0-9]{{9}})? "{ARGS}" gap',
            ]
        )
