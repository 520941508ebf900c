"""`bailey models pull`: fills the store of weights, on this machine or for one that has no network."""

from __future__ import annotations

import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from gateway.cli.models.choosing import with_weights
from gateway.cli.output import out, table
from gateway.settings import Settings

if TYPE_CHECKING:
    from rich.progress import Progress

    from inference.catalog import LlamaCppModel, VllmModel
    from inference.weights.pull import Plan, Watch
    from inference.weights.selection import Kind
    from inference.weights.store import WeightsStore

# Where lines are read by programs or kept in a log, this often is enough.
_LINE_SECONDS = 10.0


@dataclass(frozen=True, slots=True)
class _Item:
    """A model and what there is to do for it; no plan: its weights are on this machine anyway."""

    name: str
    model: LlamaCppModel | VllmModel
    kind: Kind
    plan: Plan | None


def pull(
    names: Annotated[list[str] | None, typer.Argument(help="Models of models.yaml.", show_default=False)] = None,
    every: Annotated[bool, typer.Option("--all", help="All models that have weights.")] = False,
    to: Annotated[Path | None, typer.Option(help="The store to fill; by default BAILEY_WEIGHTS.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only show what would be fetched.")] = False,
    online: Annotated[
        bool, typer.Option("--online", help="Fetch although models.yaml says air_gapped: this machine has a network.")
    ] = False,
) -> None:
    """Fetch weights and check their digests; goes on where an interrupted pull stopped."""
    from gateway.config import load_config
    from gateway.weights import weights_store

    if bool(names) == every:
        raise typer.BadParameter("Name the models to pull, or say --all.")
    settings = Settings()
    config = load_config(settings.config)
    store = weights_store(config, settings, to, online=online)
    items = [_planned(store, name, model) for name, model in with_weights(config, names or []).items()]
    _show(items, store)
    if dry_run:
        return
    store.refuse_unless_it_fits(_missing_bytes(items))
    for item in items:
        _fetch(store, item)
    total = {(item.model.source, item.kind): item.plan.total_bytes for item in items if item.plan}
    out.print(f"{len(items)} models are ready; the store {store.root} has {_size(sum(total.values()))} of them.")


def _planned(store: WeightsStore, name: str, model: LlamaCppModel | VllmModel) -> _Item:
    from inference.weights.selection import kind_for

    kind = kind_for(model.engine)
    here = store.offline and store.manifest(model.source, kind)
    return _Item(name, model, kind, None if here else store.plan(model.source, kind))


def _missing_bytes(items: list[_Item]) -> int:
    """Of all sources; two models may have the same."""
    missing = {(item.model.source, item.kind): item.plan.missing_bytes for item in items if item.plan}
    return sum(missing.values())


def _show(items: list[_Item], store: WeightsStore) -> None:
    rows = []
    for item in items:
        if item.plan is None:
            rows.append((item.name, item.model.source, "", "", "", "on this machine"))
            continue
        plan = item.plan
        to_fetch = _size(plan.missing_bytes) if plan.missing_bytes else "nothing"
        revision = plan.listing.revision.removeprefix("sha256:")[:12]
        rows.append((item.name, item.model.source, revision, str(len(plan.files)), _size(plan.total_bytes), to_fetch))
    out.print(table(["model", "source", "revision", "files", "size", "to fetch"], rows))
    out.print(f"{_size(_missing_bytes(items))} to fetch; {_size(store.free_bytes())} are free in {store.root}.")


def _fetch(store: WeightsStore, item: _Item) -> None:
    model = item.model
    if item.plan is not None:
        with _progress(item.name, item.plan) as watch:
            store.fetch(model.source, item.kind, item.plan, model.sha256, watch)
    path = store.find(model.source, item.kind, model.sha256)
    out.print(f"{item.name} is at {path}, digest {store.identity(path)}")


@contextmanager
def _progress(name: str, plan: Plan) -> Iterator[Watch]:
    """A bar on a terminal, a line now and then anywhere else."""
    here = dict.fromkeys((file.name for file in plan.files), 0)
    if sys.stdout.isatty():
        with _bar() as bar:
            task = bar.add_task(name, total=plan.total_bytes)

            def on_bar(file: str, count: int) -> None:
                here[file] = count
                bar.update(task, completed=sum(here.values()))

            yield on_bar
        return
    said = time.monotonic()

    def in_lines(file: str, count: int) -> None:
        nonlocal said
        here[file] = count
        if time.monotonic() - said >= _LINE_SECONDS:
            said = time.monotonic()
            out.print(f"{name}: {_size(sum(here.values()))} of {_size(plan.total_bytes)}, {file}")

    yield in_lines


def _bar() -> Progress:
    from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

    columns = (BarColumn(), DownloadColumn(binary_units=True), TransferSpeedColumn(), TimeRemainingColumn())
    return Progress(TextColumn("{task.description}"), *columns, console=out)


def _size(count: int) -> str:
    from inference.weights.store import in_units

    return in_units(count)
