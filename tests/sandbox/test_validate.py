"""Profiles that could let something out are refused, whatever way they are written, and so are sources others own."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from sandbox import validate
from sandbox.catalogue import load, profile_names
from sandbox.config_text import Unreadable, read
from sandbox.profile import WRITABLE_PLACES, Profile, Shape, quoted
from sandbox.spec import SandboxSpec
from sandbox.validate import UnsafeProfile, problems, source_problem, unsafe_sources

POLICY = "the policy"
VALUES: dict[str, str | int] = {**validate._SAMPLE, "policy": POLICY}
SAFE = "is_bind: true nosuid: true nodev: true"


def rendered(profile: Profile) -> str:
    return profile.render(profile.limits, VALUES, Shape(), {})


JAIL = re.sub(r"^\s*#.*\n|^\n", "", rendered(load("shell", {})), flags=re.MULTILINE)
PLACES = st.text("abc", min_size=1, max_size=3)


def said(extra: str, config: str = JAIL) -> str:
    return "; ".join(problems(f"{config}\n{extra}\n", POLICY))


@pytest.mark.parametrize("name", profile_names())
def test_what_is_built_in_is_safe(name: str) -> None:
    assert problems(rendered(load(name, {})), POLICY) == []


@settings(max_examples=25, deadline=None)
@given(st.sampled_from(WRITABLE_PLACES), st.lists(PLACES, min_size=1, max_size=3), st.booleans())
def test_nothing_below_a_writable_place(writable: str, below: list[str], link: bool) -> None:
    place = "/".join((writable, *below))
    mount = f'src: "/usr" dst: "{place}"'
    assert "below a writable place" in said(f"mount {{ {mount} {'is_symlink: true' if link else SAFE} }}")


@settings(max_examples=25, deadline=None)
@given(st.lists(PLACES, min_size=1, max_size=3), st.sets(st.sampled_from(("nosuid", "nodev")), min_size=1))
def test_no_mount_without_its_flags(parts: list[str], lacking: set[str]) -> None:
    place = "/x/" + "/".join(parts)
    flags = " ".join(f"{flag}: true" for flag in ("nosuid", "nodev") if flag not in lacking)
    for kind in ('src: "/usr/share" is_bind: true', 'src_content: "x"'):
        found = said(f'mount {{ {kind} dst: "{place}" {flags} }}')
        assert all(f"lacks {flag}" in found for flag in lacking)


@settings(max_examples=25, deadline=None)
@given(st.lists(PLACES, min_size=1, max_size=3))
def test_nothing_writable_but_the_workspace(parts: list[str]) -> None:
    place = "/x/" + "/".join(parts)
    tmpfs = 'fstype: "tmpfs" options: "size=1,nr_inodes=1,mode=755" nosuid: true nodev: true noexec: true'
    for kind in (f'src: "/usr" {SAFE}', tmpfs):
        assert "is writable; that is only /work" in said(f'mount {{ {kind} dst: "{place}" rw: true }}')
        assert said(f'mount {{ {kind} dst: "{place}" }}') == ""


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_no_line_of_the_jail_can_be_left_out_or_said_twice(data: st.DataObject) -> None:
    """But for names and for what a profile does not need; repeating a bind or a variable changes nothing."""
    lines = JAIL.splitlines()
    number = data.draw(st.integers(0, len(lines) - 1))
    name = lines[number].partition(":")[0].partition(" ")[0]
    if name not in ("name", "hostname", "iface_no_lo", "envar", "mount") and not name.endswith("_type"):
        assert problems("\n".join([*lines[:number], *lines[number + 1 :]]), POLICY) != []
    if name not in ("envar", "mount"):
        assert problems("\n".join([*lines, lines[number]]), POLICY) != []


@settings(max_examples=40, deadline=None)
@given(st.from_regex(r"[a-z_]{3,20}", fullmatch=True), st.sampled_from(("true", "1", '"x"', "{ }")))
def test_unknown_keys(key: str, value: str) -> None:
    known = re.search(rf"^{key}\b", JAIL, re.MULTILINE) or key.endswith("_type")
    assert known or f"the key {key!r} is unknown" in said(f"{key} {value}" if value == "{ }" else f"{key}: {value}")


@pytest.mark.parametrize(
    ("extra", "words"),
    [
        (f'mount {{ src: "/etc" dst: "/etc" {SAFE} }}', "the whole of /etc"),
        (f'mount {{ src: "/" dst: "/host" {SAFE} }}', "the whole of /"),
        (f'mount {{ src: "/proc/1/root" dst: "/host" {SAFE} }}', "belongs to the running host"),
        (f'mount {{ src: "/run/docker.sock" dst: "/x" {SAFE} }}', "belongs to the running host"),
        (f'mount {{ src: "/dev/vda" dst: "/dev/vda" {SAFE} }}', "belongs to the running host"),
        (f'mount {{ src: "/dev/null" dst: "/other" {SAFE} }}', "belongs to the running host"),
        (f'mount {{ src: "/usr/../etc" dst: "/x" {SAFE} }}', "not a plain absolute path"),
        (f'mount {{ src: "/usr" dst: "/x/../work/y" {SAFE} }}', "not at a plain absolute path"),
        (f'mount {{ src: "/usr" dst: "work/y" {SAFE} }}', "not at a plain absolute path"),
        (f'mount {{ src: "/usr" dst: "//work/y" {SAFE} }}', "not at a plain absolute path"),
        (f'mount {{ src: "/usr/share" dst: "/usr" {SAFE} }}', "'/usr' is mounted twice"),
        (f'mount {{ src: "/usr" dst: "/bin/x" {SAFE} }}', "below a symbolic link"),
        (f'mount {{ src: "/usr" dst: "/x" mandatory: false {SAFE} }}', "unknown key mandatory"),
        (f'mount {{ src: "/usr" dst: "/x" dst: "/y" {SAFE} }}', "a key twice"),
        (f'mount {{ src: "/usr" dst: "/x" rw: t {SAFE} }}', "rw neither true nor false"),
        ('mount { dst: "/sys" fstype: "sysfs" nosuid: true nodev: true noexec: true }', "only be of the types"),
        ('mount { dst: "/p" fstype: "proc" options: "subset=pid" nosuid: true nodev: true noexec: true }', "be /proc"),
        ('mount { dst: "/t" fstype: "tmpfs" options: "mode=755" nosuid: true nodev: true noexec: true }', "options"),
        ('mount { dst: "/x" nosuid: true nodev: true }', "must be one of"),
        ('envar: "LD_PRELOAD=/work/x.so"', "that the loader reads"),
        ("rlimit_as_type: INF", "a type of a limit is VALUE"),
        ("keep_env: true", "the key 'keep_env' is unknown"),
        ('seccomp_string: "DEFAULT ALLOW"', 'seccomp_string must be "$policy", once'),
        ('uidmap { inside_id: "0" outside_id: "0" count: 65536 }', "there must be one uidmap"),
        ("mount {", "not in the language of profiles"),
        ("clone_newuser: true }", "not in the language of profiles"),
        ('mount: [{ dst: "/x" }]', "not in the language of profiles"),
    ],
)
def test_what_is_refused(extra: str, words: str) -> None:
    assert words in said(extra)


@pytest.mark.parametrize(
    ("line", "instead", "words"),
    [
        ("clone_newnet: true", "clone_newnet: false", "clone_newnet must be true"),
        ("keep_caps: false", "keep_caps: true", "keep_caps must be false"),
        ('inside_id: "1000"', 'inside_id: "0"', "must map one user, and not root"),
        ('seccomp_string: "the policy"', "", "seccomp_string must be"),
        ('options: "subset=pid"', "", "with the option subset=pid"),
        ("mode=1777\" rw: true nosuid: true nodev: true noexec: true", 'mode=1777" rw: true nosuid: true nodev: true',
         "lacks noexec"),
    ],
)  # fmt: skip
def test_what_the_jail_may_not_lose(line: str, instead: str, words: str) -> None:
    assert line in JAIL
    assert words in said("", JAIL.replace(line, instead))


@settings(max_examples=40, deadline=None)
@given(st.text(st.characters(exclude_characters="\0")).map(lambda value: value.encode("utf-8", "replace").decode()))
def test_what_is_quoted_is_read_back(value: str) -> None:
    assert read(f'# a comment\nenvar: "{quoted(value)}"\nmount {{ dst: "x" }}').get("envar") == value


@settings(max_examples=200, deadline=None)
@given(st.text(alphabet='ab:{}"\\n #\n[<,', max_size=30))
def test_the_reader_never_ends_otherwise(value: str) -> None:
    try:
        read(value)
    except Unreadable as error:
        assert str(error).startswith("line ")


def test_sources_that_others_could_exchange(tmp_path: Path) -> None:
    folder, link = tmp_path / "folder", tmp_path / "link"
    folder.mkdir()
    link.symlink_to(folder)
    (folder / "file").touch()
    os.mkfifo(folder / "fifo")
    assert source_problem(folder) is None
    assert source_problem(folder / "file") is None
    assert source_problem(Path("/dev/null")) is None
    assert "is no file or folder" in str(source_problem(Path("/dev/tty")))
    assert "is no file or folder" in str(source_problem(folder / "fifo"))
    assert "is or passes through a symbolic link" in str(source_problem(link))
    assert "is or passes through a symbolic link" in str(source_problem(link / "file"))
    assert "cannot be read" in str(source_problem(folder / "nothing"))
    folder.chmod(0o777)
    assert "is writable by everybody" in str(source_problem(folder))
    assert f"lies in {folder}, which is writable by everybody" in str(source_problem(folder / "file"))
    assert unsafe_sources(f'mount {{ src: "{link}" dst: "/x" is_bind: true }}') == [f"{link} {source_problem(link)}"]
    if os.geteuid() == 0:
        folder.chmod(0o755)
        os.chown(folder, 12345, 12345)
        assert "belongs to user id 12345" in str(source_problem(folder))


ROW = """
[mine]
config = ["jail.cfg", "mine.cfg"]
run = ["cat", "/mine/data/word"]
address_space_mib = 1024
wall_seconds = 5
cpu_seconds = 5
memory_mib = 64
processes = 8
open_files = 64
output_bytes = 1000
disk_mib = 8
disk_files = 64
"""


def own(folder: Path, part: str, row: str = ROW) -> Path:
    """A folder of profiles that nobody has read yet: what is read is kept."""
    made = folder / f"profiles-{len(list(folder.iterdir()))}"
    made.mkdir()
    (made / "profiles.toml").write_text(row)
    (made / "mine.cfg").write_text(part)
    return made


def test_profiles_of_the_operator(tmp_path: Path) -> None:
    folder = own(tmp_path, f'mount {{ src: "/usr/share" dst: "/mine" {SAFE} }}\n')
    spec = SandboxSpec.model_validate({"profile_folder": folder, "profiles": {"mine": {"memory_mib": 32}}})
    assert profile_names(spec.profile_folder)[-1] == "mine"
    profile = load("mine", {}, folder)
    assert profile.recipe.run == ("cat", "/mine/data/word")
    assert 'dst: "/mine"' in profile.config


@pytest.mark.parametrize(
    ("part", "row", "words"),
    [
        ('envar: "A=\\000"', ROW, "profile 'mine' is not safe.*contains a NUL"),
        (f'mount {{ src: "/usr" dst: "/work/x" {SAFE} }}', ROW, "profile 'mine' is not safe.*below a writable place"),
        ("$nothing", ROW, "not filled in"),
        ("", ROW.replace("mine.cfg", "nothing.cfg"), "cannot be read"),
        ("", ROW.replace("mine.cfg", "../mine.cfg"), "not the name of a .cfg file"),
        ("", ROW.replace('"jail.cfg", ', ""), "clone_newuser must be true"),
        ("", ROW.replace("[mine]", "[python]"), "names python, which is built in"),
        ("", ROW + "colour = 1\n", "mine.colour: Extra inputs are not permitted"),
        ("", ROW.replace("[mine]", "[Mine!]"), "cannot be used"),
        ("", "[", "cannot be used"),
    ],
)
def test_profiles_of_the_operator_that_are_refused(tmp_path: Path, part: str, row: str, words: str) -> None:
    with pytest.raises(ValidationError, match=words):
        SandboxSpec(profile_folder=own(tmp_path, part, row))


def test_a_folder_of_profiles_that_others_could_change(tmp_path: Path) -> None:
    folder = own(tmp_path, "")
    (folder / "jail.cfg").write_text("")
    with pytest.raises(UnsafeProfile, match="name of a file that is built in"):
        load("mine", {}, folder)
    folder.chmod(0o777)
    with pytest.raises(UnsafeProfile, match="writable by everybody"):
        load("mine", {}, folder)
