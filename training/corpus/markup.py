"""The models' own markup: special tokens, the chat template, and samples written in them."""

from __future__ import annotations

from collections.abc import Sequence

from inference.protocol import Message
from training.corpus.types import Segment

END_OF_TEXT = "<|endoftext|>"
IM_START = "<|im_start|>"
IM_END = "<|im_end|>"
FIM_PREFIX = "<|fim_prefix|>"
FIM_SUFFIX = "<|fim_suffix|>"
FIM_MIDDLE = "<|fim_middle|>"
SPECIAL_TOKENS = (END_OF_TEXT, IM_START, IM_END, FIM_PREFIX, FIM_SUFFIX, FIM_MIDDLE)

CHAT_TEMPLATE = (
    "{%- for message in messages %}"
    "{{- '<|im_start|>' + message['role'] + '\\n' + (message['content'] or '') + '<|im_end|>' + '\\n' }}"
    "{%- endfor %}"
    "{%- if add_generation_prompt %}{{- '<|im_start|>assistant\\n' }}{%- endif %}"
)


def conversation(messages: Sequence[Message]) -> str:
    """What `CHAT_TEMPLATE` renders, with the prompt for an answer at the end."""
    turns = "".join(f"{IM_START}{message.role}\n{message.content}{IM_END}\n" for message in messages)
    return f"{turns}{IM_START}assistant\n"


def chat(messages: Sequence[Message], answer: str) -> tuple[Segment, ...]:
    """A conversation whose last answer is learnt."""
    return (Segment(conversation(messages), learn=False), Segment(f"{answer}{IM_END}", learn=True))


def infill(prefix: str, suffix: str, middle: str) -> tuple[Segment, ...]:
    """Fill in the middle, in the order prefix, suffix, middle (Bavarian et al., 2022)."""
    return (
        Segment(f"{FIM_PREFIX}{prefix}{FIM_SUFFIX}{suffix}{FIM_MIDDLE}", learn=False),
        Segment(f"{middle}{END_OF_TEXT}", learn=True),
    )
