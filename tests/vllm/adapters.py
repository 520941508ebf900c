"""Random adapters in PEFT's format."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
from safetensors.numpy import save_file

from bench.vllm.random_folder import TINY, Shape

TARGETS = ("q_proj", "v_proj")


def write_adapter(folder: Path, seed: int, rank: int = 4, shape: Shape = TINY) -> Path:
    """An adapter of the attention of every layer; large enough to change what is said."""
    random = np.random.default_rng(seed)
    width, narrow = shape.hidden_size, shape.num_key_value_heads * shape.head
    tensors = {}
    for layer in range(shape.num_hidden_layers):
        for target in TARGETS:
            name = f"base_model.model.model.layers.{layer}.self_attn.{target}"
            rows = narrow if target == "v_proj" else width
            tensors[f"{name}.lora_A.weight"] = random.normal(0, 0.5, (rank, width)).astype(np.float32)
            tensors[f"{name}.lora_B.weight"] = random.normal(0, 0.5, (rows, rank)).astype(np.float32)
    folder.mkdir(parents=True)
    save_file(tensors, folder / "adapter_model.safetensors")
    config = {"peft_type": "LORA", "task_type": "CAUSAL_LM", "r": rank, "lora_alpha": 2 * rank, "bias": "none"}
    (folder / "adapter_config.json").write_text(json.dumps({**config, "target_modules": TARGETS}))
    return folder
