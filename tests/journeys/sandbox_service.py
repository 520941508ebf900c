"""A sandbox in a process of its own, and machines that use it, for tests that come in through the front door."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from sandbox.processes import tree
from sandbox.service.tls import TlsFiles
from tests.journeys.appliance import ROOT, SCRIPTED, Appliance

PATIENCE_SECONDS = 60
"""For what takes a moment, and longer where others keep the machine busy."""


@dataclass
class Service:
    """`bailey sandbox serve` on a machine; its log is a file in the machine's folder."""

    machine: Appliance
    words: tuple[str, ...]
    process: subprocess.Popen[str] | None = None
    url: str = ""

    def start(self) -> Service:
        with (self.machine.folder / "service.log").open("w") as log:
            self.process = start_sandbox_command(self.machine, "serve", *self.words, stderr=log)
        assert self.process.stdout
        said = self.process.stdout.readline()
        found = re.fullmatch(r"The sandbox \(tier [AB]\) answers at (\S+)\n", said)
        assert found, said + self.log()
        self.url = found[1]
        return self

    @property
    def pid(self) -> int:
        assert self.process
        return self.process.pid

    def log(self) -> str:
        return (self.machine.folder / "service.log").read_text()

    def below(self) -> list[int]:
        """The processes of its jails."""
        return tree(self.pid)[1:]

    def end(self, *signals: signal.Signals) -> int:
        """Send the signals; the exit status, once it has ended."""
        assert self.process
        for number in signals:
            self.process.send_signal(number)
        status = self.process.wait(PATIENCE_SECONDS)
        if self.process.stdout:
            self.process.stdout.close()
        return status


def start_sandbox_command(
    machine: Appliance, *words: str, stderr: int | IO[str] = subprocess.PIPE
) -> subprocess.Popen[str]:
    """`bailey sandbox` with its standard output in a pipe."""
    command = [sys.executable, "-m", "gateway.cli", "sandbox", *words]
    return subprocess.Popen(
        command, env=machine.environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=stderr, text=True
    )


def machine_with(folder: Path, sandbox: str, site: Path = ROOT / ".sandbox-site") -> Appliance:
    """A machine on which nothing runs yet, with this section `sandbox:`."""
    folder.mkdir()
    (folder / "models.yaml").write_text(f"{SCRIPTED}sandbox: {sandbox}\n")
    return Appliance(folder, (folder / "models.yaml").read_text(), variables={"BAILEY_SANDBOX_SITE": str(site)})


def remote_machine(folder: Path, url: str, files: TlsFiles | None = None) -> Appliance:
    """A machine that cannot run anything itself: it has no tools for generated code."""
    tls = f", authority: {files.authority}, certificate: {files.certificate}, key: {files.key}" if files else ""
    return machine_with(folder, f"{{remote: {{url: '{url}'{tls}}}}}", site=folder / "nowhere")
