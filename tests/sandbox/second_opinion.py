"""A second opinion on profiles: read by Google's own reader, as nsjail reads them, and judged by rules restated here.

Shares nothing with `sandbox/config_text.py` and `sandbox/validate.py`, which are held against it.
"""

from __future__ import annotations

import posixpath
from collections.abc import Iterator
from typing import Any

from google.protobuf import descriptor_pool, message_factory, text_format
from google.protobuf.descriptor_pb2 import FieldDescriptorProto, FileDescriptorProto

NAMESPACES = ("user", "pid", "ns", "net", "ipc", "uts", "cgroup")
LIMITS = ("cpu", "as", "fsize", "nofile", "nproc", "stack", "memlock", "msgqueue", "rtprio")
# The part of nsjail's config.proto that a profile may use: fields with their types, `*` for a list. What is not here
# no profile may say.
_ENUMS = {
    "Mode": ("LISTEN", "ONCE", "RERUN", "EXECVE"),
    "LogLevel": ("DEBUG", "INFO", "WARNING"),
    "RLimit": ("VALUE", "SOFT", "HARD", "INF"),
}
_MESSAGES = {
    "IdMap": {"inside_id": "string", "outside_id": "string", "count": "uint32"},
    "MountPt": {
        **dict.fromkeys(("src", "src_content", "dst", "fstype", "options"), "string"),
        **dict.fromkeys(("is_bind", "is_symlink", "rw", "nosuid", "nodev", "noexec"), "bool"),
    },
    "Exe": {"path": "string"},
    "NsJailConfig": {
        **dict.fromkeys(("name", "hostname", "cwd", "seccomp_string"), "string"),
        **dict.fromkeys(("keep_caps", "disable_no_new_privs", "iface_no_lo"), "bool"),
        **{f"clone_new{name}": "bool" for name in NAMESPACES},
        **dict.fromkeys(("time_limit", "pass_fd", "log_fd", "nice_level", "rlimit_core"), "int64"),
        **{f"rlimit_{name}": "int64" for name in LIMITS},
        **{f"rlimit_{name}_type": "RLimit" for name in LIMITS},
        "mode": "Mode",
        "log_level": "LogLevel",
        "exec_bin": "Exe",
        "envar": "string*",
        "mount": "MountPt*",
        "uidmap": "IdMap*",
        "gidmap": "IdMap*",
    },
}
_OPEN_TO_ALL = {"/dev/null", "/dev/zero", "/dev/full"}
_DEVICES = {*_OPEN_TO_ALL, "/dev/random", "/dev/urandom"}
_IN_MEMORY = {"/work", "/tmp", "/dev/shm"}
_TOO_MUCH = {"/", "/etc", "/var", "/home", "/root", "/tmp", "/opt", "/srv", "/mnt", "/media"}
_OF_THE_HOST = ("/proc", "/sys", "/dev", "/run", "/var/run", "/boot", "/root/.ssh")


def _message_class() -> Any:
    file = FileDescriptorProto(name="nsjail.proto", package="nsjail", syntax="proto2")
    for name, values in _ENUMS.items():
        enum = file.enum_type.add(name=name)
        for number, value in enumerate(values):
            enum.value.add(name=value, number=number)
    for name, fields in _MESSAGES.items():
        message = file.message_type.add(name=name)
        for number, (field, kind) in enumerate(fields.items(), start=1):
            made = message.field.add(name=field, number=number, label=3 if kind.endswith("*") else 1)
            kind = kind.rstrip("*")
            if kind in _ENUMS or kind in _MESSAGES:
                made.type = FieldDescriptorProto.TYPE_ENUM if kind in _ENUMS else FieldDescriptorProto.TYPE_MESSAGE
                made.type_name = f".nsjail.{kind}"
            else:
                made.type = FieldDescriptorProto.Type.Value(f"TYPE_{kind.upper()}")
    pool = descriptor_pool.DescriptorPool()
    pool.Add(file)
    return message_factory.GetMessageClass(pool.FindMessageTypeByName("nsjail.NsJailConfig"))


_Config = _message_class()


