"""The gateway's side of a Ray cluster: which models are placed there, how many replicas each has, and how they are.

It supervises the placer (a process of its own, because only that knows Ray) and hands out one engine per model. While
the placer or Ray's control is away, requests go on to the replicas that were there last.
"""

from __future__ import annotations

import asyncio
import logging
import os
import secrets
import sys
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

from inference.child import Child, keep_running
from inference.cluster.engine import ClusterEngine
from inference.cluster.messages import Placed, Seen, Surroundings, Wanted
from inference.cluster.pool import Pool
from inference.cluster.scaling import Scaling
from inference.errors import EngineUnavailable

TICK_SECONDS = 0.25
FIRST_PAUSE_SECONDS, LONGEST_PAUSE_SECONDS = 0.5, 4.0
"""Short: while no placer is there, no replica comes or goes, and to join takes a second or two of one processor."""
SILENCE_SECONDS = 120.0
"""Longer than Ray takes to deploy on a busy machine; the placer says how things are four times a second otherwise."""
LONGEST_LINE = 16 * 2**20

_log = logging.getLogger(__name__)


class _Model:
    """A placed model: what it is, its replicas, and how many there should be."""

    def __init__(self, spec: Placed) -> None:
        self.spec = spec
        self.pool = Pool(spec.name, spec.concurrency, spec.replicas.cold_start_seconds, time.monotonic)
        self.scaling = Scaling(spec.replicas, spec.concurrency)
        self.engine: ClusterEngine | None = None
        self.known = False

    def note(self, seen: Seen) -> None:
        """Take in what was seen of this model; the first time, what is there counts as needed so far."""
        replicas = [each for each in seen.replicas if each.model == self.spec.name]
        if not self.known:
            self.known = True
            self.scaling.begin(sum(not each.draining for each in replicas), time.monotonic())
        self.pool.problem = seen.problems.get(self.spec.name, "")
        self.pool.update(replicas)


