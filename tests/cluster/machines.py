"""A Ray cluster of several raylets on this machine, in a process of its own: `python -m tests.cluster.machines PORT`.

Ray's test cluster, driven by lines on stdin; each is answered by one line on stdout. `Machines` is the other end of
that. Ray does not enter the tests' own process: it replaces signal handlers there, and warns.
"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

from inference.child import free_port
from inference.cluster.cluster import RAY_ENVIRONMENT

ROOT = Path(__file__).parents[2]
SMALL = {"object_store_memory": 100 * 2**20}


class Machines:
    """The cluster, from the tests' side. The head has one core."""

    def __init__(self) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.cluster.machines", str(free_port())],
            cwd=ROOT,
            env={**os.environ, **RAY_ENVIRONMENT},  # as docs/ray.md asks: by default replicas starve beside other tests
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            text=True,
        )
        self.address = self._ask("head")

    def add(self, **resources: float) -> str:
        """One more machine with `cpus` (1) and custom resources; its node id."""
        return self._ask(" ".join(["add", *(f"{name}={amount}" for name, amount in resources.items())]))

    def kill(self, node: str) -> None:
        """End all processes of a machine at once."""
        self._ask(f"kill {node}")

    def kill_head(self) -> None:
        """End all processes of the head at once: Ray's control service, Serve's controller, its replicas."""
        self._ask("kill-head")

    def restart_head(self) -> None:
        """Start another head at the same address; it knows nothing of the one before, nor of other machines."""
        assert self._ask("head") == self.address

    def kill_process(self, title: str) -> int:
        """SIGKILL a process of the cluster that has this in its title; how many there were."""
        return kill_below(self._process.pid, title)

    def processes(self, title: str) -> set[int]:
        """The processes of the cluster that have this in their title."""
        return {pid for pid in below(self._process.pid) if title in _title(pid)}

    def close(self) -> None:
        """End all machines."""
        with suppress(BrokenPipeError):
            self._stdin.close()
        self._process.wait(60)
        self._stdout.close()

    @property
    def _stdin(self) -> Any:
        return self._process.stdin

    @property
    def _stdout(self) -> Any:
        return self._process.stdout

    def _ask(self, line: str) -> str:
        self._stdin.write(line + "\n")
        self._stdin.flush()
        answer: str = self._stdout.readline().strip()
        assert answer, f"the cluster did not answer to {line!r}"
        return answer


def kill_below(parent: int, title: str) -> int:
    """SIGKILL one descendant of a process that has this in its title and is no shell; how many there were."""
    found = [pid for pid in below(parent) if title in (said := _title(pid)) and not said.startswith("sh -c")]
    if found:
        os.kill(found[0], signal.SIGKILL)
    return len(found)


def below(pid: int) -> list[int]:
    """All descendants of a process."""
    found: list[int] = []
    with suppress(OSError):
        for thread in Path(f"/proc/{pid}/task").iterdir():
            for child in (thread / "children").read_text().split():
                found += [int(child), *below(int(child))]
    return found


def _title(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode()
    except OSError:
        return ""


def main() -> None:
    """Do what lines say until there are no more."""
    from ray.cluster_utils import Cluster

    cluster = Cluster(initialize_head=False)
    nodes: dict[str, Any] = {}
    for line in sys.stdin:
        verb, *words = line.split()
        match verb:
            case "head":
                cluster.add_node(num_cpus=1, gcs_server_port=int(sys.argv[1]), include_dashboard=False, **SMALL)
                print(cluster.address, flush=True)
            case "add":
                amounts = {name: float(amount) for name, amount in (word.split("=") for word in words)}
                cpus = amounts.pop("cpus", 1.0)
                node = cluster.add_node(num_cpus=cpus, resources=amounts, **SMALL)
                nodes[node.node_id] = node
                print(node.node_id, flush=True)
            case "kill":
                cluster.remove_node(nodes.pop(words[0]), allow_graceful=False)
                print("gone", flush=True)
            case "kill-head":
                cluster.remove_node(cluster.head_node, allow_graceful=False)
                print("gone", flush=True)
    cluster.shutdown()


if __name__ == "__main__":
    main()
