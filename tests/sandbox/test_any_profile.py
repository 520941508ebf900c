"""Any text that passes as a profile is safe in a second opinion, and what is unsafe there never passes."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sandbox.catalogue import load, profile_names
from sandbox.profile import Profile
from sandbox.protocol import Limits
from sandbox.validate import UnsafeProfile, demand_safe, problems
from tests.sandbox.second_opinion import LIMITS, NAMESPACES, objections
from tests.sandbox.test_validate import JAIL, POLICY, SAFE, rendered

LINES = JAIL.splitlines()
PLACES = st.one_of(
    st.sampled_from(
        ("/", "/work", "/tmp", "/dev/shm", "/usr", "/bin", "/proc", "/etc", "/x", "/dev/null", "/opt/x", "")
    ),
    st.lists(
        st.sampled_from(("work", "tmp", "dev", "usr", "bin", "x", "..", ".", "", "\\000", "\\057")), max_size=5
    ).map(lambda parts: "/".join(("", *parts))),
)
TRUTHS = st.sampled_from(("true", "false", "1", "True", '"true"'))
NUMBERS = st.sampled_from(("0", "00", "1", "-1", "1000", "0x10", '""', '"0"', '"00"', '"root"', '"1000"', '"+0"'))
FLAGS = ("is_bind", "is_symlink", "rw", "nosuid", "nodev", "noexec", "mandatory", "is_dir")
TMPFS = st.sampled_from(("size=1,nr_inodes=1,mode=755", "mode=755", "subset=pid", "", "size=1,nr_inodes=1,mode=755,x"))


@st.composite
def mounts(draw: st.DrawFn) -> str:
    """Most are nearly safe: those find what the rules forget."""
    fields = [f'dst: "{draw(PLACES)}"']
    kind = draw(st.sampled_from(("is_bind: true", "is_symlink: true", "tmpfs", "proc", "sysfs", "content", "")))
    fields += [kind] * kind.startswith("is_")
    if kind.startswith("is_") or draw(st.integers(0, 9)) == 0:
        fields.append(f'src: "{draw(PLACES)}"')
    if kind in ("tmpfs", "proc", "sysfs"):
        fields += [f'fstype: "{kind}"', f'options: "{draw(TMPFS)}"']
    elif kind == "content":
        fields.append('src_content: "x"')
    if kind != "is_symlink: true":
        fields += [f"{flag}: true" for flag in ("nosuid", "nodev", "noexec") if draw(st.integers(0, 9))]
    if draw(st.integers(0, 2)) == 0:
        fields.append(f"{draw(st.sampled_from(FLAGS))}: {draw(TRUTHS)}")
    return f"mount {{ {' '.join(draw(st.permutations(fields)))} }}"


FIELDS = st.one_of(
    mounts(),
    mounts(),
    st.tuples(st.sampled_from(("uidmap", "gidmap")), NUMBERS, NUMBERS, NUMBERS).map(
        lambda part: f"{part[0]} {{ inside_id: {part[1]} outside_id: {part[2]} count: {part[3]} }}"
    ),
    st.tuples(st.sampled_from([f"clone_new{name}" for name in NAMESPACES] + ["keep_caps", "iface_no_lo"]), TRUTHS).map(
        ": ".join
    ),
    st.tuples(st.sampled_from([f"rlimit_{name}" for name in LIMITS] + ["time_limit", "rlimit_core"]), NUMBERS).map(
        ": ".join
    ),
    st.sampled_from(LIMITS).map("rlimit_{}_type: INF".format),
    st.sampled_from(('envar: "LD_AUDIT=x"', 'envar: "A=b"', 'seccomp_string: ""', 'exec_bin { path: "/bin/sh" }')),
)
MARKS = ("#", '"', "{", "}", "\\", "\\000", "'", ";", ",", "<", ">", "\n", "\0", "\r", " ")
SNIPPETS = st.one_of(st.sampled_from(MARKS), st.text(max_size=3))


def hold(text: str) -> bool:
    """Whether it passes; then the second opinion must agree."""
    passes = problems(text, POLICY) == []
    assert not passes or objections(text, POLICY) == [], text
    return passes


@pytest.mark.parametrize("name", profile_names())
def test_both_opinions_agree_on_what_is_built_in(name: str) -> None:
    assert hold(rendered(load(name, {})))


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_any_fields_instead_of_others(data: st.DataObject) -> None:
    """Lines of a safe profile are left out and fields that may be unsafe come in, anywhere."""
    lines = list(LINES)
    for field in data.draw(st.lists(FIELDS, min_size=1, max_size=3)):
        place = data.draw(st.integers(0, len(lines) - 1))
        same = [number for number, line in enumerate(lines) if line.split()[0] == field.split()[0]]
        if same and "mount" not in field:
            lines[data.draw(st.sampled_from(same))] = field
        else:
            lines.insert(place, field)
    hold("\n".join(lines))


@settings(max_examples=400, deadline=None)
@given(st.data())
def test_any_change_of_the_text(data: st.DataObject) -> None:
    text = JAIL
    for _ in range(data.draw(st.integers(1, 4))):
        place = data.draw(st.integers(0, len(text)))
        text = text[:place] + data.draw(SNIPPETS) + text[place + data.draw(st.integers(0, 3)) :]
    hold(text)


UNSAFE = (
    f'mount {{ src: "/usr" dst: "/x" rw: true {SAFE} }}',
    f'mount {{ src: "/usr" dst: "/work/x" {SAFE} }}',
    f'mount {{ src: "/etc" dst: "/x" {SAFE} }}',
    f'mount {{ src: "/etc\\000x" dst: "/x" {SAFE} }}',
    f'mount {{ src: "/usr" dst: "/work\\000x" {SAFE} }}',
    f'mount {{ src: "/usr" dst: "/bin/x" {SAFE} }}',
    'mount { src: "/usr" dst: "/x" is_bind: true nodev: true }',
    'mount { dst: "/x" fstype: "sysfs" nosuid: true nodev: true noexec: true }',
    'uidmap { inside_id: "0" outside_id: "0" count: 1 }',
    'envar: "LD_PRELOAD=/work/x.so"',
    'mount_proc: true',
    'proc_rw: true',
    'skip_setsid: true',
    'cap: "CAP_SYS_ADMIN"',
    'seccomp_policy_file: "/work/x"',
)  # fmt: skip
INSTEAD = {
    'inside_id: "1000"': ('inside_id: "00"', 'inside_id: "root"', 'inside_id: ""', 'inside_id: "+0"'),
    'outside_id: "100000"': ('outside_id: "00"', 'outside_id: "root"', 'outside_id: ""', 'outside_id: "4294967296"'),
    "count: 1": ("count: 2", "count: 65536"),
    "clone_newnet: true": ("clone_newnet: false", ""),
    "keep_caps: false": ("keep_caps: true", ""),
    "rlimit_core: 0": ("rlimit_core: 1", ""),
    "time_limit: 35": ("time_limit: 0", "time_limit: 00", ""),
}


@settings(max_examples=60, deadline=None)
@given(st.sampled_from(UNSAFE), st.integers(0, len(LINES)), st.sampled_from(("{}", "  {}", "{}  # fine", "# fine\n{}")))
def test_an_unsafe_construct_is_refused_wherever_it_stands(unsafe: str, place: int, written: str) -> None:
    text = "\n".join([*LINES[:place], written.format(unsafe), *LINES[place:]])
    assert problems(text, POLICY) != []
    assert objections(text, POLICY) != []  # so that it is a second opinion


@pytest.mark.parametrize(("line", "instead"), [(line, each) for line in INSTEAD for each in INSTEAD[line]])
def test_a_line_that_becomes_unsafe_is_refused(line: str, instead: str) -> None:
    assert line in JAIL
    text = JAIL.replace(line, instead)
    assert problems(text, POLICY) != []
    assert objections(text, POLICY) != []


@settings(max_examples=60, deadline=None)
@given(st.lists(st.text("abc", min_size=1, max_size=3), min_size=1, max_size=3), st.booleans())
def test_what_is_safe_passes_both(parts: list[str], escaped: bool) -> None:
    place = "/x/" + "/".join(parts)
    told = "".join(f"\\{ord(letter):03o}" for letter in place) if escaped else place
    assert hold(f'{JAIL}\nmount {{ src: "/usr/share" dst: "{told}" {SAFE} }}\nenvar: "MORE=x"\n')


@settings(max_examples=300, deadline=None)
@given(
    st.one_of(
        st.text(st.characters(), max_size=60), st.lists(SNIPPETS).map("".join), st.integers(0, 3000).map("a {".__mul__)
    )
)
def test_no_text_ends_otherwise(text: str) -> None:
    for config in (text, f"{JAIL}\n{text}\n"):
        profile = Profile("any", config, loopback=False, address_space_mib=1024, limits=Limits())
        try:
            demand_safe(profile)
        except UnsafeProfile as refusal:
            assert "any" in str(refusal)
