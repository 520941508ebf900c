"""Commands whose results show that a sandbox holds what it should, or, where nothing else may run, that it lints.

Run before anything foreign, by whoever opens a sandbox, here or through its server.
"""

from __future__ import annotations

from sandbox.protocol import Command, Result, SandboxUnavailable

_LOOK_AROUND = """
import os, pwd
status = {name: value.strip() for name, value in (line.split(":", 1) for line in open("/proc/self/status"))}
truths = {
    "no capabilities": not int(status["CapBnd"], 16) and not int(status["CapEff"], 16),
    "no new privileges": status["NoNewPrivs"] == "1",
    "a system call policy": status["Seccomp"] == "2",
    "its own processes": os.getpid() == 2 and os.getppid() == 1,
    "its own user": os.getuid() == os.geteuid() and pwd.getpwuid(os.getuid()).pw_name == "jail",
    "no network": len(open("/proc/self/net/route").readlines()) <= 1,
    "a read-only system": not any(os.access(place, os.W_OK) for place in ("/", "/usr", "/etc", "/jail", "/site")),
    "a workspace": os.getcwd() == "/work" and os.access("/work", os.W_OK),
    "readable tools (on the host, chmod -R go+rX helps)": os.access("/site", os.R_OK | os.X_OK)
    and all(os.access(entry, os.R_OK) for entry in os.scandir("/site")),
}
print(", ".join(name for name, holds in truths.items() if not holds) or "isolated")
"""
PROBE = Command(("python", "-c", _LOOK_AROUND))

LINTER_PROBE = Command(
    ("python", "-m", "ruff", "check", "--isolated", "--no-cache", "--output-format=concise", "probe.py"),
    profile="lint",
    files={"probe.py": b"import os\n"},
)


def demand_isolated(stdout: bytes, stderr: bytes) -> None:
    """Raise `SandboxUnavailable` unless the probe found everything as it should be."""
    if stdout != b"isolated\n":
        raise SandboxUnavailable(f"a jail lacks: {(stdout or stderr).decode(errors='replace')[-500:]}")


def demand_linted(result: Result) -> None:
    """Raise `SandboxUnavailable` unless the linter found what is in its probe."""
    if result.exit_code != 1 or b"F401" not in result.stdout:
        said = (result.stderr or result.stdout).decode(errors="replace").strip()[-500:]
        raise SandboxUnavailable(f"the linter does not run as it should ({result.outcome}): {said}")
