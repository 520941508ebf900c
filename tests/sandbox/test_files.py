"""Hostile programs and names around the file system: what is visible, what goes in, what comes out."""

from __future__ import annotations

import errno
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.files.collect import Caps, collect, compile_globs
from sandbox.files.walk import MAX_LEVELS
from sandbox.files.workspace import MAX_NAME_BYTES, check_names, tree_names
from sandbox.kernel import mount
from sandbox.nsjail import NsjailSandbox
from sandbox.protocol import Command, InvalidCommand, Limits
from tests.sandbox.sandboxes import SITE, make_sandbox, run_python

session_loop = pytest.mark.asyncio(loop_scope="session")
hostile = pytest.mark.usefixtures("aftermath")


@session_loop
@hostile
async def test_the_host_is_not_there(sandbox: NsjailSandbox, canary: Path) -> None:
    places = ["/home", "/sys", "/var", "/run", "/mnt", "/boot", "/etc/shadow", "/etc/hostname", "/dev/mem", "/dev/pts"]
    places += [str(canary), str(SITE.parent), "/proc/sys", "/proc/sysrq-trigger", "/proc/kcore", "/proc/keys"]
    places += ["/proc/cmdline", "/proc/meminfo", "/proc/config.gz"]
    program = f"import os; print([place for place in {places} if os.path.lexists(place)], *os.listdir('/'))"
    result = await run_python(sandbox, program)
    home = sys.base_prefix.split("/")[1]  # the way to the interpreter, and nothing beside it
    visible, *top = result.stdout.decode().split()
    assert visible == "[]"
    assert set(top) == {"bin", "dev", "etc", "jail", "lib", "lib64", "proc", "site", "tmp", "usr", "work", home}
    beside = f"import os; print(os.listdir({str(Path(sys.base_prefix).parent)!r}))"
    if home != "usr":
        assert (await run_python(sandbox, beside)).stdout == f"{[Path(sys.base_prefix).name]}\n".encode()


@session_loop
@hostile
async def test_the_system_is_read_only(sandbox: NsjailSandbox) -> None:
    program = """
for place in ("/", "/usr", "/etc", "/dev", "/site", "/jail", "/proc", "/bin"):
    try: open(f"{place}/x", "w")
    except OSError as error: print(error.errno)
"""
    numbers = (await run_python(sandbox, program)).stdout.split()
    assert len(numbers) == 8
    assert set(map(int, numbers)) <= {errno.EROFS, errno.EACCES, errno.ENOENT}


@session_loop
@hostile
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a trap")
async def test_a_writable_mount_below_a_read_only_place(tmp_path: Path) -> None:
    trap = tmp_path / "site" / "trap"
    trap.mkdir(parents=True)
    mount("none", trap, "tmpfs", 0, "mode=777")
    try:
        sandbox = make_sandbox(site=tmp_path / "site")
        program = "import os\ntry: open('/site/trap/x', 'w')\nexcept OSError as error: print(error.errno)"
        result = await run_python(sandbox, program)
        await sandbox.close()
        assert (result.stdout, list(trap.iterdir())) == (f"{errno.EROFS}\n".encode(), [])
    finally:
        subprocess.run(["umount", trap], check=True)


@session_loop
@hostile
async def test_jobs_do_not_see_each_other(sandbox: NsjailSandbox) -> None:
    leave = """
import ctypes, os
for place in ("/tmp", "/dev/shm", "/work"):
    open(f"{place}/left", "w").write("secret")
libc = ctypes.CDLL(None)
libc.shmget(4711, 4096, 0o1666)
"""
    look = """
import ctypes, os
print([place for place in ("/tmp/left", "/dev/shm/left", "/work/left") if os.path.exists(place)])
print(ctypes.CDLL(None).shmget(4711, 4096, 0), [name for name in os.listdir("/proc") if name.isdigit()])
"""
    assert (await run_python(sandbox, leave)).ok
    assert (await run_python(sandbox, look)).stdout == b"[]\n-1 ['1', '2']\n"


