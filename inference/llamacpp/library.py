"""llama.cpp's C API, loaded once per process.

Its log lines go to `logging` at level DEBUG instead of stderr; what matters in them ends up in our errors.
"""

from __future__ import annotations

import functools
import logging
import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

logger = logging.getLogger(__name__)

_ERROR_LEVEL = 4  # GGML_LOG_LEVEL_ERROR


class Library:
    """`api` is the module with llama.cpp's functions and structures."""

    def __init__(self) -> None:
        import llama_cpp.llama_cpp as api

        self.api: Any = api
        self._complaints: deque[str] = deque(maxlen=1)
        self._hearing = threading.Lock()
        self._heard: list[str] | None = None
        self._callback = api.llama_log_callback(self._log)  # llama.cpp keeps the pointer, so this object must live
        api.llama_log_set(self._callback, None)
        api.llama_backend_init()

    @property
    def last_complaint(self) -> str:
        """The last error line llama.cpp logged."""
        return self._complaints[-1] if self._complaints else "no reason given"

    def forget_complaint(self) -> None:
        """What was complained of last was meant to be."""
        self._complaints.clear()

    @contextmanager
    def heard(self) -> Iterator[list[str]]:
        """The lines that llama.cpp logs meanwhile. One caller at a time; others wait."""
        with self._hearing:
            lines: list[str] = []
            self._heard = lines
            try:
                yield lines
            finally:
                self._heard = None

    def _log(self, level: int, text: bytes, _data: object) -> None:
        line = text.decode("utf-8", "replace").strip()
        if level == _ERROR_LEVEL:
            self._complaints.append(line)
        if (heard := self._heard) is not None:
            heard.append(line)
        logger.debug("%s", line)


@functools.cache
def library() -> Library:
    """The library; the first call loads it."""
    return Library()
