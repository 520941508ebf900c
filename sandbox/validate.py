"""Refuses a jail that could let something out. Every rule is an allow-list: what is not known is refused.

`problems` looks at the configuration alone, when profiles are loaded; `source_problem` at what a host shows in a
jail, when the host is proven. Built-in profiles pass the same rules as the operator's own.
"""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Iterator
from pathlib import Path

from sandbox.config_text import Message, Unreadable, read
from sandbox.profile import WORKSPACE, WRITABLE_PLACES, Profile, Shape
from sandbox.protocol import SandboxUnavailable

_NAMESPACES = ("user", "pid", "ns", "net", "ipc", "uts", "cgroup")
_EXACT = {
    **{f"clone_new{namespace}": "true" for namespace in _NAMESPACES},
    "mode": "ONCE",
    "cwd": WORKSPACE,
    "keep_caps": "false",
    "disable_no_new_privs": "false",
    "rlimit_core": "0",
    "pass_fd": "3",
    "log_fd": "4",
    "log_level": "INFO",
}
_NUMBERS = (
    *("time_limit", "nice_level", "rlimit_cpu", "rlimit_as", "rlimit_fsize", "rlimit_nofile", "rlimit_nproc"),
    *("rlimit_stack", "rlimit_memlock", "rlimit_msgqueue", "rlimit_rtprio"),
)
_OPTIONAL = {"name", "hostname", "iface_no_lo", *(f"{name}_type" for name in _NUMBERS)}
_MESSAGES = {"uidmap", "gidmap", "mount", "exec_bin"}

_MOUNT_KEYS = {
    *("src", "dst", "src_content", "fstype", "options", "is_bind", "is_symlink", "rw", "nosuid", "nodev", "noexec")
}
_STATELESS_DEVICES = {f"/dev/{name}" for name in ("null", "zero", "full", "random", "urandom")}
_WRITABLE_DEVICES = {f"/dev/{name}" for name in ("null", "zero", "full")}
_NEVER_SHOWN_BELOW = ("/proc", "/sys", "/dev", "/run", "/var/run", "/boot", "/root/.ssh")
_NEVER_SHOWN_WHOLE = {"/", "/etc", "/var", "/home", "/root", "/tmp", "/opt", "/srv", "/mnt", "/media"}  # noqa: S108
_TMPFS_OPTIONS = re.compile(r"size=[1-9][0-9]*,nr_inodes=[1-9][0-9]*,mode=[01]?[0-7]{3}")
_USER = re.compile(r"[1-9][0-9]{0,9}")  # a number: nsjail takes names too, and an empty text for whoever starts it
_NO_USER = (1 << 32) - 1  # from here on numbers wrap, to root first
_VARIABLE = re.compile(r"(?!LD_)[A-Za-z_][A-Za-z0-9_]*=")

_POLICY = "the system call policy"
_SAMPLE: dict[str, str | int] = {
    "user_namespace": "true",
    "inside_uid": 1000,
    "inside_gid": 1000,
    "outside_uid": 100_000,
    "outside_gid": 100_000,
    "policy": _POLICY,
    **{f"{name}_source": f"/usr/{name}" for name in ("python", "site", "init")},
    "python_prefix": "/usr/python",
    "python_executable": "/usr/python/bin/python",
}


class UnsafeProfile(SandboxUnavailable):
    """A profile that cannot be used because it does not isolate; the message says which rule it breaks."""


def demand_safe(profile: Profile) -> None:
    """Raise `UnsafeProfile` unless a profile isolates, whatever the host."""
    try:
        config = profile.render(profile.limits, _SAMPLE, Shape(), {})
    except (KeyError, ValueError) as error:
        raise UnsafeProfile(
            f"The sandbox profile {profile.name!r} has a word that is not filled in: {error}."
        ) from None
    if found := problems(config, _POLICY):
        raise UnsafeProfile(f"The sandbox profile {profile.name!r} is not safe: {'; '.join(found)}.")


def demand_safe_source(path: Path) -> None:
    """Raise `UnsafeProfile` for a file or folder that others could exchange."""
    if problem := source_problem(path):
        raise UnsafeProfile(f"{path} cannot be used by the sandbox: it {problem}.")


