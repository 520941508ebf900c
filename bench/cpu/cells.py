"""What is measured: models, workloads and how many clients at once, with how many requests a run has."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.cpu.prompts import Author, Code, Letters, Workload
from bench.cpu.random_model import END_TOKENS, write_random_model
from bench.cpu.servers import Served
from bench.report import ROOT

SLOTS = 16
_BUNDLED = ROOT / "inference" / "bundled" / "nano-coder"
_NANO_END_TOKENS = (0, 2)


@dataclass(frozen=True, slots=True)
class Subject:
    """A model, what is asked of it, and with how many clients at once."""

    served: Served
    author: Author
    workloads: Sequence[tuple[Workload, Sequence[int]]]

    @property
    def name(self) -> str:
        """The model's name."""
        return self.served.name


@dataclass(frozen=True, slots=True)
class Cell:
    """One workload from so many clients; a run has `requests` requests."""

    workload: Workload
    clients: int
    requests: int

    @property
    def name(self) -> str:
        """As it is chosen on the command line."""
        return f"{self.workload.name}@{self.clients}"


def random_half_billion() -> Subject:
    """Random weights of the shape of a 0.5 B model."""
    weights = write_random_model(ROOT / ".setup" / "bench" / "random-0.5b.gguf")
    return Subject(
        Served("random-0.5b", weights, context_tokens=2560, slots=SLOTS, flash_attention=True),
        Author("random-0.5b", Letters(), END_TOKENS),
        (
            (Workload("chat", 128, 64), (1, 4, 8, 16)),
            (Workload("long", 2048, 32), (1, 4)),
            (Workload("shared", 1024, 32, shared=1000), (16,)),
            (Workload("fim", 300, 32, after_tokens=100), (1, 4)),
        ),
    )


def nano_coder() -> Subject:
    """The bundled model, whose context is 1,024 tokens."""
    weights: Path = next(_BUNDLED.glob("*.gguf"))
    return Subject(
        Served("nano-coder", weights, context_tokens=1024, slots=SLOTS, flash_attention=False),
        Author("nano-coder", Code(_BUNDLED / "tokenizer.json"), _NANO_END_TOKENS),
        (
            (Workload("chat", 128, 64), (1, 4, 8, 16)),
            (Workload("long", 768, 32), (1, 4, 8, 16)),
            (Workload("shared", 624, 32, shared=600), (16,)),
            (Workload("fim", 300, 32, after_tokens=100), (1, 4, 8, 16)),
        ),
    )


SUBJECTS = {"0.5b": random_half_billion, "nano": nano_coder}


def cells(subject: Subject) -> Iterator[Cell]:
    """All cells of a model."""
    for workload, clients in subject.workloads:
        for count in clients:
            yield Cell(workload, count, _requests(subject.name, workload, count))


def _requests(model: str, workload: Workload, clients: int) -> int:
    """As few as a figure can stand on: the large model's are long, the small one answers many in the same time."""
    if workload.shared:
        return clients  # all at once: from the second round on, both servers would have the shared part already
    if model == "nano-coder":
        return max(2 * clients, 16)
    return max(clients, 2) if workload.name == "long" else max(2 * clients, 4)
