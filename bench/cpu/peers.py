"""The peers: llama-server, made once from the sources that our own llama.cpp was compiled from, with the same flags,
and llama-cpp-python's server, which runs on our own compiled llama.cpp.
"""

from __future__ import annotations

import os
import runpy
import subprocess
from pathlib import Path

from bench.report import ROOT
from bench.started import LOGS

STATE = ROOT / ".setup"
PEERS = STATE / "peers"
_VENV = ROOT / ".venv"
_PARTS = ("COMMON", "TOOLS", "SERVER")


def llama_server() -> Path:
    """llama.cpp's own server; compiling it takes about ten minutes."""
    source = next(STATE.glob("llama_cpp_python-*/"))
    build = PEERS / source.name.replace("_cpp_python", "-server")
    program = build / "bin" / "llama-server"
    if not program.exists():
        flags = runpy.run_path(str(ROOT / "scripts" / "llama_flags.py"))["LLAMA_CMAKE"]
        tools = _VENV / "bin"
        _call(
            "llama-server-configure", tools / "cmake", "-G", "Ninja", f"-DCMAKE_MAKE_PROGRAM={tools / 'ninja'}", *flags,
            *(f"-DLLAMA_BUILD_{part}=ON" for part in _PARTS), "-DLLAMA_BUILD_UI=OFF", "-DLLAMA_USE_PREBUILT_UI=OFF",
            "-S", source / "vendor" / "llama.cpp", "-B", build,
        )  # fmt: skip
        _call("llama-server-build", tools / "cmake", "--build", build, "--target", "llama-server")
    return program


def python_server() -> Path:
    """The interpreter of the environment in which `-m llama_cpp.server` runs; set-up makes it."""
    return STATE / "llama-cpp-python" / "bin" / "python"


def _call(name: str, *command: object) -> None:
    """Run a command as a good neighbour; its output goes into a log, which an error names."""
    LOGS.mkdir(parents=True, exist_ok=True)
    log = LOGS / f"{name}.log"
    print(f"{name} ... ({os.path.relpath(log)})", flush=True)
    with log.open("wb") as output:
        done = subprocess.run(["nice", "-n", "4", *map(str, command)], stdout=output, stderr=output, check=False)
    if done.returncode:
        raise RuntimeError(f"{name} failed with exit code {done.returncode}; see {log}.")