@session_loop
@hostile
async def test_files_go_in_and_come_out(sandbox: NsjailSandbox, tmp_path: Path) -> None:
    (tmp_path / "package").mkdir()
    (tmp_path / "package" / "data.txt").write_text("from the tree")
    (tmp_path / "package" / "tool.sh").write_text("#!/bin/sh\necho tool >> package/data.txt\n")
    (tmp_path / "package" / "tool.sh").chmod(0o755)
    (tmp_path / "package" / "link").symlink_to("/etc/passwd")
    (tmp_path / "main.py").write_text("replaced")
    program = (
        b"import subprocess, os; subprocess.run(['package/tool.sh'], check=True); print(sorted(os.listdir('package')))"
    )
    result = await sandbox.run(
        Command(("python", "main.py"), tree=tmp_path, files={"main.py": program}, collect=("package/*.txt", "main.py"))
    )
    assert result.ok, result.stderr
    assert result.stdout == b"['data.txt', 'tool.sh']\n"
    assert result.files == {"package/data.txt": b"from the treetool\n", "main.py": program}


@session_loop
@hostile
async def test_only_what_is_asked_for_and_safe_comes_out(sandbox: NsjailSandbox) -> None:
    program = r"""
import os, socket
os.makedirs("out")
os.chdir("out")
open("plain", "w").write("plain")
os.symlink("/etc/passwd", "link"); os.symlink("/proc/1/root", "way"); os.symlink("plain", "inner")
open("first", "w").write("x"); os.link("first", "second")
os.mkfifo("fifo"); socket.socket(socket.AF_UNIX).bind("socket")
open("odd\n\x1b[31m\x00".rstrip("\0"), "w").write("odd")
open(b"\xff", "w").close()
open("sparse", "wb").truncate(50 << 20)
open("locked", "w").write("x"); os.chmod("locked", 0)
os.mkdir("closed"); open("closed/x", "w").close(); os.chmod("closed", 0)
for level in range(40):
    os.mkdir("deep"); os.chdir("deep")
open("bottom", "w").close()
open("/work/not-asked-for", "w").close()
"""
    result = await run_python(sandbox, program, collect=("out/**",))
    assert result.ok, result.stderr
    assert result.files == {"out/plain": b"plain", "out/odd\n\x1b[31m": b"odd"}
    reasons = {rejection.path.removeprefix("out/"): rejection.reason for rejection in result.rejected}
    assert {name for name, reason in reasons.items() if reason == "a symbolic link"} == {"link", "way", "inner"}
    assert {name for name, reason in reasons.items() if reason == "not a regular file"} == {"fifo", "socket"}
    assert {name for name, reason in reasons.items() if "hard link" in reason} == {"first", "second"}
    assert "not valid UTF-8" in reasons["\\udcff"]
    assert "52428800 bytes" in reasons["sparse"]
    assert "Permission denied" in reasons["locked"]
    assert "Permission denied" in reasons["closed/"]
    assert [reason for reason in reasons.values() if "deeper" in reason] == [f"deeper than {MAX_LEVELS} levels"]
    assert len(reasons) == 12


@session_loop
@hostile
async def test_a_thousand_levels(sandbox: NsjailSandbox) -> None:
    program = "import os\nfor _ in range(1000): os.mkdir('d'); os.chdir('d')"
    result = await run_python(sandbox, program, collect=("**",))
    assert (result.ok, len(result.rejected)) == (True, 1)


@pytest.fixture
def folder(tmp_path: Path) -> Iterator[int]:
    descriptor = os.open(tmp_path, os.O_RDONLY | os.O_DIRECTORY)
    yield descriptor
    os.close(descriptor)


def test_caps_on_number_and_size(tmp_path: Path, folder: int) -> None:
    for number in range(5):
        (tmp_path / f"{number}").write_bytes(b"x" * 10)
    few = collect(folder, compile_globs(("*",)), Caps(files=3, total_bytes=1000))
    assert (sorted(few.files), [rejected.reason for rejected in few.rejected]) == (
        ["0", "1", "2"],
        ["more than 3 files"] * 2,
    )
    small = collect(folder, compile_globs(("*",)), Caps(files=9, total_bytes=25))
    assert sorted(small.files) == ["0", "1"]
    assert {rejected.reason for rejected in small.rejected} == {"10 bytes, more than the 5 bytes that are left"}


