"""What a model is shown, word for word.

The bundled models are trained on exactly these texts (training/), so a change here bumps
`PROMPT_VERSION` and asks for new weights; the version stands in every draft's ledger entry.
"""

from __future__ import annotations

from collections.abc import Sequence

from inference.protocol import Message

PROMPT_VERSION = "1"

SYSTEM = "You write Python. Answer with one code block."
REPAIR_TEMPERATURE = 0.4
"""What a repair is drawn with: the same answer again would help nobody."""
DRAW_TEMPERATURE = 0.6
"""What further draws of a plan are drawn with, for the same reason (Brown et al. 2024, Large Language Monkeys)."""


def excerpt(path: str, start_line: int, end_line: int, text: str) -> str:
    """A passage of the repository as it stands in a prompt, with its source and span."""
    return f"# {path}:{start_line}-{end_line}\n{text.rstrip()}\n"


def draft(instruction: str, excerpts: Sequence[str] = ()) -> tuple[Message, ...]:
    """Ask for the code of `instruction`, given excerpts of the repository (see `excerpt`)."""
    question = instruction.strip()
    if excerpts:
        question += "\n\nContext:\n" + "\n".join(excerpts).rstrip()
    return (Message("system", SYSTEM), Message("user", question))


def repair(conversation: Sequence[Message], answer: str, evidence: str, wanted: str = "code") -> tuple[Message, ...]:
    """Send back what the checks showed; `evidence` is pytest's short summary or a lint message."""
    return (
        *conversation,
        Message("assistant", answer),
        Message("user", f"The checks failed:\n{evidence.strip()}\nAnswer with the corrected {wanted}."),
    )


def code_block(code: str) -> str:
    """How an answer carries code."""
    return f"```python\n{code.rstrip()}\n```"
