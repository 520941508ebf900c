"""Why a host refuses to isolate, in sentences that say what to change.

Reads the kernel's switches that are known to forbid user namespaces. Called by `prove.py` when no jail could be
set up, and by `doctor.py`.
"""

from __future__ import annotations

from pathlib import Path

_SWITCHES = (
    (
        "kernel/unprivileged_userns_clone",
        "0",
        "The kernel forbids user namespaces to ordinary users: run `sysctl -w kernel.unprivileged_userns_clone=1`.",
    ),
    (
        "user/max_user_namespaces",
        "0",
        "The kernel allows no user namespaces: run `sysctl -w user.max_user_namespaces=15000`.",
    ),
    (
        "kernel/apparmor_restrict_unprivileged_userns",
        "1",
        "AppArmor restricts user namespaces: give nsjail an AppArmor profile with the rule `userns,` or run "
        "`sysctl -w kernel.apparmor_restrict_unprivileged_userns=0`.",
    ),
)
_GENERAL = (
    "The sandbox needs Linux 5.12 or newer, unprivileged user namespaces, mounts inside them and a /proc that is not "
    "masked; in a container that means a seccomp profile that allows clone, unshare and mount in user namespaces, and "
    "an unmasked /proc (Kubernetes: `procMount: Unmasked`, Docker: `--security-opt systempaths=unconfined`)."
)


def explain(failures: list[str], switches: Path = Path("/proc/sys")) -> str:
    """What this host must allow, with what was tried."""
    tried = " ".join(f"[{failure}]" for failure in failures)
    return " ".join(("This host cannot isolate untrusted code.", *advice(switches), "Tried:", tried))


def advice(switches: Path = Path("/proc/sys")) -> tuple[str, ...]:
    """What to change so that user namespaces can be had: the switches that forbid them, or else all that is needed."""
    return tuple(sentence for file, value, sentence in _SWITCHES if _reads(switches / file, value)) or (_GENERAL,)


def _reads(file: Path, value: str) -> bool:
    try:
        return file.read_text().strip() == value
    except OSError:
        return False
