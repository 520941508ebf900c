"""Llama 3.1, 3.2 and 3.3: the answer is one JSON object, and its template refuses several calls in a message."""

from __future__ import annotations

import json
from collections.abc import Sequence

from inference.llamacpp.toolcalls.family import Family, Trigger, object_head, object_rules

PYTHON_TAG = "<|python_tag|>"
BEGINNINGS = ('{"name": ', '{"name":', '{ "name": ', '{\n"name": ', '{\n  "name": ')


class Llama3(Family):
    """`{"name": "f", "parameters": {...}}` at the beginning of the answer, sometimes after `<|python_tag|>`."""

    marks = (PYTHON_TAG,)
    head = object_head("parameters")

    def fits(self, template: str) -> bool:
        """By the key that no other family with these headers has."""
        return "<|start_header_id|>" in template and '{"name": ' in template and '"parameters": ' in template

    def rules(self, names: Sequence[str], several: bool) -> str:
        """Never several: the model has not learned it, and the next turn could not be rendered."""
        return "calls ::= call\n" + object_rules(names, "parameters")

    def triggers(self, names: Sequence[str]) -> tuple[Trigger, ...]:
        """With a function's whole name, because an answer in JSON that has a name in it may be just that."""
        return (
            Trigger(PYTHON_TAG, "gap call"),
            *(
                Trigger(beginning + json.dumps(name), f"call-{number}", at_start=True)
                for number, name in enumerate(names)
                for beginning in BEGINNINGS
            ),
        )
