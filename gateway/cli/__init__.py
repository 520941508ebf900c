"""The command line; `app.py` has all of it. What stands here runs before anything large is imported."""

from __future__ import annotations

import gc

_COLLECT_AFTER = 50_000
"""Objects. Python's 700 make a fifth of a short command's time: imports leave next to no garbage."""


def main() -> None:
    """The program `bailey`."""
    gc.set_threshold(_COLLECT_AFTER)
    from gateway.cli.app import run

    run()
