# ruff: noqa: PTH109, PTH118, PTH120, PTH123, S102 - pathlib would be an import that the job can see, and to run the job's code is the purpose
# What a warm jail runs before its job: it boots, waits at the gate, and becomes the program. It is handed to the
# interpreter as text (`python -c`), so that no file of it is in the jail. Nothing foreign has run before `started`.
# Few imports: what is imported here is there for the job as well.
# Standard input brings eight hexadecimal digits, that many bytes of NUL-separated words, then the job's own input.


def become() -> None:
    import os
    import sys

    main, first = globals(), sys.path.pop(0)  # nothing of the workspace is looked at before it is filled
    for name in filter(None, sys.argv.pop().split(",")):
        __import__(name)
    os.write(2, b"ready\n")

    def read(size: int) -> bytes:
        content = b""
        while len(content) < size:
            piece = os.read(0, size - len(content))
            if not piece:
                os._exit(1)
            content += piece
        return content

    words = os.fsdecode(read(int(read(8), 16))).split("\0")
    os.write(2, b"started\n")
    os.dup2(3, 2)
    os.close(3)
    os.environ["PWD"] = os.getcwd()  # as the shell of a cold jail does
    sys.orig_argv[:] = ["python", *words]
    if words[0] == "-B":
        del words[0]
    del main["become"]
    try:
        if words[0] == "-m":
            sys.path.insert(0, os.getcwd())
            sys.argv[:] = ["-m", *words[2:]]
            import runpy

            runpy._run_module_as_main(words[1])  # type: ignore[attr-defined]  # what `python -m` calls
        elif words[0] == "-c":
            sys.path.insert(0, first)
            sys.argv[:] = ["-c", *words[2:]]
            exec(compile(words[1], "<string>", "exec", dont_inherit=True), main)
        else:
            path = os.path.join(os.getcwd(), words[0])
            sys.path.insert(0, os.path.dirname(path))
            sys.argv[:] = words
            from importlib.machinery import SourceFileLoader

            main.update(__file__=path, __cached__=None, __loader__=SourceFileLoader("__main__", path))
            with open(path, "rb") as file:
                source = file.read()
            exec(compile(source, path, "exec", dont_inherit=True), main)
    except SystemExit:
        raise
    except BaseException as error:
        error.__traceback__ = error.__traceback__ and error.__traceback__.tb_next
        sys.excepthook(type(error), error, error.__traceback__)
        sys.excepthook = lambda *_: None  # it is told already, without the frame of this function
        raise


become()
