"""Hermes and Qwen 2.5 and 3, Granite 4 and others: a JSON object between <tool_call> tags."""

from __future__ import annotations

from collections.abc import Sequence

from inference.llamacpp.toolcalls.family import Family, Trigger, object_head, object_rules

OPEN, CLOSE = "<tool_call>", "</tool_call>"


class Hermes(Family):
    """`<tool_call>`, `{"name": "f", "arguments": {...}}`, `</tool_call>`, each on a line; then perhaps the next."""

    marks = (OPEN, CLOSE)
    head = object_head("arguments")

    def fits(self, template: str) -> bool:
        """Others use the same tags around XML (Qwen 3 Coder) or something else again, but then without this key."""
        ours = OPEN in template and '"arguments": ' in template and "tools" in template
        return ours and "<function=" not in template and "<tool_calls>" not in template

    def rules(self, names: Sequence[str], several: bool) -> str:
        """A line end may stand after the last call, as some models have it."""
        more = f' (gap "{OPEN}" tagged)*' if several else ""
        return "\n".join(
            [
                f'calls ::= "{OPEN}" after-tag',
                f"after-tag ::= tagged{more} gap",
                f'tagged ::= gap call gap "{CLOSE}"',
                object_rules(names, "arguments"),
            ]
        )

    def triggers(self, names: Sequence[str]) -> tuple[Trigger, ...]:
        """The opening tag, wherever it is."""
        return (Trigger(OPEN, "after-tag"),)
