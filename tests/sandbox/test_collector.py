"""The collector against hostile trees: nothing from outside, nothing above the caps, an end, a reason for the rest."""

from __future__ import annotations

import contextlib
import os
import shutil
import socket
import stat
import tempfile
import threading
from pathlib import Path

from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.files.collect import Caps, Collection, collect, compile_globs
from sandbox.files.walk import MAX_LEVELS

KINDS = ("file", "link out", "link in", "hard link", "fifo", "socket", "device", "sparse", "folder", "link to folder")
SECRET = b"from outside"
NAMES = st.binary(min_size=1, max_size=12).filter(lambda name: not {47, 0} & set(name) and name.strip(b"."))
ENTRIES = st.lists(st.tuples(st.lists(NAMES, min_size=1, max_size=4), st.sampled_from(KINDS)), max_size=12)
EVERYTHING = compile_globs(("**",))


def make(root: Path, parts: list[bytes], kind: str, secret: Path) -> None:
    """Put one thing into the tree; what cannot stand beside what is there is left out."""
    path = root.joinpath(*map(os.fsdecode, parts))
    with contextlib.suppress(OSError):
        path.parent.mkdir(parents=True, exist_ok=True)
        if kind == "file":
            path.write_bytes(b"inside")
        elif kind.startswith("link"):
            target = {"link out": str(secret), "link in": "..", "link to folder": str(secret.parent)}[kind]
            path.symlink_to(target)
        elif kind == "hard link":
            os.link(secret, path)
        elif kind == "fifo":
            os.mkfifo(path)
        elif kind == "socket":
            with socket.socket(socket.AF_UNIX) as made:
                made.bind(str(path))
        elif kind == "device":
            os.mknod(path, stat.S_IFCHR | 0o600, os.makedev(1, 5))
        elif kind == "sparse":
            with path.open("xb") as file:
                file.truncate(1 << 40)
        else:
            path.mkdir(parents=True)


def collected(root: str, caps: Caps) -> Collection:
    directory = os.open(root, os.O_PATH | os.O_DIRECTORY)
    try:
        return collect(directory, EVERYTHING, caps)
    finally:
        os.close(directory)


@settings(max_examples=60, deadline=None)
@given(ENTRIES, st.integers(0, 5), st.integers(0, 40))
def test_any_tree(entries: list[tuple[list[bytes], str]], files: int, total: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        secret, root = Path(folder, "outside", "secret"), Path(folder, "workspace")
        secret.parent.mkdir()
        secret.write_bytes(SECRET)
        root.mkdir()
        for parts, kind in entries:
            make(root, parts, kind, secret)
        descriptors = len(list(Path("/proc/self/fd").iterdir()))
        collection = collected(str(root), Caps(files, total))
        assert len(list(Path("/proc/self/fd").iterdir())) == descriptors
        assert len(collection.files) <= files
        assert sum(map(len, collection.files.values())) <= total
        assert set(collection.files.values()) <= {b"inside"}
        there = sum(len(names) for _, _, names in os.walk(root)) + sum(
            Path(above, name).is_symlink() for above, folders, _ in os.walk(root) for name in folders
        )
        assert len(collection.files) + len(collection.rejected) == there
        assert all(rejection.reason and rejection.path for rejection in collection.rejected)
        for rejection in collection.rejected:
            rejection.path.encode()  # can be written down


@settings(max_examples=20, deadline=None)
@given(st.integers(1, 3 * MAX_LEVELS))
def test_any_depth(levels: int) -> None:
    with tempfile.TemporaryDirectory() as folder:
        bottom = Path(folder, *("d" * levels))
        bottom.mkdir(parents=True)
        (bottom / "file").write_bytes(b"inside")
        collection = collected(folder, Caps(9, 99))
        assert bool(collection.files) == (levels < MAX_LEVELS)
        assert bool(collection.rejected) == (levels >= MAX_LEVELS)


def test_swaps_while_it_reads(tmp_path: Path) -> None:
    """The second line of defence: by then every process of a jail is dead."""
    outside, root = tmp_path / "outside", tmp_path / "workspace"
    outside.mkdir()
    (outside / "file").write_bytes(SECRET)
    for name in "abcd":
        (root / name).mkdir(parents=True)
        (root / name / "file").write_bytes(b"inside")
    over = threading.Event()

    def swap() -> None:
        while not over.is_set():
            for name in "abcd":
                with contextlib.suppress(OSError):
                    shutil.move(root / name, tmp_path / "aside")
                    (root / name).symlink_to(outside)
                    (root / name).unlink()
                    shutil.move(tmp_path / "aside", root / name)
                    (root / name / "file").unlink()
                    (root / name / "file").symlink_to(outside / "file")
                    (root / name / "file").unlink()
                    (root / name / "file").write_bytes(b"inside")

    thread = threading.Thread(target=swap)
    thread.start()
    try:
        for _ in range(300):
            found = collected(str(root), Caps(9, 99))
            assert set(found.files.values()) <= {b"inside", b""}
    finally:
        over.set()
        thread.join()
