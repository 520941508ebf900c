"""Linux calls that Python does not offer: mounts, namespaces, keyrings, file system identities, bounded opens.

Thin wrappers that raise OSError. All of them act on the calling thread alone, which is why the
launcher lives in a thread of its own. Called by `launcher.py` and `workspace.py`.
"""

from __future__ import annotations

import ctypes
import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

CLONE_NEWNS = 0x00020000
MS_RDONLY, MS_NOSUID, MS_NODEV, MS_REMOUNT = 1, 2, 4, 32
MS_BIND, MS_REC, MS_SLAVE = 4096, 16384, 1 << 19

_SYS_KEYCTL_X86_64 = 250
_JOIN_SESSION_KEYRING = 1

_SYS_OPENAT2 = 437  # the same on every architecture
# RESOLVE_NO_XDEV, NO_MAGICLINKS, NO_SYMLINKS, BENEATH: no mount crossed, no link followed, nothing above the folder.
_RESOLVE_INSIDE = 0x01 | 0x02 | 0x04 | 0x08

# Capabilities that let root give each jail a user id of its own: DAC_OVERRIDE, KILL, SETGID, SETUID, SYS_ADMIN.
_ROOT_CAPABILITIES = 1 << 1 | 1 << 5 | 1 << 6 | 1 << 7 | 1 << 21

# Those that do so for a tool without a jail: CHOWN, DAC_OVERRIDE, KILL, SETGID, SETUID.
_OTHER_USERS_CAPABILITIES = 1 << 0 | 1 << 1 | 1 << 5 | 1 << 6 | 1 << 7


@cache
def _libc() -> ctypes.CDLL:
    return ctypes.CDLL(None, use_errno=True)


def _call(name: str, *arguments: object) -> int:
    result: int = getattr(_libc(), name)(*arguments)
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result


def unshare(flags: int) -> None:
    """Give the calling thread new namespaces; see unshare(2)."""
    _call("unshare", flags)


def mount(source: str, target: Path, kind: str, flags: int, data: str = "") -> None:
    """See mount(2)."""
    arguments = (source.encode(), os.fsencode(target), kind.encode())
    _call("mount", *arguments, ctypes.c_ulong(flags), data.encode())


class _OpenHow(ctypes.Structure):
    _fields_ = (("flags", ctypes.c_uint64), ("mode", ctypes.c_uint64), ("resolve", ctypes.c_uint64))


def open_inside(directory: int, path: str, flags: int, mode: int = 0) -> int:
    """Open what lies in the same file system below a folder, following no link whatsoever; see openat2(2)."""
    how = _OpenHow(flags | os.O_CLOEXEC, mode, _RESOLVE_INSIDE)
    name, size = os.fsencode(path), ctypes.c_size_t(ctypes.sizeof(how))
    return _call("syscall", ctypes.c_long(_SYS_OPENAT2), directory, name, ctypes.byref(how), size)


def join_fresh_session_keyring() -> None:
    """Leave the caller's session keyring: what the calling thread starts finds an empty one."""
    _call("syscall", ctypes.c_long(_SYS_KEYCTL_X86_64), ctypes.c_long(_JOIN_SESSION_KEYRING), None)


@contextmanager
def file_system_identity(uid: int, gid: int) -> Iterator[None]:
    """The calling thread opens and creates files as this user, without root's rights; see setfsuid(2). May nest."""
    before = _file_system_ids()
    if before == (uid, gid):
        yield
        return
    _set_file_system_ids(uid, gid)
    try:
        yield
    finally:
        _set_file_system_ids(*before)


def _set_file_system_ids(uid: int, gid: int) -> None:
    _libc().setfsgid(gid)
    _libc().setfsuid(uid)
    if _file_system_ids() != (uid, gid):
        raise PermissionError(f"The file system identity could not be changed to {uid}:{gid}.")


def _file_system_ids() -> tuple[int, int]:
    """An id that cannot be changes nothing; what is answered is the one that holds."""
    return _libc().setfsuid(-1), _libc().setfsgid(-1)


def is_privileged() -> bool:
    """Whether this process is root with the capabilities to mount and to act for other users."""
    return _holds(_ROOT_CAPABILITIES)


def acts_for_others() -> bool:
    """Whether this process is root with the capabilities to hand folders to other users and to act for them."""
    return _holds(_OTHER_USERS_CAPABILITIES)


def _holds(capabilities: int) -> bool:
    if os.geteuid() != 0:
        return False
    for line in Path("/proc/thread-self/status").read_text().splitlines():
        if line.startswith("CapEff:"):
            return int(line.split()[1], 16) & capabilities == capabilities
    return False


def maps_user(uid: int) -> bool:
    """Whether the user id exists in this user namespace."""
    for line in Path("/proc/self/uid_map").read_text().splitlines():
        inside, _, count = (int(word) for word in line.split())
        if inside <= uid < inside + count:
            return True
    return False
