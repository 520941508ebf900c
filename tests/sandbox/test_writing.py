"""Writing into a workspace in which anything may lie: no link is followed, nothing outside changes."""

from __future__ import annotations

import ctypes
import os
import subprocess
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from sandbox.files.workspace import Workspace
from sandbox.kernel import mount
from sandbox.protocol import Command, InvalidCommand

RENAME_EXCHANGE = 2


@pytest.fixture
def victim(tmp_path: Path) -> Iterator[Path]:
    """A folder of the host beside a workspace, with a file; neither may change."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "kept").write_text("kept")
    yield outside
    assert [(file.name, file.read_text()) for file in outside.iterdir()] == [("kept", "kept")]


@pytest.fixture
def left(tmp_path: Path, victim: Path) -> Path:
    """A workspace in which something hostile was left."""
    folder = tmp_path / "work"
    (folder / "folder" / "kept").mkdir(parents=True)
    (folder / "absolute").symlink_to(victim)
    (folder / "relative").symlink_to("../outside")
    (folder / "within").symlink_to("folder")
    (folder / "way").symlink_to("/proc/self/cwd")
    (folder / "file").write_text("old")
    (folder / "first").write_text("old")
    os.link(folder / "first", folder / "second")
    (folder / "link").symlink_to(victim / "kept")
    os.mkfifo(folder / "fifo")
    return folder


def fill(folder: Path, name: str, content: bytes = b"new") -> None:
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY)
    try:
        Workspace(descriptor, os.getuid(), os.getgid()).fill(Command((), files={name: content}), [])
    finally:
        os.close(descriptor)


@pytest.mark.parametrize(
    "name", ["absolute/x", "relative/kept", "within/x", "way/x", "file/x", "fifo/x", "folder/kept"]
)
def test_nothing_is_written_through_what_lies_there(left: Path, name: str) -> None:
    before = sorted(left.rglob("*"))
    with pytest.raises(InvalidCommand, match=f"'{name}' cannot be written into the workspace: something else"):
        fill(left, name)
    assert sorted(left.rglob("*")) == before


@pytest.mark.parametrize("name", ["link", "fifo", "first", "file", "absolute"])
def test_a_file_takes_the_place_and_leaves_alone_what_had_it(left: Path, name: str) -> None:
    fill(left, name)
    written = left / name
    assert (written.is_symlink(), written.is_file(), written.read_bytes()) == (False, True, b"new")
    assert written.stat().st_nlink == 1
    assert (left / "second").read_text() == "old"


def test_a_folder_that_becomes_a_link_while_the_host_writes(tmp_path: Path, victim: Path) -> None:
    folder = tmp_path / "work"
    (folder / "sub").mkdir(parents=True)
    (folder / "trap").symlink_to(victim)
    done = threading.Event()
    trap, sub = os.fsencode(folder / "trap"), os.fsencode(folder / "sub")

    def swap() -> None:
        renameat2 = ctypes.CDLL(None).renameat2
        while not done.is_set():
            renameat2(-1, trap, -1, sub, RENAME_EXCHANGE)

    swapper = threading.Thread(target=swap)
    swapper.start()
    refused = written = 0
    try:
        while (refused < 50 or written < 50) and refused + written < 20_000:
            try:
                fill(folder, f"sub/{written}")
                written += 1
            except InvalidCommand:
                refused += 1
    finally:
        done.set()
        swapper.join()
    real = next(place for place in (folder / "sub", folder / "trap") if not place.is_symlink())
    assert {file.name for file in real.iterdir()} == {str(number) for number in range(written)}
    assert refused >= 50


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a trap")
def test_another_file_system_in_a_workspace_is_not_written_to(tmp_path: Path) -> None:
    trap = tmp_path / "work" / "sub"
    trap.mkdir(parents=True)
    mount("none", trap, "tmpfs", 0, "mode=777")
    try:
        with pytest.raises(InvalidCommand, match="something else is at its place"):
            fill(tmp_path / "work", "sub/x")
        assert list(trap.iterdir()) == []
    finally:
        subprocess.run(["umount", trap], check=True)
