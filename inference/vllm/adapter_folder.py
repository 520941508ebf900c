"""What a folder must have to be a LoRA adapter in PEFT's layout. Looked at before vLLM is asked; vLLM knows more rules.

The engine looks before it loads, and the gateway before anything is decided.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from inference.errors import WeightsError

CONFIG = "adapter_config.json"
WEIGHTS = ("adapter_model.safetensors", "adapter_model.bin", "adapter_model.pt")


def adapter_files(name: str, folder: Path, max_rank: int) -> tuple[str, ...]:
    """The names of the files that make up the adapter. Raises `WeightsError` if it cannot be used."""
    problem = _problem(folder, max_rank)
    if problem:
        raise WeightsError(f"The adapter {name!r} cannot be used: {problem}.")
    return (CONFIG, *_weights(folder)[:1])


def _problem(folder: Path, max_rank: int) -> str:
    path = folder / CONFIG
    try:
        config = json.loads(path.read_bytes())
    except OSError:
        return f"there is no {path} that can be read"
    except ValueError:
        return f"{path} is not JSON"
    if not isinstance(config, dict) or config.get("peft_type") != "LORA":
        return f"{path} does not say peft_type LORA"
    if not _weights(folder):
        return f"there is no {folder / WEIGHTS[0]}"
    rank = _rank(config)
    if rank is None:
        return f"{path} gives no rank (r)"
    return f"its rank is {rank}, and placement.lora.max_rank is {max_rank}" if rank > max_rank else ""


def _weights(folder: Path) -> list[str]:
    """vLLM loads the first of these that is there."""
    return [name for name in WEIGHTS if (folder / name).is_file()]


def _rank(config: dict[str, Any]) -> int | None:
    """The largest rank of all layers."""
    layers = config.get("rank_pattern") or {}
    ranks = [config.get("r"), *(layers.values() if isinstance(layers, dict) else ())]
    return max(ranks) if all(isinstance(rank, int) for rank in ranks) else None
