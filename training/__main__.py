"""The command line of the recipe: `python -m training corpus|tokenizer|train|export|evaluate|card`."""

from __future__ import annotations

import asyncio
import json
import os
import shutil
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn, TimeRemainingColumn

app = typer.Typer(no_args_is_help=True, add_completion=False, help="Makes the two bundled code models from a seed.")
HERE = Path(__file__).parent
ROOT = HERE.parent
BUNDLED = ROOT / "inference" / "bundled"
HELDOUT = HERE / "heldout.jsonl"
Work = Annotated[Path, typer.Option(help="Where everything in between is kept.")]
Name = Annotated[str, typer.Argument(help="pico-coder or nano-coder")]
Seed = Annotated[int, typer.Option(help="Everything follows from it.")]
WORK = HERE / "work"


@app.command()
def corpus(work: Work = WORK, seed: Seed = 1, per_family: Annotated[int, typer.Option(help="Size.")] = 300) -> None:
    """Draw, execute and mix the training samples; draw the development and the held-out tasks."""
    from training.corpus import build

    work.mkdir(parents=True, exist_ok=True)
    with bar("corpus") as progress:
        counts = build.write_corpus(work, per_family, seed, tick(progress))
    shutil.copyfile(work / "heldout.jsonl", HELDOUT)
    Console().print_json(data=counts)


@app.command()
def tokenizer(
    work: Work = WORK, vocab_size: Annotated[int, typer.Option(help="Tokens, special ones included.")] = 2048
) -> None:
    """Learn the vocabulary from the training samples."""
    from training.dataset import read_texts
    from training.tokenizer import train_tokenizer

    learnt = train_tokenizer(read_texts(work / "train.jsonl"), vocab_size)
    learnt.save(str(work / "tokenizer.json"))
    Console().print(f"{learnt.get_vocab_size()} tokens in {work / 'tokenizer.json'}")


@app.command()
def train(name: Name, work: Work = WORK, threads: Annotated[int, typer.Option(help="CPU threads.")] = 2) -> None:
    """Train one model; a second call continues from the last checkpoint."""
    # Every length of batch has compiled kernels of its own; by default the oldest are dropped and compiled again.
    os.environ.setdefault("ONEDNN_PRIMITIVE_CACHE_CAPACITY", "8192")
    import torch

    from training.dataset import encode
    from training.recipes import recipe
    from training.results import machine
    from training.tokenizer import load_tokenizer
    from training.train import Step, Trainer

    torch.set_num_threads(threads)
    learnt = load_tokenizer(work / "tokenizer.json")
    chosen = recipe(name, learnt.get_vocab_size())
    trainer = Trainer(chosen, encode(work / "train.jsonl", learnt, chosen.shape.context_tokens), work / f"{name}.pt")
    (work / f"{name}.machine.json").write_text(
        json.dumps(machine(threads, trainer.device.type)) + "\n", encoding="utf-8"
    )
    with bar(name) as progress, (work / f"{name}.log.jsonl").open("a", encoding="utf-8") as log:
        show = tick(progress)

        def report(step: Step) -> None:
            show(step.number, step.of, f"loss {step.loss:.3f}, {step.tokens / step.seconds:.0f} tokens/s")
            log.write(json.dumps(asdict(step)) + "\n")

        trainer.run(report)


@app.command()
def export(name: Name, work: Work = WORK, to: Annotated[Path, typer.Option(help="Parent folder.")] = BUNDLED) -> None:
    """Write a trained model as safetensors and as GGUF."""
    from training.export import export_checkpoint

    export_checkpoint(work, name, to / name)


@app.command()
def evaluate(
    name: Name,
    tasks: Annotated[Path, typer.Option(help="Problems to answer.")] = HELDOUT,
    of: Annotated[Path, typer.Option(help="Parent folder of the model.")] = BUNDLED,
    work: Work = WORK,
    results: Annotated[Path | None, typer.Option(help="Where to write the figures.")] = None,
) -> None:
    """Measure greedy pass@1 through llama.cpp, in the product's sandbox."""
    from gateway.config import load_config
    from gateway.sandboxes import opened_sandbox
    from gateway.settings import Settings
    from training.evaluate import Outcome, evaluate_model, llama_cpp_answerer, read_exams
    from training.results import parameters, summary, training_figures

    answer = llama_cpp_answerer(of / name / f"{name}.Q8_0.gguf")

    async def answered(show: Callable[[int, int], None]) -> list[Outcome]:
        settings = Settings(sandbox_site=ROOT / ".sandbox-site")
        async with opened_sandbox(load_config(ROOT / "models.yaml").sandbox, settings) as sandbox:
            return await evaluate_model(answer, read_exams(tasks), sandbox, show)

    with bar(name) as progress:
        outcomes = asyncio.run(answered(tick(progress)))
    figures = {
        "model": name,
        "parameters": parameters(of / name / "model.safetensors"),
        "tasks_file": tasks.name,
        **summary(outcomes),
        "training": training_figures(work, name),
    }
    Console().print_json(data=figures)
    if results is not None:
        results.write_text(json.dumps(figures, indent=2) + "\n", encoding="utf-8")


@app.command()
def card(name: Name, of: Annotated[Path, typer.Option(help="Parent folder of the model.")] = BUNDLED) -> None:
    """Write MODEL_CARD.md from results.json and config.json."""
    from training.card import model_card

    (of / name / "MODEL_CARD.md").write_text(model_card(of / name), encoding="utf-8")
    Console().print(of / name / "MODEL_CARD.md")


def bar(title: str) -> Progress:
    """A progress display with one line."""
    columns = (TextColumn(title), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn(), TimeRemainingColumn())
    return Progress(*columns, TextColumn("{task.description}"))


class tick:  # noqa: N801 - used as a function
    """Moves a display's single task: call with done, total and an optional remark."""

    def __init__(self, progress: Progress) -> None:
        self.progress = progress
        self.task = progress.add_task("", total=None)

    def __call__(self, done: int, total: int, remark: str = "") -> None:
        self.progress.update(self.task, completed=done, total=total, description=remark)


if __name__ == "__main__":
    app()
