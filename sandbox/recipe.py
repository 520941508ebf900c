"""More than one command: a source file by its profile's recipe, or steps one after the other in one workspace.

Compilers are not trusted: what a recipe's build made comes out by the collector and goes into a fresh jail. The words
come from `profiles.toml`. Called by the command line.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from sandbox.profile import Recipe
from sandbox.protocol import Command, InvalidCommand, OnProgress, Result, Sandbox

_FILE = "$file"


async def run_source(
    sandbox: Sandbox, recipe: Recipe, source: str, command: Command, on_progress: OnProgress | None = None
) -> tuple[Result, ...]:
    """Run one of the command's files; its `argv` are the program's arguments. One result for each step.

    The command's limits hold for the run, the profile's own for the build. There is no run when the build failed,
    or made nothing that could be collected: what was refused is in the last result. Raises `SandboxError`.
    """
    if not recipe.run:
        raise InvalidCommand(f"The sandbox profile {command.profile!r} has no recipe for files; give it a command.")
    run = replace(command, argv=(*_words(recipe.run, source), *command.argv))
    if not recipe.build:
        return (await sandbox.run(run, on_progress),)
    build = replace(
        command, argv=_words(recipe.build, source), collect=recipe.makes, stdin=b"", environment={}, limits=None
    )
    built = await sandbox.run(build, on_progress)
    if not built.ok or not built.files:
        return (built,)
    made = replace(run, tree=None, files=built.files, executables=frozenset(built.files))
    return built, await sandbox.run(made, on_progress)


async def run_steps(
    sandbox: Sandbox, command: Command, steps: Sequence[Sequence[str]], on_progress: OnProgress | None = None
) -> tuple[Result, ...]:
    """Run command lines in one workspace, until one does not end with 0; its result is the last.

    `command` says all but the words: its files are there at the first step, and it is collected from after each.
    Raises `SandboxError`.
    """
    results: list[Result] = []
    async with sandbox.workspace() as workspace:
        for words in steps:
            step = replace(command, argv=tuple(words))
            if results:
                step = replace(step, tree=None, files={}, executables=frozenset())
            results.append(await workspace.run(step, on_progress))
            if not results[-1].ok:
                break
    return tuple(results)


def profile_for(recipes: dict[str, Recipe], name: str) -> str | None:
    """The profile whose recipe takes a file of this name, or None."""
    return next((profile for profile, recipe in recipes.items() if name.endswith(recipe.suffixes)), None)


def _words(words: tuple[str, ...], source: str) -> tuple[str, ...]:
    """The file is given as `./name`: a name that begins with a dash is no option."""
    return tuple(f"./{source}" if word == _FILE else word for word in words)
