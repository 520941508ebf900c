"""A real appliance in a process of its own, for tests that come in through the front door."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import subprocess
import sys
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TypeVar

from gateway.client import Client
from ledger.protocol import Entry, Verification
from ledger.sql_ledger import SqlLedger, open_ledger

T = TypeVar("T")

ROOT = Path(__file__).parents[2]

SCRIPTED = """
version: 1
tiers: [draft, standard]
models:
  - name: small
    engine: scripted
    tier: draft
    context_tokens: 4000
    price: {input_usd_per_million: 1, output_usd_per_million: 2}
    capabilities: [chat, completion, embeddings]
    replies:
      - {when: "The checks failed", text: "```python\\ndef whisper(text):\\n    return text.strip()\\n```"}
      - {when: whisper, text: "```python\\ndef whisper(text):\\n    return text\\n```"}
      - {text: "Hello from the small model."}
  - name: strong
    engine: scripted
    tier: standard
    context_tokens: 4000
    price: {input_usd_per_million: 10, output_usd_per_million: 20}
    replies:
      - {text: "```python\\ndef whisper(text):\\n    return text.lower()\\n```"}
  - name: slow
    engine: scripted
    tier: draft
    context_tokens: 4000
    price: {input_usd_per_million: 1, output_usd_per_million: 2}
    delay_seconds: 0.2
    replies:
      - {text: "one two three four five six seven eight nine ten eleven twelve thirteen fourteen fifteen"}
routes:
  - {name: auto, models: [small, strong]}
tenants:
  - {name: default, data_class: internal, budget: {limit_usd: 1}, repositories: ["/**"]}
retrieval: {embedder: small, context_tokens: 300}
"""


@dataclass
class Appliance:
    """Starts, stops and kills `bailey serve` (or another `command`) on one data folder.

    `keys` are made with `bailey keys create`.
    """

    folder: Path
    config: str = SCRIPTED
    keys: dict[str, str] = field(default_factory=dict)
    variables: dict[str, str] = field(default_factory=dict)
    command: Sequence[str] = ("serve",)
    within: tuple[str, ...] = ()
    """What stands before every command, such as one that enters a namespace."""
    process: subprocess.Popen[str] | None = None
    url: str = ""
    announced: list[str] = field(default_factory=list)
    clients: list[Client] = field(default_factory=list)

    @property
    def environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self.folder),
            "BAILEY_CONFIG": str(self.folder / "models.yaml"),
            "BAILEY_DATA": str(self.folder / "data"),
            "BAILEY_SANDBOX_SITE": str(ROOT / ".sandbox-site"),
            "BAILEY_URL": self.url or "http://127.0.0.1:9",
            **self.variables,
        }

    def bailey(self, *arguments: str, key: str | None = None) -> subprocess.CompletedProcess[str]:
        """Run the command line, as a person would."""
        environment = {**self.environment, **({"BAILEY_API_KEY": key} if key else {})}
        command = [*self.within, sys.executable, "-m", "gateway.cli", *arguments]
        return subprocess.run(command, env=environment, cwd=ROOT, capture_output=True, text=True, timeout=120)

    def start(self) -> Appliance:
        (self.folder / "models.yaml").write_text(self.config)
        command = [*self.within, sys.executable, "-m", "gateway.cli", *self.command, "--port", "0"]
        with (self.folder / "appliance.log").open("a") as log:
            self.process = subprocess.Popen(
                command, env=self.environment, cwd=ROOT, stdout=subprocess.PIPE, stderr=log, text=True
            )
        self.announced = []
        while not self.url or not self.announced:
            line = self.process.stdout.readline() if self.process.stdout else ""
            assert line, f"the appliance did not start:\n{self.log()}"
            self.announced.append(line.strip())
            if found := re.search(r"http://\S+:\d+", line):
                self.url = found[0]
        return self

    def log(self) -> str:
        return (self.folder / "appliance.log").read_text()

    def kill(self) -> None:
        """As a power cut would: nothing is told, nothing is flushed."""
        assert self.process
        self.process.send_signal(signal.SIGKILL)
        self._gone()

    def stop(self) -> None:
        """As an operator would."""
        if self.process and self.process.poll() is None:
            self.process.send_signal(signal.SIGTERM)
        self._gone()

    def _gone(self) -> None:
        while self.clients:
            self.clients.pop().close()
        if self.process:
            self.process.wait(30)
            if self.process.stdout:
                self.process.stdout.close()
        self.process, self.url = None, ""

    def key(self, actor: str, role: str = "developer", *options: str) -> str:
        made = self.bailey("keys", "create", actor, "--role", role, *options)
        assert made.returncode == 0, made.stderr
        return made.stdout.strip()

    def client(self, actor: str) -> Client:
        self.clients.append(Client(self.url, self.keys[actor]))
        return self.clients[-1]

    def entries(self, stream: str, key: str | None = None) -> list[Entry]:
        """Entries of the ledger, read beside the running appliance."""
        found = self._ledger(lambda ledger: ledger.read(stream=stream))
        return [entry for entry in found if key is None or entry.key == key]

    def calls_of(self, task_id: str) -> list[Entry]:
        """The model calls of a task."""
        return [entry for entry in self.entries("calls") if str(entry.key).startswith(f"call/{task_id}.")]

    def verification(self) -> Verification:
        return self._ledger(lambda ledger: ledger.verify())

    def _ledger(self, ask: Callable[[SqlLedger], Awaitable[T]]) -> T:
        async def work() -> T:
            ledger = await open_ledger(f"sqlite:///{self.folder}/data/ledger.db")
            try:
                return await ask(ledger)
            finally:
                await ledger.close()

        return asyncio.run(work())
