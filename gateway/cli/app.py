"""The command line. Each file is one group of commands; errors become one sentence and an exit code."""

from __future__ import annotations

import sys

import typer

from codegen.protocol import TaskError
from gateway.cli import batch, budgets, chat, config, keys, ledger, models, route, sandbox, serve, task, up
from gateway.cli.output import err, escape
from gateway.client import ApplianceError
from gateway.config_errors import ConfigError
from gateway.keys import KeyProblem
from gateway.problems import BatchProblem, SettingsProblem, StartProblem
from inference.errors import EngineError
from ledger.protocol import LedgerError
from sandbox.protocol import SandboxError

# What a person can put right gets a sentence; anything else is our mistake and shows its traceback.
EXIT_CODES: dict[type[Exception], int] = {
    ConfigError: 2,
    SettingsProblem: 2,
    BatchProblem: 1,
    ApplianceError: 1,
    StartProblem: 1,
    KeyProblem: 1,
    TaskError: 1,
    EngineError: 1,
    LedgerError: 1,
    SandboxError: 1,
    OSError: 1,
}

app = typer.Typer(
    name="bailey",
    help="An on-premises inference appliance that turns intent into verified code.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)
app.command(name="serve")(serve.serve)
app.command(name="up")(up.up)
app.command(name="down")(up.down)
app.command(name="chat")(chat.chat)
app.command(name="budgets")(budgets.budgets)
app.add_typer(task.app, name="task")
app.add_typer(route.app, name="route")
app.add_typer(batch.app, name="batch")
app.add_typer(models.app, name="models")
app.add_typer(keys.app, name="keys")
app.add_typer(config.app, name="config")
app.add_typer(ledger.app, name="ledger")
app.add_typer(sandbox.app, name="sandbox")


def run() -> None:
    """Run the command that the arguments name, and exit."""
    try:
        app()
    except tuple(EXIT_CODES) as error:
        err.print(f"[bold red]error:[/] {escape(_sentence(error))}")
        sys.exit(next(code for kind, code in EXIT_CODES.items() if isinstance(error, kind)))
    except KeyboardInterrupt:
        err.print("interrupted")
        sys.exit(130)


def _sentence(error: Exception) -> str:
    """The system's own errors name a file and a reason; ours are sentences already."""
    if isinstance(error, OSError) and error.filename and error.strerror:
        return f"{error.filename}: {error.strerror}."
    return str(error)
