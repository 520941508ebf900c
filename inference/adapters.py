"""LoRA adapters as everybody sees them: their names, which ones a model is to have, what an engine does with them.

How vLLM is told is `vllm/adapters.py`'s; on a cluster `cluster/adapters.py` tells the replicas.
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Protocol, runtime_checkable

from inference.catalog import ModelBase, VllmModel
from inference.weights.manifest import weights_digest

SCHEME = "path:"


@runtime_checkable
class TakesAdapters(Protocol):
    """An engine whose model may have adapters. Each is asked for as `model:adapter`."""

    def adapters(self) -> Mapping[str, str]:
        """All that are wanted: name -> why it cannot be asked now, empty if it can."""
        ...

    async def load_adapter(self, name: str, folder: Path) -> None:
        """Load one, from now on also whenever the engine starts again. Raises `EngineError`; then nothing changed."""
        ...

    async def unload_adapter(self, name: str) -> None:
        """Forget one; answers that are under way go on. Raises `EngineError`."""
        ...


def split_adapter(name: str) -> tuple[str, str]:
    """The model (or version) and the adapter that a name such as coder:sql or coder@v2:sql asks for.

    The adapter is empty for a name without one. Names of models may have colons, too: look for the whole name first.
    """
    base, _, adapter = name.rpartition(":")
    return (base, adapter) if base and adapter and "@" not in adapter else (name, "")


def with_adapter(name: str, adapter: str) -> str:
    """The inverse of `split_adapter`."""
    return f"{name}:{adapter}" if adapter else name


def adapters_of(model: ModelBase) -> Mapping[str, str]:
    """The adapters that a model is to have: name -> path:FOLDER."""
    lora = model.placement.lora if isinstance(model, VllmModel) else None
    return lora.adapters if lora else {}


def with_adapters(model: VllmModel, adapters: Mapping[str, str]) -> VllmModel:
    """The model with these adapters in place of its own; one that takes none stays as it is."""
    if model.placement.lora is None:
        return model
    lora = model.placement.lora.model_copy(update={"adapters": dict(adapters)})
    return model.model_copy(update={"placement": model.placement.model_copy(update={"lora": lora})})


def folder_of(source: str) -> Path:
    """The folder that path:FOLDER names."""
    return Path(source.removeprefix(SCHEME))


def digest_with(model: str, adapter: str) -> str:
    """The digest of what answers together: `weights_digest` of two files, called adapter and model."""
    return weights_digest({"adapter": adapter, "model": model})