class Cluster:
    """Places models at Ray's `address`. `hidden` names environment variables that no child gets."""

    def __init__(self, address: str, surroundings: Surroundings, log_dir: Path, hidden: Sequence[str] = ()) -> None:
        self._address = address
        self._surroundings = surroundings
        self._log = log_dir / "ray-placer.log"
        self._hidden = hidden
        self._models: dict[str, _Model] = {}
        self._wanted: Wanted | None = None
        self._seen: Seen | None = None
        self._heard: float | None = None
        self._writer: asyncio.StreamWriter | None = None
        self._tasks: list[asyncio.Task[None]] = []
        self.state = "has not been started"

    def start(self) -> None:
        """Begin to supervise the placer, in the running event loop; returns at once."""
        supervise = keep_running(self._run_placer, FIRST_PAUSE_SECONDS, self._tell, LONGEST_PAUSE_SECONDS)
        self._tasks = [asyncio.create_task(supervise, name="ray placer"), asyncio.create_task(self._tick())]

    def engine(self, spec: Placed) -> ClusterEngine:
        """The engine of a model that is placed from now on."""
        model = self._models[spec.name] = _Model(spec)
        model.engine = ClusterEngine(spec, model.pool, self._surroundings.token)
        return model.engine

    def remove(self, name: str) -> None:
        """The model is not to be placed any more; its replicas finish what they are answering."""
        self._models.pop(name, None)

    async def emptied(self, tell: Callable[[str], None]) -> None:
        """Wait until no replica is left; `tell` hears what it still waits for, when that changes.

        Raises `EngineUnavailable` if there is no cluster.
        """
        said = ""
        while self._seen is None or self._seen.replicas or self._wanted is None:
            there = len(self._seen.replicas) if self._seen else 0
            now = f"{there} replicas are leaving" if there else f"the placer {self.state}"
            if self.state.startswith("ended"):
                raise EngineUnavailable(
                    f"The Ray cluster at {self._address} cannot be reached: the placer {self.state}."
                )
            if now != said:
                tell(said := now)
            await asyncio.sleep(TICK_SECONDS)

    async def close(self) -> None:
        """End the placer; replicas stay, unless the cluster was our own."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self.state = "is closed"

    def _tell(self, state: str) -> None:
        """What the placer is doing; as long as it says nothing of them, that is the problem of all models."""
        self.state = state
        _log.info("The placer of the Ray cluster %s.", state)
        for model in self._models.values():
            model.pool.problem = f"the Ray cluster: the placer {state}"

    async def _tick(self) -> None:
        """Decide again and again how many replicas there should be, and refuse who has waited too long."""
        while True:
            await self._say_what_is_wanted()
            for model in self._models.values():
                model.pool.expire()
            await asyncio.sleep(TICK_SECONDS)

    async def _say_what_is_wanted(self) -> None:
        now = time.monotonic()
        for model in self._models.values():
            model.pool.wanted = model.scaling.wanted(model.pool.demand, now)
        counts = {name: model.pool.wanted for name, model in self._models.items()}
        wanted = Wanted(models=tuple(model.spec for model in self._models.values()), counts=counts)
        if self._writer is None or wanted == self._wanted or not all(model.known for model in self._models.values()):
            return
        with suppress(OSError):  # a placer that has just ended; the next one is told
            self._writer.write(wanted.line())
            await self._writer.drain()
            self._wanted = wanted

    # -- the placer -------------------------------------------------------------------------------------------

    async def _run_placer(self) -> str:
        """Run the placer until it ends; how it ended."""
        with tempfile.TemporaryDirectory(prefix="bailey-") as folder:
            path = Path(folder) / "placer"
            server = await asyncio.start_unix_server(self._listen, path, limit=LONGEST_LINE)
            child = await Child.spawn(self._command(path), self._log)
            self._tell("is joining the cluster")
            try:
                return await self._end_of(child)
            finally:
                await child.stop()
                server.close()

    async def _end_of(self, child: Child) -> str:
        """How it ended. Calls of Ray may wait for ever, such as for a controller that is never scheduled."""
        self._heard, started = None, time.monotonic()
        while True:
            with suppress(TimeoutError):
                async with asyncio.timeout(TICK_SECONDS):
                    return f"ended with code {await child.wait()}: {child.tail()}"
            if time.monotonic() - (self._heard or started) > SILENCE_SECONDS:  # joining may hang, too
                return f"ended: it said nothing for {SILENCE_SECONDS:g} seconds and was stopped"

    async def _listen(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(self._surroundings.line())
        self._wanted = self._seen = None
        self._writer = writer
        with suppress(ConnectionError):  # how it ended is what its process says
            async for line in reader:
                if self._heard is None:
                    self._tell("is connected")
                self._heard = time.monotonic()
                await self._note(Seen.model_validate_json(line))
        self._writer = None
        writer.close()

    async def _note(self, seen: Seen) -> None:
        self._seen = seen
        for model in list(self._models.values()):
            model.note(seen)
            if model.engine is not None:
                await model.engine.note(model.pool.replicas)

    def _command(self, path: Path) -> list[str]:
        """Ray must neither report usage nor read the keys of other models."""
        return [
            "env",
            *(argument for name in self._hidden for argument in ("-u", name)),
            *(f"{name}={value}" for name, value in RAY_ENVIRONMENT.items()),
            *(sys.executable, "-m", "inference.cluster.placer", str(path), self._address),
        ]


RAY_ENVIRONMENT: Mapping[str, str] = {
    "RAY_USAGE_STATS_ENABLED": "0",
    "RAY_DEDUP_LOGS": "0",
    "RAY_worker_niceness": "0",  # of a cluster of our own: by default (15) whatever else runs goes before the engine
    "RAY_ACCEL_ENV_VAR_OVERRIDE_ON_ZERO": "0",  # what Ray is to become; today's default warns
}


def kept_token(path: Path) -> str:
    """The token in a file that only we may read, made at the first time: replicas outlive the gateway."""
    if not path.exists():
        with tempfile.NamedTemporaryFile("w", dir=path.parent) as file:  # readable for us alone
            file.write(secrets.token_urlsafe(32))
            file.flush()
            with suppress(FileExistsError):  # another process was first
                os.link(file.name, path)
    return path.read_text()
