"""A place without a network that counts who tries to use one.

It is a network namespace in which only the loopback is up: there is no route, so every connection, datagram or
name look-up that would leave the machine fails in the kernel, and the kernel counts that. The counter sees all
processes in it, in whatever language and however short-lived, and needs no tool that could miss one.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

# Names are looked up by asking a server that is not on this machine, whatever this machine's own settings are: a
# resolver on the loopback, or behind a socket file, would hide that somebody asked.
_HOLD = """
mount --bind "$1/resolv.conf" /etc/resolv.conf || exit 1
mount --bind "$1/nsswitch.conf" /etc/nsswitch.conf || exit 1
exec "$2" -c '
import fcntl, socket, struct, sys
with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as any_socket:
    up = struct.pack("16sh14x", b"lo", 1)  # an ifreq with IFF_UP
    fcntl.ioctl(any_socket, 0x8914, up)  # SIOCSIFFLAGS
print("ready", flush=True)
sys.stdin.read()
'
"""


@dataclass(frozen=True)
class Gap:
    """The namespace, as long as the process that holds it lives."""

    holder: int

    @property
    def within(self) -> tuple[str, ...]:
        """What to put before a command so that it runs in here."""
        user = () if os.geteuid() == 0 else ("--user", "--preserve-credentials")
        return ("nsenter", f"--target={self.holder}", "--net", "--mount", *user, f"--wd={Path.cwd()}", "--")

    def attempts(self) -> int:
        """How often something wanted to leave the machine so far."""
        return self._count("snmp", "Ip:", "OutNoRoutes") + self._count("snmp6", "Ip6OutNoRoutes")

    def _count(self, file: str, *name: str) -> int:
        lines = [line.split() for line in Path(f"/proc/{self.holder}/net/{file}").read_text().splitlines()]
        if len(name) == 1:  # one counter to a line
            return next(int(line[1]) for line in lines if line[0] == name[0])
        names, values = [line for line in lines if line[0] == name[0]]
        return int(values[names.index(name[1])])


@contextmanager
def air_gap(folder: Path) -> Iterator[Gap]:
    """Make one. `folder` takes the settings that hold in it; needs root, or unprivileged user namespaces."""
    (folder / "resolv.conf").write_text("nameserver 192.0.2.53\noptions timeout:1 attempts:1\n")
    (folder / "nsswitch.conf").write_text("hosts: files dns\npasswd: files\ngroup: files\n")
    user: Sequence[str] = () if os.geteuid() == 0 else ("--user", "--map-current-user", "--keep-caps")
    python = Path(sys.executable).resolve()
    command = ["unshare", *user, "--net", "--mount", "sh", "-c", _HOLD, "sh", str(folder), str(python)]
    holder = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        assert holder.stdout
        assert holder.stdout.readline() == "ready\n", "no namespace could be made"
        yield Gap(holder.pid)
    finally:
        holder.send_signal(signal.SIGKILL)
        holder.communicate()
