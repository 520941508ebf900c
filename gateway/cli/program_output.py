"""What a program in the sandbox writes, shown as it comes.

A thread writes, so that a reader who is slow delays nobody who watches over the program. A terminal gets no control
characters of the program's.
"""

from __future__ import annotations

import codecs
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TextIO

from gateway.cli.output import visible
from sandbox.protocol import OutputStream, Piece, Progress


class ProgramOutput:
    """Shows pieces between entering and leaving, which waits until all are written."""

    def __init__(self) -> None:
        self._streams: dict[OutputStream, TextIO] = {"stdout": sys.stdout, "stderr": sys.stderr}
        decoder = codecs.getincrementaldecoder("utf-8")
        self._decoders = {name: decoder(errors="replace") for name in self._streams}
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="program-output")

    def __enter__(self) -> ProgramOutput:
        return self

    def __exit__(self, *_: object) -> None:
        for name in self._streams:
            self._writer.submit(self._write, name, b"", True)
        self._writer.shutdown(wait=True)

    def show(self, progress: Progress) -> None:
        """Show a piece of output; other progress has nothing to show. Returns at once."""
        if isinstance(progress, Piece):
            self._writer.submit(self._write, progress.stream, progress.content, False)

    def _write(self, name: OutputStream, content: bytes, final: bool) -> None:
        stream = self._streams[name]
        try:
            if stream.isatty():
                stream.write(visible(self._decoders[name].decode(content, final)))
            else:
                stream.buffer.write(content)
            stream.flush()
        except BrokenPipeError:  # as with `| head`: the program goes on to its end
            with Path(os.devnull).open("wb") as nowhere:
                os.dup2(nowhere.fileno(), stream.fileno())
