"""Isolation as data: what the files in `profiles/` promise, and how values get into them."""

from __future__ import annotations

import re
from dataclasses import fields, replace
from pathlib import PurePosixPath

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from sandbox.catalogue import load, profile_names
from sandbox.profile import WRITABLE_PLACES, Shape, quoted
from sandbox.protocol import InvalidCommand, Limits
from sandbox.spec import LimitsSpec, SandboxSpec

MOUNT = re.compile(r"^mount \{ (.*) \}$", re.MULTILINE)
FIELD = re.compile(r'(\w+): ("(?:[^"\\]|\\.)*"|\w+)')
VALUES: dict[str, str | int] = {
    "user_namespace": "true",
    "inside_uid": 1000,
    "inside_gid": 1000,
    "outside_uid": 7,
    "outside_gid": 7,
    "policy": 'say "no" \\ to\n$all',
    "python_source": "/run/bailey/python",
    "python_prefix": "/home/müller's $HOME/py",
    "python_executable": "/home/py/bin/python3",
    "site_source": "/run/bailey/site",
    "init_source": "/run/bailey/init",
}


def rendered(name: str) -> str:
    profile = load(name, {})
    return profile.render(profile.limits, VALUES, Shape(("/usr/lib/python3/dist-packages",)), {"NAME": "va\nlue"})


def mounts(config: str) -> list[dict[str, str]]:
    return [{key: value.strip('"') for key, value in FIELD.findall(line)} for line in MOUNT.findall(config)]


@pytest.mark.parametrize("name", profile_names())
def test_nothing_is_mounted_below_a_writable_place(name: str) -> None:
    found = mounts(rendered(name))
    writable = {PurePosixPath(mount["dst"]) for mount in found if mount.get("rw") == "true"}
    assert {str(place) for place in writable if not str(place).startswith("/dev/") or str(place) == "/dev/shm"} == {
        *WRITABLE_PLACES
    }
    for mount in found:
        assert not writable & set(PurePosixPath(mount["dst"]).parents), mount


@pytest.mark.parametrize("name", profile_names())
def test_every_mount_is_restricted(name: str) -> None:
    for mount in mounts(rendered(name)):
        if mount.get("is_symlink") != "true":
            assert mount["nosuid"] == "true", mount
            assert mount.get("nodev") == "true" or mount["dst"].startswith("/dev/"), mount
        if mount.get("fstype") == "tmpfs":
            assert "size=" in mount["options"], mount
            assert "nr_inodes=" in mount["options"], mount


@pytest.mark.parametrize("name", profile_names())
def test_every_namespace_is_the_jails_own(name: str) -> None:
    config = rendered(name)
    for namespace in ("user", "pid", "ns", "net", "ipc", "uts", "cgroup"):
        assert re.search(rf"^clone_new{namespace}: true\b", config, re.MULTILINE)
    for off in ("keep_caps: false", "disable_no_new_privs: false", "rlimit_core: 0", "mode: ONCE"):
        assert f"\n{off}\n" in config
    assert "keep_env" not in config


def test_values_are_filled_in_and_escaped() -> None:
    config = rendered("python")
    assert 'seccomp_string: "say \\042no\\042 \\134 to\\012$all"' in config
    assert 'dst: "/home/m\\303\\274ller\'s $HOME/py"' in config
    assert config.endswith('envar: "NAME=va\\012lue"\n')
    assert 'mount { dst: "/usr/lib/python3/dist-packages" fstype: "tmpfs"' in config


@settings(max_examples=50, deadline=None)
@given(st.text())
def test_quoting_loses_nothing(value: str) -> None:
    text = quoted(value.replace("\ud800", ""))
    assert text.isascii()
    assert '"' not in text
    plain = re.sub(rb"\\([0-7]{3})", lambda octal: bytes([int(octal[1], 8)]), text.encode())
    assert plain == value.encode("utf-8", "surrogateescape")


def test_profiles_allow_at_least_the_default_limits() -> None:
    for name in profile_names():
        assert load(name, {}).effective(Limits()) == Limits()


def test_the_operator_sets_the_ceiling() -> None:
    spec = SandboxSpec(profiles={"python": LimitsSpec(memory_mib=256, wall_seconds=5)})
    profile = load("python", spec.profiles["python"].model_dump())
    assert profile.limits == replace(Limits(), memory_mib=256, wall_seconds=5)
    with pytest.raises(InvalidCommand, match=r"memory_mib=257 .* sandbox\.profiles\.python\.memory_mib"):
        profile.effective(replace(profile.limits, memory_mib=257))


def test_the_section_refuses_what_it_does_not_know() -> None:
    with pytest.raises(ValidationError, match="Unknown profile perl; known are python, pytest"):
        SandboxSpec(profiles={"perl": LimitsSpec()})
    with pytest.raises(ValidationError, match="slotz"):
        SandboxSpec.model_validate({"slotz": 1})
    assert set(LimitsSpec.model_fields) == {field.name for field in fields(Limits)}
    assert all(field.description for spec in (SandboxSpec, LimitsSpec) for field in spec.model_fields.values())
