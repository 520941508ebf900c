"""A vLLM server that is spread over several machines: the replica has its first part, Ray actors hold the others.

All parts live and die together: when one ends, `ended` says so, and the replica is to be replaced as a whole. The
actors belong to the replica, so they end with it, however that comes about.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from inference.catalog import VllmModel
from inference.child import Child, free_port
from inference.cluster.options import actor_options
from inference.vllm import follower
from inference.vllm.arguments import environment, server_arguments


class Span:
    """The other parts of one server, whose first part is on the machine with this address."""

    def __init__(self, model: VllmModel, address: str) -> None:
        self._model = model
        self._port = free_port()
        self._address = address
        self._actors: list[Any] = []
        self._watching: list[asyncio.Future[None]] = []
        self.ended = ""

    @property
    def first(self) -> VllmModel:
        """The model as the replica's own engine is to start it."""
        return self._part(0)

    def start(self, weights: Path, logs: Path) -> None:
        """Start the other parts, each in its own bundle of the replica's placement group."""
        import ray
        from ray.util.scheduling_strategies import PlacementGroupSchedulingStrategy

        group = ray.util.get_current_placement_group()
        for rank in range(1, self._model.placement.machines):
            there = PlacementGroupSchedulingStrategy(group, placement_group_bundle_index=rank)
            options = actor_options(self._model) | {"scheduling_strategy": there, "max_restarts": 0}
            actor = ray.remote(Follower).options(**options).remote()
            log = logs / f"vllm-{rank}.log"
            running = actor.run.remote(follower_command(self._part(rank), weights), str(log))
            self._actors.append(actor)
            self._watching.append(asyncio.ensure_future(self._watch(rank, running)))

    def close(self) -> None:
        """End the other parts."""
        import ray

        for watching in self._watching:
            watching.cancel()
        for actor in self._actors:
            with suppress(RuntimeError):
                ray.kill(actor)

    def _part(self, rank: int) -> VllmModel:
        words = ("--nnodes", str(self._model.placement.machines), "--node-rank", str(rank))
        master = ("--master-addr", self._address, "--master-port", str(self._port))
        return self._model.model_copy(update={"arguments": (*self._model.arguments, *words, *master)})

    async def _watch(self, rank: int, running: Any) -> None:
        from ray.exceptions import RayError

        try:
            ending = await running
        except RayError as error:
            ending = f"is gone ({type(error).__name__})"
        self.ended = f"Part {rank} of the server {ending}."


class Follower:
    """A Ray actor that runs one part of a server."""

    async def run(self, command: Sequence[str], log: str) -> str:
        """Until it ends; how it ended."""
        child = await Child.spawn(command, Path(log))
        try:
            return f"ended with code {await child.wait()}: {child.tail()}"
        finally:
            await child.stop()


def follower_command(model: VllmModel, weights: Path) -> list[str]:
    """The command of a part that is not the first; it listens nowhere but for the other parts."""
    nowhere = "unused"
    words = [word for argument in server_arguments(model, str(weights), nowhere) for word in argument.words]
    variables = {name: value for name, value in environment(model, nowhere).items() if value != nowhere}
    given = [f"{name}={value}" for name, value in variables.items()]
    return ["env", *given, model.python, str(Path(follower.__file__).resolve()), *words]
