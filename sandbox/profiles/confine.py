"""Becomes a trusted tool that can do nothing else: gives up rights, proves that they are gone, and executes it.

Tier D alone. Runs by `python -I -S` in a process of its own and imports nothing of the product; `confinement.py` writes
its order. Descriptors: 0 to 2 the tool's, 3 the report, 4 the order, 5 the program, 6 the workspace.
"""

from __future__ import annotations

import ctypes
import json
import os
import resource
import signal
import stat
import sys
import time
from _socket import socket
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

REPORT, ORDER, PROGRAM, WORKSPACE = 3, 4, 5, 6
_LEAST_URGENT = 19

_SET_PDEATHSIG, _SET_SECCOMP, _SECCOMP_FILTER, _SET_NO_NEW_PRIVS, _GET_NO_NEW_PRIVS = 1, 22, 2, 38, 39
_CAP_AMBIENT, _CAP_AMBIENT_CLEAR_ALL = 47, 4

_CREATE_RULESET, _ADD_RULE, _RESTRICT_SELF = 444, 445, 446  # the same on every architecture
_PATH_BENEATH = 1
_EXECUTE, _WRITE_FILE, _READ_FILE, _READ_DIR = (1 << bit for bit in range(4))
_REMOVE = 1 << 4 | 1 << 5
_MAKE_DIR, _MAKE_REG = 1 << 7, 1 << 8
_REFER, _TRUNCATE = 1 << 13, 1 << 14
_OF_FILES = _EXECUTE | _WRITE_FILE | _READ_FILE | _TRUNCATE
_READ = _READ_FILE | _READ_DIR
_WORK = _READ | _WRITE_FILE | _REMOVE | _MAKE_DIR | _MAKE_REG | _REFER | _TRUNCATE
_FS_RIGHTS = {4: 15, 5: 16}  # by ABI, the number of rights that it knows
_TCP = 0b11  # bind and connect; ABI 4
_SCOPES = 0b11  # abstract Unix sockets and signals; ABI 6

_libc = ctypes.CDLL(None, use_errno=True)


class Unconfined(Exception):
    """Something that must be denied was not."""


class _RulesetAttributes(ctypes.Structure):
    _fields_ = (("fs", ctypes.c_uint64), ("net", ctypes.c_uint64), ("scoped", ctypes.c_uint64))


class _PathBeneath(ctypes.Structure):
    _pack_ = 1
    _fields_ = (("allowed", ctypes.c_uint64), ("parent", ctypes.c_int32))


class _Instruction(ctypes.Structure):
    _fields_ = (("code", ctypes.c_uint16), ("yes", ctypes.c_uint8), ("no", ctypes.c_uint8), ("k", ctypes.c_uint32))


class _Program(ctypes.Structure):
    _fields_ = (("length", ctypes.c_uint16), ("instructions", ctypes.POINTER(_Instruction)))


def main(supervisor: int) -> None:
    """Confine this process as the order says and execute the program; ends only when that failed."""
    order = json.loads(os.pread(ORDER, os.fstat(ORDER).st_size, 0))
    try:
        _begin(order)
        _leave_user(order["user"])
        _die_with(supervisor)
        _call("prctl", _SET_NO_NEW_PRIVS, 1)
        _restrict_files(order)
        _filter_calls(order["filter"])
        _demand_confined(order["user"])
        _tell(f"started {time.process_time()}")
        os.execve(PROGRAM, order["argv"], order["environment"])  # noqa: S606 - this is what it is for
    except (OSError, Unconfined) as error:
        _tell(f"failed {error}")


def _tell(said: str) -> None:
    os.write(REPORT, f"{said}\n".encode(errors="backslashreplace"))


def _call(name: str, *arguments: int) -> int:
    padded = [ctypes.c_ulong(argument) for argument in (*arguments, 0, 0, 0, 0, 0)[:6]]
    result: int = getattr(_libc, name)(*padded)
    if result == -1:
        number = ctypes.get_errno()
        raise OSError(number, f"{name}: {os.strerror(number)}")
    return result