def problems(config: str, policy: str) -> list[str]:
    """What is wrong with a rendered configuration, which must hold exactly this policy; empty when it is safe."""
    try:
        message = read(config)
    except Unreadable as error:
        return [f"it is not in the language of profiles ({error})"]
    return [
        *_wrong_fields(message),
        *_wrong_limits(message),
        *_wrong_program(message, policy),
        *_wrong_users(message),
        *_wrong_mounts(message.messages("mount")),
    ]


def _wrong_fields(message: Message) -> Iterator[str]:
    known = {*_EXACT, *_NUMBERS, *_OPTIONAL, *_MESSAGES, "envar", "seccomp_string"}
    for name in sorted({name for name, _ in message.fields} - known):
        yield f"the key {name!r} is unknown"
    for name, value in _EXACT.items():
        if message.values(name) != [value]:
            yield f"{name} must be {value}, once"
    if message.get("iface_no_lo") not in (None, "true", "false"):
        yield "iface_no_lo must be true or false"


def _wrong_limits(message: Message) -> Iterator[str]:
    for name in _NUMBERS:
        if not re.fullmatch(r"[0-9]{1,12}", message.get(name) or ""):
            yield f"{name} must be one number"
    if not (message.get("time_limit") or "").strip("0"):  # to nsjail 0 is none
        yield "time_limit must be above 0"
    for name in sorted(_OPTIONAL):
        if len(message.values(name)) > 1 or (name.endswith("_type") and message.get(name) not in (None, "VALUE")):
            yield f"{name} must stand once at most, and a type of a limit is VALUE"


def _wrong_program(message: Message, policy: str) -> Iterator[str]:
    """What runs, under which policy, with which variables."""
    if message.values("seccomp_string") != [policy]:
        yield 'seccomp_string must be "$policy", once'
    if [each.fields for each in message.messages("exec_bin")] != [(("path", "/jail/init"),)]:
        yield "exec_bin must be /jail/init"
    for variable in message.values("envar"):
        if not _VARIABLE.match(variable):
            yield f"envar {variable!r} is no NAME=value, or one that the loader reads"


def _wrong_users(message: Message) -> Iterator[str]:
    for kind in ("uidmap", "gidmap"):
        maps = [dict(each.fields) for each in message.messages(kind)]
        if len(maps) != 1 or maps[0].keys() != {"inside_id", "outside_id", "count"}:
            yield f"there must be one {kind} with inside_id, outside_id and count"
        elif maps[0]["count"] != "1" or not all(_is_user(maps[0][side]) for side in ("inside_id", "outside_id")):
            yield f"{kind} must map one user, and not root"


def _is_user(value: str | Message) -> bool:
    return isinstance(value, str) and bool(_USER.fullmatch(value)) and int(value) < _NO_USER


def _wrong_mounts(mounts: list[Message]) -> Iterator[str]:
    different = list({mount.fields: mount.get("dst") or "" for mount in mounts}.values())
    for place in sorted({place for place in different if different.count(place) > 1}):
        yield f"{place!r} is mounted twice"
    links = [mount.get("dst") or "" for mount in mounts if mount.get("is_symlink") == "true"]
    for mount in mounts:
        place = mount.get("dst") or ""
        yield from (f"the mount at {place!r} {said}" for said in _wrong_mount(mount, place))
        if any(_is_below(place, link) for link in links):
            yield f"the mount at {place!r} lies below a symbolic link"
    for place in WRITABLE_PLACES:
        if not any(mount.get("fstype") == "tmpfs" and mount.get("dst") == place for mount in mounts):
            yield f"a tmpfs must be mounted at {place}"


def _wrong_mount(mount: Message, place: str) -> Iterator[str]:
    names = [name for name, _ in mount.fields]
    if unknown := sorted(set(names) - _MOUNT_KEYS):
        yield f"has the unknown key {', '.join(unknown)}"
    if len(names) != len(set(names)):
        yield "has a key twice"
    if not _is_plain(place):
        yield "is not at a plain absolute path below /"
    if any(_is_below(place, writable) for writable in WRITABLE_PLACES):
        yield "lies below a writable place, where a job could leave a link to somewhere else"
    kinds = {"is_bind": mount.get("is_bind"), "is_symlink": mount.get("is_symlink")}
    kind = [name for name, value in kinds.items() if value == "true"]
    kind += [name for name in ("fstype", "src_content") if name in names]
    if len(kind) != 1 or set(kinds.values()) - {None, "true"}:
        yield "must be one of a bind, a symbolic link, a file system or a file with src_content"
    elif kind == ["is_symlink"]:
        if set(names) != {"src", "dst", "is_symlink"}:
            yield "is a symbolic link and takes only src and dst"
    else:
        yield from _wrong_options(mount, place, kind[0])


