"""Short turns on the processor for the threads that hand pieces of answers on.

Engines beside the gateway keep every core busy. The scheduler of Linux (EEVDF) lets what runs finish its slice, some
milliseconds, before a thread that was just woken gets its turn, unless that one asks for a shorter slice: then its
turn comes first. It takes no privilege and gives no larger share. Called by `server.py` when everything has started.
"""

from __future__ import annotations

import ctypes
import os
import platform
import struct
import sys
import threading

SLICE_NANOSECONDS = 100_000
"""The shortest that the kernel takes; handing on a piece takes less."""
THREADS = ("MainThread", "ledger-writer")
"""The event loop, and the thread whose commits answers wait for."""

_SYSTEM_CALLS = {"x86_64": 314, "aarch64": 274}  # sched_setattr in the kernel's syscall tables
_SCHED_NORMAL, _RESET_ON_FORK = 0, 1
_ATTR = struct.Struct("=IIQiIQQQ")  # struct sched_attr, version 0: size, policy, flags, nice, priority, runtime, ...


def ask_for_short_turns() -> bool:
    """Ask for them, for the threads of `THREADS` that there are; whether the kernel knows slices of one's own.

    What these threads start later begins with the usual slice. An older kernel, or another system, changes nothing.
    """
    call = _SYSTEM_CALLS.get(platform.machine())
    if sys.platform != "linux" or call is None:
        return False
    libc = ctypes.CDLL(None, use_errno=True)
    threads = [thread.native_id for thread in threading.enumerate() if thread.name.startswith(THREADS)]
    return {libc.syscall(call, thread, _attributes(thread), 0) for thread in threads} == {0}


def _attributes(thread: int | None) -> bytes:
    """Nothing but the slice changes."""
    nice = os.getpriority(os.PRIO_PROCESS, thread or 0)
    return _ATTR.pack(_ATTR.size, _SCHED_NORMAL, _RESET_ON_FORK, nice, 0, SLICE_NANOSECONDS, 0, 0)
