"""Loads what a model of models.yaml needs, after seeing that the file can do it and that there is memory for it.

llama.cpp fills most of its memory only when it is used: what does not fit would be noticed under load, by the kernel,
which then ends the process. So sizes are taken from a sketch, which has none of the memory, before anything is loaded.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path

from inference.catalog import LlamaCppModel
from inference.errors import WeightsError
from inference.llamacpp.embedder import Embedder
from inference.llamacpp.model import Model
from inference.llamacpp.prompt import PromptBuilder
from inference.llamacpp.runner import Runner
from inference.llamacpp.threads import usable_cores
from inference.memory import allocated_mib, available_mib, in_words
from inference.protocol import Capability

BATCH_TOKENS = 512
OFFERED: frozenset[Capability] = frozenset(
    {"chat", "completion", "infill", "embeddings", "tools", "json_schema", "logprobs"}
)
GENERATES: frozenset[Capability] = frozenset({"chat", "completion", "infill"})


class Loaded:
    """The weights and the contexts that the capabilities need. Raises `WeightsError`; `close` frees the memory.

    `memory_mib` is what llama.cpp has allocated, by part. A `sketch` has the same figures and can compute nothing.
    """

    def __init__(self, spec: LlamaCppModel, weights: Path, *, sketch: bool = False) -> None:
        self.batch_tokens = max(BATCH_TOKENS, spec.concurrency)
        self.runner: Runner | None = None
        self.embedder: Embedder | None = None
        self.threads = spec.threads or usable_cores()
        with ExitStack() as stack:
            self.model = Model(weights, spec.gpu_layers, sketch=sketch)
            stack.callback(self.model.close)
            self.memory_mib = {"weights": self.model.weights_mib}
            self.prompts = PromptBuilder(self.model, spec.infill)
            check_promises(spec, self.model, self.prompts)
            if GENERATES & spec.capabilities:
                self.runner = Runner(self.model, spec.concurrency, spec.context_tokens, self.batch_tokens)
                stack.callback(self.runner.close)
                self.runner.reserve()
                self.memory_mib |= self.runner.memory_mib
            if "embeddings" in spec.capabilities:
                self.embedder = Embedder(self.model, spec.context_tokens)
                stack.callback(self.embedder.close)
                self.embedder.reserve()
                self.memory_mib |= self.embedder.memory_mib
            self._memory = stack.pop_all()

    def close(self) -> None:
        """Free the memory; safe to call twice."""
        self._memory.close()


def load(spec: LlamaCppModel, weights: Path) -> Loaded:
    """Everything, if there is room for it; otherwise nothing is loaded. Raises `WeightsError`."""
    sketch = Loaded(spec, weights, sketch=True)
    sketch.close()
    check_room(spec, sketch.memory_mib)
    return Loaded(spec, weights)


def check_room(spec: LlamaCppModel, needed: Mapping[str, float]) -> None:
    """Whether there may be, and is, as much memory as is needed (MiB by part); raises `WeightsError`.

    How layers on a GPU divide it between the two memories is not known before they are there, so then only what
    models.yaml allows is checked: a GPU's driver refuses at once what does not fit.
    """
    available = available_mib() if not spec.gpu_layers else float("inf")
    total = allocated_mib(needed)
    if spec.memory_mib is not None and total > spec.memory_mib:
        limit = f"its memory_mib allows {spec.memory_mib:,}"
    elif total > available:
        limit = f"only {max(0.0, available):,.0f} are available here"
    else:
        return
    raise WeightsError(
        f"The model {spec.name!r} needs {total:,.1f} MiB of memory ({in_words(needed)}), but {limit}: "
        "lower its context_tokens or concurrency, or take a smaller file."
    )


def check_promises(spec: LlamaCppModel, model: Model, prompts: PromptBuilder) -> None:
    """What models.yaml declares, the file must be able to do; raises `WeightsError`."""
    trained = model.trained_context_tokens
    problem = None
    if spec.context_tokens > trained:
        problem = f"context_tokens is {spec.context_tokens}, but the model was made for {trained}"
    elif spec.capabilities - OFFERED:
        beyond = ", ".join(sorted(spec.capabilities - OFFERED))
        problem = f"this engine does not offer {beyond}; it offers {', '.join(sorted(OFFERED))}"
    elif (talks := {"chat", "tools"} & spec.capabilities) and not prompts.can_chat:
        problem = f"{min(talks)!r} is declared, but the file has no chat template"
    elif "infill" in spec.capabilities and not prompts.can_infill:
        problem = "'infill' is declared, but the file has no fill-in-the-middle tokens" + (
            " of the names in models.yaml" if spec.infill else ""
        )
    if problem:
        raise WeightsError(f"The model {spec.name!r} cannot be served from {model.path}: {problem}.")