def _wrong_options(mount: Message, place: str, kind: str) -> Iterator[str]:
    device = kind == "is_bind" and mount.get("src") == place and place in _STATELESS_DEVICES
    yield from _wrong_flags(mount, is_device=device)
    if kind == "fstype":
        yield from _wrong_file_system(mount, place)
    elif mount.get("rw") == "true" and not (device and place in _WRITABLE_DEVICES):
        yield f"is writable; that is only {', '.join(WRITABLE_PLACES)}"
    if kind == "is_bind" and not device:
        yield from _wrong_source(mount.get("src") or "")


def _wrong_flags(mount: Message, *, is_device: bool) -> Iterator[str]:
    for flag in ("nosuid",) if is_device else ("nosuid", "nodev"):
        if mount.get(flag) != "true":
            yield f"lacks {flag}"
    for flag in ("rw", "noexec"):
        if mount.get(flag) not in (None, "true", "false"):
            yield f"has {flag} neither true nor false"


def _wrong_file_system(mount: Message, place: str) -> Iterator[str]:
    if mount.get("fstype") == "proc":
        if place != "/proc" or mount.get("options") != "subset=pid" or mount.get("rw") == "true":
            yield "must be /proc, read-only, with the option subset=pid"
    elif mount.get("fstype") != "tmpfs":
        yield "may only be of the types tmpfs and proc"
    elif not _TMPFS_OPTIONS.fullmatch(mount.get("options") or ""):
        yield "must have the options size=…,nr_inodes=…,mode=…, in this order"
    if mount.get("rw") == "true" and place not in WRITABLE_PLACES:
        yield f"is writable; that is only {', '.join(WRITABLE_PLACES)}"
    if mount.get("noexec") != "true" and place != WORKSPACE:
        yield "lacks noexec"


def _wrong_source(source: str) -> Iterator[str]:
    if not _is_plain(source):
        yield "shows a source that is not a plain absolute path"
    if source in _NEVER_SHOWN_WHOLE:
        yield f"shows the whole of {source}; name what is needed of it"
    if any(source == place or _is_below(source, place) for place in _NEVER_SHOWN_BELOW):
        yield f"shows {source}, which belongs to the running host"


def _is_plain(path: str) -> bool:
    """Whether it is absolute, below /, and has no empty part, no `.` and no `..` (pathlib keeps a leading `//`)."""
    first, *parts = path.split("/")
    return first == "" and bool(parts) and not {"", ".", ".."} & set(parts)


def _is_below(path: str, place: str) -> bool:
    """Whether a plain path lies below a plain place."""
    return path.startswith(f"{place}/")


def source_problem(path: Path) -> str | None:
    """Why a file or folder of the host may not be shown in a jail: what follows "it"; None when it may. Blocking."""
    try:
        status = path.lstat()
        real = path.resolve(strict=True)
    except OSError as error:
        return f"cannot be read ({error.strerror})"
    if real != path:
        return f"is or passes through a symbolic link (it is really {real})"
    if not (stat.S_ISDIR(status.st_mode) or stat.S_ISREG(status.st_mode)):
        return None if str(path) in _STATELESS_DEVICES and stat.S_ISCHR(status.st_mode) else "is no file or folder"
    for each in (path, *path.parents):
        found = each.stat()
        where = "" if each == path else f"lies in {each}, which "
        if found.st_uid not in (0, os.geteuid()):
            return f"{where}belongs to user id {found.st_uid}, who could exchange it"
        if found.st_mode & stat.S_IWOTH and not (each != path and found.st_mode & stat.S_ISVTX):
            return f"{where}is writable by everybody"
    return None


def unsafe_sources(config: str) -> list[str]:
    """What a host would show that it may not: one sentence part for each bind. Blocking."""
    sources = [mount.get("src") or "" for mount in read(config).messages("mount") if mount.get("is_bind") == "true"]
    found = ((source, source_problem(Path(source))) for source in sources)
    return [f"{source} {problem}" for source, problem in found if problem]
