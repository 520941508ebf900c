"""The files of a persistent workspace between two commands.

Each command has a jail, and a file system in memory, of its own. What the last one left stays readable for as long as
its folder is held open here, and is gone with this process, however that ends. `run.py` leaves it, and the next
command's workspace takes over what it may (`workspace.py`).
"""

from __future__ import annotations

import os
import secrets


class Remains:
    """Nothing at first. `name` identifies the workspace in records, `step` counts its commands that have ended.

    One command uses it at a time.
    """

    def __init__(self) -> None:
        self.name = f"ws_{secrets.token_hex(8)}"
        self.step = 0
        self.closed = False
        self._left: tuple[int, tuple[int, int]] | None = None

    def left(self) -> tuple[int, tuple[int, int]] | None:
        """The folder's descriptor, with user and group of its files; None before the first command has ended."""
        return self._left

    def replace(self, folder: int, owner: tuple[int, int]) -> None:
        """Hold another folder, by a descriptor of its own, in place of the last. Blocking."""
        self._let_go()
        if not self.closed:
            self._left = os.dup(folder), owner
            self.step += 1

    def close(self) -> None:
        """Let the files go, and hold none any more. Blocking; safe to call twice."""
        self.closed = True
        self._let_go()

    def _let_go(self) -> None:
        if self._left is not None:
            os.close(self._left[0])
            self._left = None
