# ruff: noqa: PTH109, PTH118, PTH120, PTH123, S102 - pathlib would be an import that the job can see, and to run the job's code is the purpose
"""What a warm jail runs before its job: it boots, waits at the gate and becomes the program. Nothing imports it.

`sandbox/jails/warm.py` hands it to the interpreter as text (`python -c`), so that no file of it is in the jail; nothing
foreign has run before `started`. Few imports: what is imported here is there for the job as well. Standard input
brings eight hexadecimal digits, so many bytes, then the job's own input. The bytes are words with NULs between them:
the number of the job's variables, NAME=VALUE of each, the command line after `python`.
"""

import os
import sys


def read(size: int) -> bytes:
    """So many bytes of standard input, and not one more: the rest is the job's."""
    content = b""
    while len(content) < size:
        piece = os.read(0, size - len(content))
        if not piece:
            os._exit(1)
        content += piece
    return content


def hand_over() -> list[str]:
    """Wait at the gate; the words after `python`. From here on variables and standard error are the job's."""
    os.write(2, b"ready\n")
    count, *words = os.fsdecode(read(int(read(8), 16))).split("\0")
    for _ in range(int(count)):
        name, _, value = words.pop(0).partition("=")
        os.environ[name] = value
    os.write(2, b"started\n")
    os.dup2(3, 2)
    os.close(3)
    sys.orig_argv[:] = ["python", *words]
    return words


def run_text(main: dict[str, object], words: list[str]) -> None:
    """As `python -c` does."""
    sys.path.insert(0, "")
    sys.argv[:] = ["-c", *words[2:]]
    exec(compile(words[1], "<string>", "exec", dont_inherit=True), main)


def run_module(main: dict[str, object], words: list[str]) -> None:
    """As `python -m` does, by the function that it calls."""
    sys.path.insert(0, os.getcwd())
    sys.argv[:] = ["-m", *words[2:]]
    import runpy

    runpy._run_module_as_main(words[1])  # type: ignore[attr-defined]


def run_file(main: dict[str, object], words: list[str]) -> None:
    """As `python FILE` does."""
    path = os.path.join(os.getcwd(), words[0])
    sys.path.insert(0, os.path.dirname(path))
    sys.argv[:] = words
    from importlib.machinery import SourceFileLoader

    main.update(__file__=path, __cached__=None, __loader__=SourceFileLoader("__main__", path))
    with open(path, "rb") as file:
        source = file.read()
    exec(compile(source, path, "exec", dont_inherit=True), main)


class Reported:
    """Tells of an error that the program did not catch without the two frames of ours below it, and lets it end all."""

    def __enter__(self) -> None:
        """Nothing."""

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: object) -> None:
        """Tell."""
        if kind is None or error is None or issubclass(kind, SystemExit):
            return
        for _ in range(2):
            error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next
        sys.excepthook(kind, error, error.__traceback__)
        sys.excepthook = lambda *_: None  # it is told


def fresh_main() -> dict[str, object]:
    """The names of a new `__main__`, in which none of this file is."""
    main = sys.modules["__main__"] = type(sys)("__main__")
    names: dict[str, object] = vars(main)
    names.update(__annotations__={}, __builtins__=__builtins__, __loader__=globals()["__loader__"])
    return names


def become() -> None:
    """Boot, wait, and be the program that the words name."""
    sys.path.pop(0)  # nothing of the workspace is looked at before it is filled
    for name in filter(None, sys.argv.pop().split(",")):
        __import__(name)
    compile("", "<string>", "exec")  # the first time takes a millisecond
    words = hand_over()
    if words[0] == "-B":
        del words[0]
    with Reported():
        {"-c": run_text, "-m": run_module}.get(words[0], run_file)(fresh_main(), words)


if __name__ == "__main__":
    become()
