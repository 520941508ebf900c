"""The collector against trees that programs make in real jails, at random: what comes out is what is safe, no more."""

from __future__ import annotations

import json

import pytest

from sandbox.files.walk import MAX_LEVELS
from sandbox.nsjail import NsjailSandbox
from tests.sandbox.sandboxes import run_python

pytestmark = [pytest.mark.asyncio(loop_scope="session"), pytest.mark.usefixtures("aftermath")]

# Makes things of all kinds at random, of which many cannot be where they should, and says what there is in the end:
# the plain files with their content, and how many other things.
GROW = r"""
import contextlib, json, os, random, socket, stat, sys
chance = random.Random(int(sys.argv[1]))
NAMES = [b"a", b"b", b"c" * 255, b" ", b"-rf", b"*", b"..a", b"new\nline", b"\x1b[31m", b"\xff\xfe", b"%s", b"'"]
NAMES += ["\u202e\u00e9".encode(), b"\xed\xa0\x80"]
AIMS = [b"/etc/passwd", b"/proc/self/root/etc", b"/work", b"..", b"a", b"x" * 4000]
folders = [b"."]

def everything(): return [os.path.join(at, each) for at, _, names in os.walk(b".") for each in names] or [b"nothing"]
def plain(path): open(path, "xb").write(os.urandom(chance.choice((0, 1, 5000))))
def folder(path): os.mkdir(path); folders.append(path)
def link(path): os.symlink(chance.choice(AIMS + folders), path)
def second_name(path): os.link(chance.choice(everything()), path, follow_symlinks=False)
def fifo(path): os.mkfifo(path)
def listener(path): socket.socket(socket.AF_UNIX).bind(path)
def sparse(path): open(path, "xb").truncate(chance.choice((4096, 50 << 20)))
def closed(path): plain(path); os.chmod(path, 0)
def closed_folder(path): os.mkdir(path); plain(path + b"/in"); os.chmod(path, chance.choice((0, 0o100, 0o400)))
def of_root(path): plain(path); os.chmod(path, 0o6755)
def moved(path): os.rename(chance.choice(everything()), path)
def gone(path): os.unlink(chance.choice(everything()))
def deep(path):
    here = os.open(".", os.O_RDONLY)
    for name in (path, *[b"d"] * chance.choice((3, 40, 300))): os.mkdir(name); os.chdir(name)
    open("bottom", "xb").write(b"bottom")
    os.fchdir(here); os.close(here)

KINDS = [plain, plain, plain, folder, folder, link, link, second_name, fifo, listener, sparse, closed, closed_folder]
KINDS += [of_root, moved, gone, deep]
for _ in range(chance.choice((20, 60, 150))):
    with contextlib.suppress(OSError): chance.choice(KINDS)(os.path.join(chance.choice(folders), chance.choice(NAMES)))

safe, others = {}, 0
for at, inside, names in os.walk(b"."):
    if not os.access(at, os.R_OK | os.X_OK):
        others += 1
        continue
    others += sum(os.path.islink(os.path.join(at, each)) for each in inside)
    for path in (os.path.join(at, each) for each in names):
        if path.count(b"/") > MOST: continue
        kind = os.lstat(path)
        fits = stat.S_ISREG(kind.st_mode) and kind.st_nlink == 1 and kind.st_mode & 0o400 and kind.st_size < 1 << 20
        with contextlib.suppress(UnicodeDecodeError):
            if fits:
                safe[path[2:].decode()] = open(path, "rb").read().hex()
                continue
        others += 1
print(json.dumps([safe, others]))
""".replace("MOST", str(MAX_LEVELS))


@pytest.mark.parametrize("seed", range(8))
async def test_a_tree_of_a_jail(sandbox: NsjailSandbox, seed: int) -> None:
    result = await run_python(sandbox, f"import sys; sys.argv = ['', '{seed}']\n{GROW}", collect=("**",))
    assert result.ok, result.stderr
    safe, others = json.loads(result.stdout)
    assert {name: content.hex() for name, content in result.files.items()} == safe
    assert len(safe) + others > 3
    assert len(result.rejected) >= min(others, 256)
    for rejection in result.rejected:
        assert rejection.reason
        rejection.path.encode()  # can be written down
