"""Whether Ray's control service is still there, and still the one that was joined.

Ray's own calls wait for ever for actors that another control service does not know, and a minute for one that is away.
Needs a process that is connected to Ray.
"""

from __future__ import annotations

import time

LOOK_SECONDS = 1.0
ANSWER_SECONDS = 3
MOST_MISSES = 3


class Head:
    """The control service that this process has joined. Raises what Ray raises if it is away already."""

    def __init__(self) -> None:
        self._session = _session()

    def lost(self) -> str:
        """Wait until it is lost; how that came about. A moment without an answer is none."""
        from ray.exceptions import RayError

        misses = 0
        while misses < MOST_MISSES:
            time.sleep(LOOK_SECONDS)
            try:
                session = _session()
            except RayError:
                misses += 1
                continue
            if session != self._session:
                return "is another one than before"
            misses = 0
        return "does not answer"


def _session() -> bytes | None:
    """The name that a control service gives itself when it starts without a memory of an earlier one."""
    from ray.experimental.internal_kv import internal_kv_get_gcs_client

    name: bytes | None = internal_kv_get_gcs_client().internal_kv_get(
        b"session_name", b"session", timeout=ANSWER_SECONDS
    )
    return name
