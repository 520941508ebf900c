"""Loaded into vLLM's workers on processors, by `--worker-extension-cls`; its folder is on their PYTHONPATH, alone.

On processors with AMX, Linux gives a process the registers of tiles only when asked, and ends it with SIGILL otherwise.
vLLM 0.32's attention uses them without asking; most models run because some other library asked before it, small ones
do not. Nothing of ours is imported: that interpreter has vLLM and not us.
"""

from __future__ import annotations

import ctypes
import platform
import sys

_ARCH_PRCTL, _REQUEST_PERMISSION, _TILE_DATA = 158, 0x1023, 18  # Linux, Documentation/arch/x86/xstate.rst

if sys.platform == "linux" and platform.machine() == "x86_64":
    ctypes.CDLL(None).syscall(_ARCH_PRCTL, _REQUEST_PERMISSION, _TILE_DATA)  # refused where there are none


class Extension:
    """Adds nothing to a worker; that the module is loaded is enough."""