def objections(text: str, policy: str) -> list[str]:
    """What would be unsafe if nsjail were started with this text; empty also where it would not start at all."""
    config = _Config()
    try:
        text_format.Parse(text, config)
    except text_format.ParseError as error:
        return [str(error)] if "has no field named" in str(error) else []
    except UnicodeError:
        return []
    return [*_of_the_jail(config, policy), *_of_limits(config), *_of_users(config), *_of_mounts(config.mount)]


def _of_the_jail(config: Any, policy: str) -> Iterator[str]:
    for name in (f"clone_new{namespace}" for namespace in NAMESPACES):
        if not getattr(config, name):
            yield f"no {name}"
    for name in ("keep_caps", "disable_no_new_privs", "rlimit_core"):
        if getattr(config, name) or not config.HasField(name):
            yield name
    if (config.seccomp_string, config.exec_bin.path, config.mode) != (policy, "/jail/init", 1):
        yield "another policy, init process or mode"
    if (config.pass_fd, config.log_fd, config.cwd) != (3, 4, "/work"):
        yield "other descriptors or another folder"
    yield from (variable for variable in config.envar if variable.startswith("LD_") or "=" not in variable)


def _of_limits(config: Any) -> Iterator[str]:
    for name in (f"rlimit_{limit}" for limit in LIMITS):
        if not config.HasField(name) or getattr(config, f"{name}_type"):
            yield f"no {name}"
    if config.time_limit <= 0:
        yield "no time limit"


def _of_users(config: Any) -> Iterator[str]:
    for maps in (config.uidmap, config.gidmap):
        if len(maps) != 1 or maps[0].count != 1:
            yield "not one user"
        for each in maps:
            for side in (each.inside_id, each.outside_id):
                if not (side.isascii() and side.isdigit() and int(side) % (1 << 32)):  # nsjail looks names up
                    yield f"the user {side!r}"


def _of_mounts(mounts: Any) -> Iterator[str]:
    places = [_seen_by_the_kernel(mount.dst) for mount in mounts]
    links = [place for mount, place in zip(mounts, places, strict=True) if mount.is_symlink]
    for place in _IN_MEMORY:
        if not any(mount.fstype == "tmpfs" and mount.rw and mount.dst == place for mount in mounts):
            yield f"no tmpfs at {place}"
    for mount, place in zip(mounts, places, strict=True):
        if any(_is_within(place, above) and place != above for above in (*_IN_MEMORY, *links)):
            yield f"{place} lies where a link may stand"
        if any(place == other and mount != another for other, another in zip(places, mounts, strict=True)):
            yield f"{place} is hidden by another"
        yield from (f"{place}: {what}" for what in _of_a_mount(mount, place))


def _of_a_mount(mount: Any, place: str) -> Iterator[str]:
    source = _seen_by_the_kernel(mount.src)
    device = mount.is_bind and source == place and place in _DEVICES
    if place == "/" or not mount.dst.startswith("/"):
        yield "no place of its own"
    if not mount.is_symlink:
        yield from _of_flags(mount, place, device=device)
        if mount.is_bind and not device and _is_the_hosts(source):
            yield f"shows {source}"
        if mount.fstype:
            yield from _of_a_file_system(mount, place)


def _of_flags(mount: Any, place: str, *, device: bool) -> Iterator[str]:
    if not (mount.nosuid and (mount.nodev or device)):
        yield "programs of root or devices count"
    if mount.rw and place not in (_OPEN_TO_ALL if device else _IN_MEMORY if mount.fstype == "tmpfs" else ()):
        yield "writable"


def _is_the_hosts(source: str) -> bool:
    return source in _TOO_MUCH or any(_is_within(source, each) for each in _OF_THE_HOST)


def _of_a_file_system(mount: Any, place: str) -> Iterator[str]:
    if not mount.noexec and place != "/work":
        yield "executable"
    if mount.fstype == "proc":
        if (place, mount.options) != ("/proc", "subset=pid"):
            yield "all of proc"
    elif mount.fstype != "tmpfs" or not ("size=" in mount.options and "nr_inodes=" in mount.options):
        yield f"{mount.fstype} or without limits"


def _seen_by_the_kernel(path: str) -> str:
    """It reads up to a NUL, and minds neither doubled slashes nor dots."""
    return posixpath.normpath("/" + path.split("\0")[0].lstrip("/"))


def _is_within(place: str, above: str) -> bool:
    return place == above or place.startswith(f"{above}/")