def test_rejections_do_not_grow_without_bound(tmp_path: Path, folder: int) -> None:
    for number in range(400):
        (tmp_path / f"{number}").symlink_to("x")
    rejected = collect(folder, compile_globs(("**",)), Caps(9, 9)).rejected
    assert (len(rejected), rejected[-1].reason) == (257, "more files were rejected than are listed")


@pytest.mark.parametrize(
    ("glob", "inside", "outside"),
    [
        ("*.py", ["a.py", ".py"], ["b/a.py", "a.pyc"]),
        ("**/*.py", ["a.py", "b/a.py", "b/c/a.py"], ["a.txt"]),
        ("out/**", ["out/a", "out/b/c"], ["out", "other/a"]),
        ("report?.[x]ml", ["report1.[x]ml"], ["report1.xml", "report/.[x]ml"]),
        ("a", ["a"], ["a\n", "aa", "b/a"]),
    ],
)
def test_globs(glob: str, inside: list[str], outside: list[str]) -> None:
    pattern = compile_globs((glob,))
    assert [path for path in inside + outside if pattern.match(path)] == inside


@pytest.mark.parametrize("glob", ["", "/etc/*", "../*", "a/../b", "a\0"])
def test_globs_that_lead_out(glob: str) -> None:
    with pytest.raises(InvalidCommand, match="collect pattern"):
        compile_globs((glob,))


@pytest.mark.parametrize(
    "names",
    [
        ["../x"],
        ["/abs"],
        ["a\0b"],
        ["a", "a/b"],
        ["a//b"],
        ["a/"],
        [""],
        ["."],
        ["a/./b"],
        ["x" * 256],
        ["é" * 128],
        ["a/" * 16 + "b"],
        ["\udcff"],
    ],
)
def test_names_that_cannot_go_in(names: list[str]) -> None:
    with pytest.raises(InvalidCommand, match="file name"):
        check_names(names)


@settings(max_examples=50, deadline=None)
@given(st.lists(st.text(st.sampled_from("ab./\0é\\ \n"), max_size=12), max_size=6))
def test_accepted_names_stay_inside_and_can_all_exist(names: list[str]) -> None:
    try:
        check_names(names)
    except InvalidCommand:
        return
    for name in names:
        path = Path(name)
        assert not path.is_absolute()
        assert path.as_posix() == name
        assert ".." not in path.parts
        assert len(path.parts) <= MAX_LEVELS
        assert all(len(part.encode()) <= MAX_NAME_BYTES for part in path.parts)
        assert not any(parent.as_posix() in names for parent in path.parents)


@settings(max_examples=50, deadline=None)
@given(
    st.lists(
        st.text(st.characters(exclude_characters="/\0", exclude_categories=["Cs"]), min_size=1, max_size=60),
        min_size=1,
        max_size=MAX_LEVELS,
    )
)
def test_any_plain_name_is_accepted(parts: list[str]) -> None:
    if not {".", ".."} & set(parts):
        check_names(["/".join(parts)])


def test_a_tree_gives_only_its_regular_files(tmp_path: Path) -> None:
    (tmp_path / "sub").mkdir()
    (tmp_path / "sub" / "file").touch()
    (tmp_path / "link").symlink_to("/etc/passwd")
    (tmp_path / "way").symlink_to("/etc")
    os.mkfifo(tmp_path / "fifo")
    assert tree_names(tmp_path) == ["sub/file"]
    with pytest.raises(InvalidCommand, match="not a folder"):
        tree_names(tmp_path / "nothing")


@session_loop
@hostile
async def test_files_that_do_not_fit(sandbox: NsjailSandbox) -> None:
    with pytest.raises(InvalidCommand, match="do not fit"):
        await run_python(sandbox, "pass", files={"big": bytes(3 << 20)}, limits=Limits(disk_mib=2))
