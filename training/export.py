"""Writes a trained model as vLLM and llama.cpp want it: Hugging Face files in bfloat16, and GGUF (gguf_file.py)."""

from __future__ import annotations

import json
from pathlib import Path

import torch
from safetensors.torch import save_file
from tokenizers import Tokenizer

from training.corpus.markup import CHAT_TEMPLATE, END_OF_TEXT, IM_END, SPECIAL_TOKENS
from training.gguf_file import write_gguf
from training.model import Llama
from training.recipes import Shape
from training.tokenizer import token_id


def export_checkpoint(work: Path, name: str, folder: Path) -> None:
    """Export the last checkpoint of a work folder."""
    state = torch.load(work / f"{name}.pt", map_location="cpu", weights_only=True)
    model = Llama(Shape(**state["recipe"]["shape"]))
    model.load_state_dict(state["model"])
    export(model, Tokenizer.from_file(str(work / "tokenizer.json")), name, folder)


def export(model: Llama, tokenizer: Tokenizer, name: str, folder: Path) -> None:
    """Write every file of a model into the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    weights = {key: value.detach().to("cpu", torch.bfloat16).contiguous() for key, value in model.state_dict().items()}
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})
    (folder / "model.safetensors").chmod(0o644)  # safetensors leaves it to its owner alone
    tokenizer.save(str(folder / "tokenizer.json"))
    for file_name, content in configuration(model.shape, tokenizer).items():
        (folder / file_name).write_text(json.dumps(content, indent=2) + "\n", encoding="utf-8")
    arrays = {key: value.float().numpy() for key, value in weights.items()}
    write_gguf(arrays, model.shape, tokenizer, folder / f"{name}.Q8_0.gguf")


def configuration(shape: Shape, tokenizer: Tokenizer) -> dict[str, dict[str, object]]:
    """The JSON files of a Hugging Face model, by file name."""
    end, turn_end = token_id(tokenizer, END_OF_TEXT), token_id(tokenizer, IM_END)
    special = {"bos_token": END_OF_TEXT, "eos_token": IM_END, "pad_token": END_OF_TEXT}
    others = [token for token in SPECIAL_TOKENS if token not in special.values()]
    ids: dict[str, object] = {"bos_token_id": end, "eos_token_id": [turn_end, end], "pad_token_id": end}
    return {
        "config.json": {**model_configuration(shape), **ids},
        "generation_config.json": {**ids, "do_sample": False, "max_new_tokens": 384},
        "special_tokens_map.json": {**special, "additional_special_tokens": others},
        "tokenizer_config.json": {
            "tokenizer_class": "PreTrainedTokenizerFast",
            "model_max_length": shape.context_tokens,
            "clean_up_tokenization_spaces": False,
            "add_bos_token": False,
            "add_prefix_space": False,
            **special,
            "additional_special_tokens": others,
            "chat_template": CHAT_TEMPLATE,
            "added_tokens_decoder": {str(token_id(tokenizer, token)): added_token(token) for token in SPECIAL_TOKENS},
        },
    }


def model_configuration(shape: Shape) -> dict[str, object]:
    """A shape in Hugging Face's words."""
    return {
        "architectures": ["LlamaForCausalLM"],
        "model_type": "llama",
        "vocab_size": shape.vocab_size,
        "hidden_size": shape.width,
        "intermediate_size": shape.feed_forward,
        "num_hidden_layers": shape.layers,
        "num_attention_heads": shape.heads,
        "num_key_value_heads": shape.heads,
        "head_dim": shape.head_width,
        "max_position_embeddings": shape.context_tokens,
        "rope_theta": shape.rope_theta,
        "rope_scaling": None,
        "rms_norm_eps": shape.norm_epsilon,
        "hidden_act": "silu",
        "attention_bias": False,
        "mlp_bias": False,
        "tie_word_embeddings": True,
        "torch_dtype": "bfloat16",
        "use_cache": True,
    }


def added_token(token: str) -> dict[str, object]:
    """How a tokenizer's configuration describes a special token."""
    return {
        "content": token,
        "lstrip": False,
        "normalized": False,
        "rstrip": False,
        "single_word": False,
        "special": True,
    }
