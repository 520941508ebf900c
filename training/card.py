"""The model card of an exported model, from its results.json and config.json; `python -m training card` writes it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from training.corpus.registry import all_families
from training.recipes import Recipe, recipe

CARD = """\
# {name}

A Llama-architecture code model with {parameters:,} parameters that comes with Bailey. It is a smoke test and a
teaching aid: it lets every part of the appliance run on two CPU cores with nothing downloaded. It is not an assistant.
It knows the {families} families of small Python functions and classes that it was trained on, and nothing else.

## Measured

Greedy pass@1 on the held-out tasks: **{passed} of {tasks} ({percent:.1f} %)**. A task counts if all of its tests pass.
Measured by `python -m training evaluate {name}`: llama.cpp answers with the GGUF file, and Bailey's sandbox runs each
answer against its tests.

| theme | pass@1 |
|---|---|
{themes}

Families with most failures: {failing}.

## Shape

{layers} layers, width {width}, {heads} attention heads, feed-forward width {feed_forward}, vocabulary of {vocabulary}
tokens (byte-level BPE), window of {context} tokens, output layer tied to the embedding. `model.safetensors` is
bfloat16, the GGUF file is Q8_0.

## Data

Samples come from the generator in `training/corpus`, from one seed; no text from outside. Every answer was executed
and passed its tests before it was used. Each family keeps phrasings and combinations of options back; the held-out
tasks (`training/heldout.jsonl`) are made of those only. So the figure says how well the model composes what it has
seen within families it has seen. It says nothing about other tasks.

## Recipe

Muon for the matrices inside the blocks and AdamW for the rest, in bfloat16; peak learning rate {rate:g} with {warmup}
warm-up steps and linear decay to zero, weight decay {decay:g}, dropout {dropout:g}, batches of at most
{batch:,} tokens, passes over the data: {epochs}, seed {seed}.
{run}

## Limits

- Asked for anything that is not close to one of its families, it writes code that looks right and is wrong.
- It was trained on English instructions in a few sentence patterns, and on windows of at most {context} tokens.
- Of {tasks} held-out tasks it fails {failed}. Run tests on what it writes.
- It was not tuned or tested for safety. It has seen no text besides its corpus.
"""


def model_card(folder: Path) -> str:
    """The card's text. Raises FileNotFoundError if the model was not exported or not evaluated."""
    results = json.loads((folder / "results.json").read_text(encoding="utf-8"))
    config = json.loads((folder / "config.json").read_text(encoding="utf-8"))
    made: Recipe = recipe(results["model"], config["vocab_size"])
    return CARD.format(
        name=results["model"],
        parameters=results["parameters"],
        families=len(all_families()),
        passed=results["passed"],
        tasks=results["tasks"],
        failed=results["tasks"] - results["passed"],
        percent=100 * results["pass_at_1"],
        themes="\n".join(f"| {theme} | {100 * share:.1f} % |" for theme, share in results["by_theme"].items()),
        failing=", ".join(f"`{family}`" for family in results["most_failed_families"]) or "none",
        layers=config["num_hidden_layers"],
        width=config["hidden_size"],
        heads=config["num_attention_heads"],
        feed_forward=config["intermediate_size"],
        vocabulary=config["vocab_size"],
        context=config["max_position_embeddings"],
        seed=made.seed,
        rate=made.peak_rate,
        warmup=made.warmup_steps,
        decay=made.weight_decay,
        batch=made.batch_tokens,
        dropout=made.dropout,
        epochs=made.epochs,
        run=run_sentence(results["training"]),
    )


def run_sentence(run: Mapping[str, Any]) -> str:
    """How the run went, or that nobody wrote it down."""
    if not run:
        return "The log of the run was not kept."
    minutes = run["seconds"] / 60
    where = f" on {run['machine']} (threads: {run['threads']}, {run['device']})" if "machine" in run else ""
    return (
        f"{run['steps']:,} of {run['of_steps']:,} steps over {run['tokens']:,} tokens, padding included, "
        f"took {minutes:.0f} minutes{where}; the loss of the last steps was {run['final_loss']:.3f}."
    )
