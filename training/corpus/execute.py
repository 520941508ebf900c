"""Runs untrusted snippets against tests, each program in a forked process with a time and memory limit.

A smoke-grade cage for our own generator and for small models' answers, not the product's sandbox.
`Runner` starts this file as its child: one JSON job a line in, one JSON result a line out.
"""

from __future__ import annotations

import ast
import importlib
import json
import os
import resource
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from types import TracebackType

TIMEOUT = "Failed: Timeout"
WALL_PER_CPU = 20.0
Failure = str | None


class Runner:
    """A child that executes programs; use as a context manager."""

    def __init__(self, cpu_seconds: float = 0.5, memory_mib: int = 1024) -> None:
        self._limits = [str(cpu_seconds), str(memory_mib)]
        self._child: subprocess.Popen[str] | None = None

    def __enter__(self) -> Runner:
        command = [sys.executable, "-P", __file__, *self._limits]  # -P: types.py beside it is not the library's
        self._child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._child is not None and self._child.stdin is not None and self._child.stdout is not None:
            self._child.stdin.close()
            self._child.wait()
            self._child.stdout.close()

    def run(self, program: str, tests: Sequence[str]) -> tuple[Failure, ...]:
        """What each test says of the program: None if it passes, else pytest's short message.

        Raises RuntimeError if the child is not running.
        """
        if self._child is None or self._child.stdin is None or self._child.stdout is None:
            raise RuntimeError("The runner is not started; use it in a `with` statement.")
        self._child.stdin.write(json.dumps([program, list(tests)]) + "\n")
        self._child.stdin.flush()
        answer = self._child.stdout.readline()
        if not answer:
            raise RuntimeError("The runner's child has ended; see its error output.")
        return tuple(json.loads(answer))


def judge(program: str, tests: Sequence[str]) -> list[Failure]:
    """Execute a program, then every test in a namespace of its own, in this process."""
    failures: list[Failure] = []
    for test in tests:
        namespace: dict[str, object] = {"__name__": "answer"}
        try:
            exec(compile(program, "answer.py", "exec"), namespace)  # the purpose of this file
            failures.append(check(test, namespace))
        except BaseException as error:  # noqa: BLE001 - a program may raise anything; that is a result
            failures.append(f"{type(error).__name__}: {error}".rstrip(": ").splitlines()[0])
    return failures


def check(test: str, namespace: dict[str, object]) -> Failure:
    """Run a snippet; a failing comparison in its last assert is explained as pytest explains it."""
    *setup, last = ast.parse(test).body
    exec(compile(ast.Module(setup, []), "test.py", "exec"), namespace)
    if isinstance(last, ast.Assert) and isinstance(last.test, ast.Compare) and len(last.test.ops) == 1:
        sides = (last.test.left, last.test.comparators[0])
        namespace["left"], namespace["right"] = (
            eval(compile(ast.Expression(side), "test.py", "eval"), namespace) for side in sides
        )
        symbol = {"Eq": "==", "Is": "is", "NotEq": "!=", "IsNot": "is not", "In": "in"}[type(last.test.ops[0]).__name__]
        if eval(f"left {symbol} right", namespace):
            return None
        return f"AssertionError: assert {short(namespace['left'])} {symbol} {short(namespace['right'])}"
    exec(compile(ast.Module([last], []), "test.py", "exec"), namespace)
    return None


def short(value: object, longest: int = 30) -> str:
    """A value's repr as pytest shows it: the middle of long texts and containers is left out."""
    text = repr(value)
    return (
        text
        if len(text) <= longest or isinstance(value, int | float)
        else f"{text[: (longest - 3) // 2]}...{text[-(longest - 3 - (longest - 3) // 2) :]}"
    )


def in_fork(job: str, cpu_seconds: float, memory_mib: int) -> str:
    """Judge one job in a forked process and return its JSON answer; kill it when time is up."""
    program, tests = json.loads(job)
    reader, writer = os.pipe()
    process = os.fork()
    if process == 0:
        os.close(reader)
        os.dup2(os.open(os.devnull, os.O_RDWR), 0)
        os.dup2(0, 1)
        signal.setitimer(signal.ITIMER_PROF, cpu_seconds)  # its signal ends the process
        resource.setrlimit(resource.RLIMIT_AS, (memory_mib << 20, memory_mib << 20))
        resource.setrlimit(resource.RLIMIT_NPROC, (0, 0))
        resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
        os.write(writer, json.dumps(judge(program, tests)).encode())
        os._exit(0)
    os.close(writer)
    answer = b""
    deadline = time.monotonic() + WALL_PER_CPU * cpu_seconds
    while select.select([reader], [], [], max(0.0, deadline - time.monotonic()))[0]:
        piece = os.read(reader, 65536)
        answer += piece
        if not piece:
            break
    os.kill(process, signal.SIGKILL)
    os.waitpid(process, 0)
    os.close(reader)
    return answer.decode() or json.dumps([TIMEOUT] * len(tests))


def serve() -> None:
    """Answer jobs from standard input until it ends."""
    importlib.import_module("pytest")  # once here, so that no fork has to
    cpu_seconds, memory_mib = float(sys.argv[1]), int(sys.argv[2])
    for job in sys.stdin:
        print(in_fork(job, cpu_seconds, memory_mib), flush=True)


if __name__ == "__main__":
    serve()
