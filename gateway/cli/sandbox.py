"""`bailey sandbox`: what a host can isolate, a program in a jail, a short set of hostile ones, and the service.

Needs no appliance: it opens a sandbox of its own from models.yaml, on this machine or where `sandbox.remote` says.
"""

from __future__ import annotations

import asyncio
import json
import shlex
import sys
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer
from typer.core import TyperCommand

from gateway.cli.output import err, escape, out, table
from gateway.cli.program_output import ProgramOutput
from gateway.settings import Settings
from sandbox.protocol import Command

if TYPE_CHECKING:
    from gateway.sandboxes import Door
    from sandbox.doctor import Report
    from sandbox.profile import Profile, Recipe
    from sandbox.protocol import Limits, OnProgress, Result, Sandbox
    from sandbox.spec import SandboxSpec


app = typer.Typer(help="Prove, use, try and serve the sandbox.", no_args_is_help=True)

PROGRAM_FAILED = 3
_AFTER_DASHES = "after --"


class _SplitAtDashes(TyperCommand):
    """Keeps the words after `--` apart: click alone would mix them with the arguments before."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if "--" in args:
            ctx.meta[_AFTER_DASHES] = args[args.index("--") + 1 :]
            args = args[: args.index("--")]
        return super().parse_args(ctx, args)


@app.command()
def doctor(as_json: Annotated[bool, typer.Option("--json", help="For programs.")] = False) -> None:
    """Say which tier the host gives, what would raise it, and which profiles work. Exit code 1: none of it."""
    from gateway.sandboxes import opened_sandbox

    spec, settings = _spec()

    async def work() -> Report:
        async with opened_sandbox(spec, settings) as sandbox:
            return await sandbox.diagnose()

    found = asyncio.run(work())
    if as_json:
        typer.echo(json.dumps(asdict(found), indent=2))
        return
    out.print(f"Tier {found.tier}: {found.meaning}.")
    for reason in found.shortfalls:
        out.print(f"Not stricter, because of {escape(reason)}.")
    for sentence in found.advice:
        out.print(escape(sentence))
    if not found.own_users:
        out.print("Programs run as your own user; as root each would have a user id of its own.")
    holds = f"Landlock ABI {found.landlock_abi}" if found.landlock_abi else f"nsjail {found.nsjail_version}"
    out.print(f"{holds}, kernel {found.kernel}, interpreter {escape(found.interpreter)}.")
    rows = (
        (each.name, "works" if each.works else "refuses", "; ".join((*each.missing, *each.found.values())))
        for each in found.profiles
    )
    out.print(table(["profile", "", "found or missing"], rows))


@app.command()
def test(as_json: Annotated[bool, typer.Option("--json", help="One JSON object a line.")] = False) -> None:
    """Run hostile programs in the sandbox, a line each. Exit code 3: one was not held."""
    from gateway.sandboxes import opened_sandbox
    from sandbox.selfcheck import self_check

    spec, settings = _spec()

    async def work() -> bool:
        held = True
        async with opened_sandbox(spec, settings) as sandbox:
            async for finding in self_check(sandbox):
                held = held and finding.held
                if as_json:
                    typer.echo(json.dumps(asdict(finding)))
                else:
                    out.print(f"{'held  ' if finding.held else 'BREACH'}  {finding.tries} ({escape(finding.said)})")
        return held

    if not asyncio.run(work()):
        raise typer.Exit(PROGRAM_FAILED)


@app.command(cls=_SplitAtDashes)
def run(
    context: typer.Context,
    file: Annotated[Path | None, typer.Argument(help="A source file; its ending chooses the profile.")] = None,
    step: Annotated[list[str] | None, typer.Option(help="A command line; repeat it: all run in one workspace.")] = None,
    profile: Annotated[str | None, typer.Option(help="The jail: `bailey sandbox doctor` lists them.")] = None,
    tree: Annotated[Path | None, typer.Option(help="A folder whose files the workspace begins with.")] = None,
    stdin: Annotated[bool, typer.Option("--stdin", help="Hand standard input to the program.")] = False,
    wall_seconds: Annotated[float | None, typer.Option(help="Longest run, by the clock on the wall.")] = None,
    cpu_seconds: Annotated[float | None, typer.Option(help="Processor time of all processes together.")] = None,
    memory_mib: Annotated[int | None, typer.Option(help="Memory of all processes and their files.")] = None,
    processes: Annotated[int | None, typer.Option(help="Processes and threads at one time.")] = None,
    output_bytes: Annotated[int | None, typer.Option(help="Standard output and standard error, each.")] = None,
    disk_mib: Annotated[int | None, typer.Option(help="Workspace and /tmp, each.")] = None,
    as_json: Annotated[bool, typer.Option("--json", help="Print the evidence record instead of the output.")] = False,
) -> None:
    """Run a source file, the command after `--`, or steps one after the other, in jails.

    With a file the words after `--` are its arguments. Steps end at the first that fails. Exit code 0: the program
    ended with 0; 3: it ended otherwise or met a limit, and standard error says how; 1: it could not be run; 2: the
    command line or models.yaml is wrong.
    """
    words = context.meta.get(_AFTER_DASHES, [])
    steps = _steps(step or [], file, words, stdin)
    spec, settings = _spec()
    chosen = _profile(spec, file, profile)
    asked: dict[str, Any] = {
        "wall_seconds": wall_seconds,
        "cpu_seconds": cpu_seconds,
        "memory_mib": memory_mib,
        "processes": processes,
        "output_bytes": output_bytes,
        "disk_mib": disk_mib,
    }
    command = Command(
        tuple(words),
        profile=chosen.name,
        tree=tree,
        files=_source(file),
        stdin=sys.stdin.buffer.read() if stdin else b"",
        limits=_lowered(chosen.limits, asked),
    )
    job = _Job(command, chosen.recipe if file is not None else None, steps)
    with ProgramOutput() as output:
        results = asyncio.run(_run(spec, settings, job, None if as_json else output.show))
    if as_json:
        _print_records(results)
    if reason := job.failure(results):
        err.print(escape(reason))
        raise typer.Exit(PROGRAM_FAILED)


@app.command()
def serve(
    listen: Annotated[str, typer.Option(help="unix:/path/to/socket, or host:port with the three files.")],
    authority: Annotated[Path | None, typer.Option(help="PEM file of the authority of both ends.")] = None,
    certificate: Annotated[Path | None, typer.Option(help="PEM file of the server's certificate.")] = None,
    key: Annotated[Path | None, typer.Option(help="PEM file of the certificate's key.")] = None,
    health: Annotated[str | None, typer.Option(help="host:port where anybody may ask /livez and /readyz.")] = None,
) -> None:
    """Run commands for gateways whose models.yaml names this place in sandbox.remote, until stopped (Ctrl-C)."""
    from gateway import logs
    from gateway.sandboxes import serve_sandbox

    door = _door(listen, authority, certificate, key)
    if health is not None:
        door = replace(door, health=_place(health, "not host:port"))
    spec, settings = _spec()
    logs.configure(settings.log_level)
    asyncio.run(serve_sandbox(spec, settings, door, announce=out.print))


def _door(listen: str, *files: Path | None) -> Door:
    from gateway.sandboxes import Door
    from sandbox.service.tls import TlsFiles

    given = [file for file in files if file is not None]
    if listen.startswith("unix:/"):
        if given:
            raise typer.BadParameter("A Unix socket has no certificates: whoever may open it may use it.")
        return Door(socket=Path(listen.removeprefix("unix:")))
    host, port = _place(listen, "neither unix:/path/to/socket nor host:port")
    if len(given) != 3:
        raise typer.BadParameter(
            "On a host and port give --authority, --certificate and --key: nobody else may use it."
        )
    return Door(host=host, port=port, tls=TlsFiles(*given))


def _place(text: str, otherwise: str) -> tuple[str, int]:
    host, colon, port = text.rpartition(":")
    if not (host and colon and port.isdecimal() and int(port) < 65_536):
        raise typer.BadParameter(f"{text!r} is {otherwise}.")
    return host.strip("[]"), int(port)


def _spec() -> tuple[SandboxSpec, Settings]:
    from gateway.config import load_sandbox

    settings = Settings()
    return load_sandbox(settings.config), settings


def _profile(spec: SandboxSpec, file: Path | None, name: str | None) -> Profile:
    """The profile that was asked for, or else the one whose recipe takes the file; Python for a command."""
    from sandbox.offer import offered
    from sandbox.recipe import profile_for

    profiles = offered(spec)
    if name is None and file is not None:
        name = profile_for({each: profile.recipe for each, profile in profiles.items()}, file.name)
        if name is None:
            raise typer.BadParameter(f"No profile takes a file named {file.name}; name one with --profile.")
    name = name or "python"
    if name not in profiles:
        raise typer.BadParameter(f"There is no sandbox profile {name!r}; known are {', '.join(profiles)}.")
    return profiles[name]


def _lowered(limits: Limits, asked: Mapping[str, Any]) -> Limits | None:
    """None when nothing is asked: then the other end decides, whose profile may have other limits."""
    given = {name: value for name, value in asked.items() if value is not None}
    return replace(limits, **given) if given else None


def _source(file: Path | None) -> dict[str, bytes]:
    return {file.name: file.read_bytes()} if file is not None else {}


def _steps(lines: Sequence[str], file: Path | None, words: Sequence[str], stdin: bool) -> list[list[str]]:
    if not (lines or words or file is not None):
        raise typer.BadParameter("Give a file, or a command after `--`, or steps.")
    if lines and (words or file is not None or stdin):
        raise typer.BadParameter("Steps are all there is to run: leave out the file, the words after `--` and --stdin.")
    try:
        steps = [shlex.split(line) for line in lines]
    except ValueError as error:
        raise typer.BadParameter(f"A step cannot be split into words: {error}.") from None
    if not all(steps):
        raise typer.BadParameter("A step is empty.")
    return steps


@dataclass(frozen=True, slots=True)
class _Job:
    """A command, a source file with the recipe for it, or steps."""

    command: Command
    recipe: Recipe | None
    steps: Sequence[Sequence[str]]

    async def run(self, sandbox: Sandbox, on_progress: OnProgress | None) -> Sequence[Result]:
        from sandbox.recipe import run_source, run_steps

        if self.steps:
            return await run_steps(sandbox, self.command, self.steps, on_progress)
        if self.recipe is not None:
            return await run_source(sandbox, self.recipe, next(iter(self.command.files)), self.command, on_progress)
        return (await sandbox.run(self.command, on_progress),)

    def failure(self, results: Sequence[Result]) -> str | None:
        """Why it counts as failed: the last one's end in words, or None."""
        last = results[-1]
        built_only = self.recipe is not None and bool(self.recipe.build) and len(results) == 1
        if last.ok and self.recipe is not None and built_only:
            refused = "; ".join(f"{each.path}: {each.reason}" for each in last.rejected)
            return f"The build made nothing that matches {', '.join(self.recipe.makes)}. {refused}".strip()
        if last.ok:
            return None
        ends = {"exited": f"ended with exit code {last.exit_code}", "signalled": f"died of signal {last.signal}"}
        end = ends.get(last.outcome, f"was stopped: {last.outcome.replace('_', ' ')}")
        which = (
            f"Step {len(results)} of {len(self.steps)}" if self.steps else f"The {'build' if built_only else 'program'}"
        )
        return f"{which} {end} after {last.wall_seconds:.2f} s."


async def _run(spec: SandboxSpec, settings: Settings, job: _Job, on_progress: OnProgress | None) -> Sequence[Result]:
    from gateway.sandboxes import opened_sandbox

    async with opened_sandbox(spec, settings) as sandbox:
        return await job.run(sandbox, on_progress)


def _print_records(results: Sequence[Result]) -> None:
    records = [asdict(result.record) for result in results if result.record is not None]
    last = {name: getattr(results[-1], name).decode(errors="replace") for name in ("stdout", "stderr")}
    typer.echo(json.dumps({"ok": results[-1].ok, **last, "records": records}, indent=2))
