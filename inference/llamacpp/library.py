"""llama.cpp's C API, loaded once per process.

Its log lines go to `logging` at level DEBUG instead of stderr; what matters in them ends up in our errors.
"""

from __future__ import annotations

import functools
import logging
from collections import deque
from typing import Any

logger = logging.getLogger(__name__)

_ERROR_LEVEL = 3  # GGML_LOG_LEVEL_ERROR


class Library:
    """`api` is the module with llama.cpp's functions and structures."""

    def __init__(self) -> None:
        import llama_cpp.llama_cpp as api

        self.api: Any = api
        self._complaints: deque[str] = deque(maxlen=1)
        self._callback = api.llama_log_callback(self._log)  # llama.cpp keeps the pointer, so this object must live
        api.llama_log_set(self._callback, None)
        api.llama_backend_init()

    @property
    def last_complaint(self) -> str:
        """The last error line llama.cpp logged."""
        return self._complaints[-1] if self._complaints else "no reason given"

    def _log(self, level: int, text: bytes, _data: object) -> None:
        line = text.decode("utf-8", "replace").strip()
        if level == _ERROR_LEVEL:
            self._complaints.append(line)
        logger.debug("%s", line)


@functools.cache
def library() -> Library:
    """The library; the first call loads it."""
    return Library()
