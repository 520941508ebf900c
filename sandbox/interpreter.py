"""The interpreter that a jail shows: where it lies, what it is, and which folders of it are covered.

Asks the interpreter itself, once, on the host. Called by `nsjail.py` while it proves the host.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
from dataclasses import dataclass
from importlib.metadata import distributions
from pathlib import Path

from sandbox.profile import FIXED_PLACES
from sandbox.protocol import SandboxUnavailable

_QUESTION = """
import json, os, site, sys
base = sys.base_prefix
print(json.dumps({
    "prefix": base,
    "executable": os.path.realpath(sys._base_executable),
    "packages": [path for path in site.getsitepackages([base]) if path.startswith(base + "/") and os.path.isdir(path)],
    "identity": [sys.implementation.name, sys.version, sys.platform],
}))
"""
_ANSWER_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class Interpreter:
    """`prefix` is shown read-only at its own place, except `packages`; `identity` does not depend on paths."""

    prefix: Path
    executable: Path
    packages: tuple[str, ...]
    identity: str


async def inspect(python: Path) -> Interpreter:
    """Ask an interpreter what it is. Raises `SandboxUnavailable` when it cannot be shown in a jail."""
    try:
        process = await asyncio.create_subprocess_exec(
            python, "-I", "-c", _QUESTION, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE, env={}
        )
    except OSError as error:
        raise SandboxUnavailable(
            f"The interpreter {python} cannot be started ({error.strerror}); set sandbox.interpreter to one that can."
        ) from None
    try:
        output, errors = await asyncio.wait_for(process.communicate(), _ANSWER_SECONDS)
    except TimeoutError:
        process.kill()
        await process.wait()
        raise SandboxUnavailable(f"The interpreter {python} did not answer in {_ANSWER_SECONDS:.0f} s.") from None
    if process.returncode != 0:
        raise SandboxUnavailable(f"The interpreter {python} does not work: {errors.decode(errors='replace')[-500:]}")
    answer = json.loads(output)
    prefix, executable = Path(answer["prefix"]), Path(answer["executable"])
    _check_place(prefix)
    identity = [*answer["identity"], await asyncio.to_thread(file_digest, executable)]
    return Interpreter(prefix, executable, tuple(answer["packages"]), json.dumps(identity))


def _check_place(prefix: Path) -> None:
    taken = next((place for place in FIXED_PLACES if prefix.is_relative_to(place)), None)
    if taken is not None or prefix == Path("/"):
        raise SandboxUnavailable(
            f"The interpreter's folder {prefix} lies in {taken or '/'}, which means something else inside the sandbox; "
            "install the interpreter elsewhere or set sandbox.interpreter to another one."
        )


def file_digest(file: Path) -> str:
    """SHA-256 of a file's bytes, hex. Blocking."""
    with file.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def installed(site: Path) -> list[str]:
    """`name==version` of every distribution in a folder made by `pip install --target`, sorted. Blocking."""
    return sorted(f"{found.name}=={found.version}" for found in distributions(path=[str(site)]))