def _begin(order: Mapping[str, Any]) -> None:
    os.setsid()
    os.closerange(WORKSPACE + 1, 1 << 20)
    for descriptor in range(REPORT, WORKSPACE + 1):
        os.set_inheritable(descriptor, False)
    for ignored in (signal.SIGPIPE, signal.SIGXFSZ):  # by Python, and whoever is executed would inherit it
        signal.signal(ignored, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())
    os.umask(0o022)
    os.nice(_LEAST_URGENT)
    os.fchdir(WORKSPACE)
    for name, wanted in order["rlimits"].items():
        kind = getattr(resource, name)
        most = resource.getrlimit(kind)[1]
        value = wanted if most == resource.RLIM_INFINITY else min(wanted, most)
        resource.setrlimit(kind, (value, value))


def _leave_user(user: list[int] | None) -> None:
    _call("prctl", _CAP_AMBIENT, _CAP_AMBIENT_CLEAR_ALL)
    if user is not None:
        os.setgroups([])
        os.setresgid(user[1], user[1], user[1])
        os.setresuid(user[0], user[0], user[0])


def _die_with(supervisor: int) -> None:
    _call("prctl", _SET_PDEATHSIG, signal.SIGKILL)  # a change of user clears it
    if os.getppid() != supervisor:
        raise Unconfined("the supervisor is gone")


def _restrict_files(order: Mapping[str, Any]) -> None:
    abi: int = order["landlock_abi"]
    handled = (1 << _FS_RIGHTS.get(abi, _FS_RIGHTS[5])) - 1
    attributes = _RulesetAttributes(handled, _TCP, _SCOPES)
    size = 24 if abi >= 6 else 16
    ruleset = _call("syscall", _CREATE_RULESET, ctypes.addressof(attributes), size)
    try:
        _allow(ruleset, WORKSPACE, _WORK)
        _allow(ruleset, PROGRAM, _READ_FILE | _EXECUTE)
        for paths, rights in (
            (order["readable"], _READ),
            (order["loaders"], _READ_FILE | _EXECUTE),
            (order["devices"], _READ_FILE),
            (order["writable_devices"], _READ_FILE | _WRITE_FILE),
        ):
            for path in paths:
                _allow_path(ruleset, path, rights)
        _call("syscall", _RESTRICT_SELF, ruleset, 0)
    finally:
        os.close(ruleset)


def _allow_path(ruleset: int, path: str, rights: int) -> None:
    try:
        descriptor = os.open(path, os.O_PATH | os.O_CLOEXEC)
    except FileNotFoundError:
        return
    try:
        _allow(ruleset, descriptor, rights)
    finally:
        os.close(descriptor)


def _allow(ruleset: int, descriptor: int, rights: int) -> None:
    if not stat.S_ISDIR(os.fstat(descriptor).st_mode):
        rights &= _OF_FILES
    rule = _PathBeneath(rights, descriptor)
    _call("syscall", _ADD_RULE, ruleset, _PATH_BENEATH, ctypes.addressof(rule), 0)


def _filter_calls(instructions: list[list[Any]]) -> None:
    """From here on the calls are denied; "own" in the filter is this process's number, which the tool will have."""
    own = os.getpid()
    filled = [_Instruction(code, yes, no, own if k == "own" else k) for code, yes, no, k in instructions]
    array = (_Instruction * len(filled))(*filled)
    program = _Program(len(filled), ctypes.cast(array, ctypes.POINTER(_Instruction)))
    _call("prctl", _SET_SECCOMP, _SECCOMP_FILTER, ctypes.addressof(program))


def _demand_confined(user: list[int] | None) -> None:
    """Try it before the tool could. Raises `Unconfined`."""
    attempts: Mapping[str, Callable[[], object]] = {
        "folders of the host can be read": lambda: os.scandir("/"),
        "processes can be seen": lambda: os.scandir("/proc"),
        "files can be made outside the workspace": lambda: Path("../outside").mkdir(),
        "a socket can be had": socket,
        "a process can be started": _fork,
        "a mode can be changed": lambda: Path().chmod(0o700),
    }
    for what, attempt in attempts.items():
        try:
            attempt()
        except OSError:
            continue
        raise Unconfined(what)
    if _call("prctl", _GET_NO_NEW_PRIVS) != 1:
        raise Unconfined("new privileges can be had")
    if user is not None and os.getresuid() != (user[0],) * 3:
        raise Unconfined("the user is not its own")


def _fork() -> None:
    if os.fork() == 0:
        os._exit(0)


if __name__ == "__main__":
    main(int(sys.argv[1]))
    os._exit(1)
