"""`bailey batch`: answer a file of requests without a server."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated

import typer
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from gateway.cli.output import err, out
from gateway.settings import Settings

app = typer.Typer(help="Answer a file of requests without a server.", no_args_is_help=True)


@app.callback()
def group() -> None:
    """Answer a file of requests without a server."""


@app.command()
def run(
    source: Annotated[Path, typer.Argument(help="JSON lines as OpenAI's batches have them.")],
    target: Annotated[Path, typer.Argument(help="Where the answers go; what is answered there is skipped.")],
    concurrency: Annotated[int, typer.Option(min=1, max=256, help="Requests in flight.")] = 4,
    tenant: Annotated[str, typer.Option(help="Whose budget and rules apply.")] = "default",
) -> None:
    """Exit code 0: every line answered; 3: some lines failed; 1: the batch could not run."""
    from gateway import logs
    from gateway.assemble import opened_engine
    from gateway.batch import Batch, BatchReport
    from gateway.config import load_config
    from inference.protocol import Caller

    settings = Settings()
    logs.configure(settings.log_level)
    config = load_config(settings.config)
    declared = {item.name: item for item in config.tenants}
    if tenant not in declared:
        raise typer.BadParameter(f"There is no tenant {tenant!r}; declared: {', '.join(declared)}.")
    caller = Caller(tenant, "batch", declared[tenant].data_class, workload=declared[tenant].usual_workload)

    async def work(show: Progress) -> BatchReport:
        bar = show.add_task("answered", total=None)
        async with opened_engine(config, settings) as engine:
            return await Batch(engine, caller, concurrency).run(
                source,
                target,
                lambda report: show.update(
                    bar, total=report.total, completed=report.skipped + report.succeeded + report.failed
                ),
            )

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=err) as show:
        report = asyncio.run(work(show))
    out.print(f"{report.succeeded} answered, {report.skipped} answered before, {report.failed} failed.")
    sys.exit(3 if report.failed else 0)
