"""All families of tool calls, and which one a chat template is of."""

from __future__ import annotations

from inference.llamacpp.toolcalls.family import Family
from inference.llamacpp.toolcalls.generic import Generic
from inference.llamacpp.toolcalls.hermes import Hermes
from inference.llamacpp.toolcalls.llama3 import Llama3
from inference.llamacpp.toolcalls.mistral import Mistral
from inference.llamacpp.toolcalls.mistral_named import MistralNamed

FAMILIES: tuple[Family, ...] = (Hermes(), Llama3(), Mistral(), MistralNamed(), Generic())
"""The first that fits is taken; the last one always does."""


def family_of(template: str) -> Family:
    """The family of a chat template, by its source."""
    source = template.replace('\\"', '"')
    return next(family for family in FAMILIES if family.fits(source))
