"""Five hundred requests while everything that can die does: none that was accepted is left without an answer."""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from itertools import count

import httpx

from tests.cluster.conftest import World
from tests.cluster.test_ray import STEADY, body, replicas, until

REQUESTS, CLIENTS = 500, 8
JOINS_SECONDS = 1.2
"""Then a placer has found the control service and waits for Serve, on a quiet machine; elsewhere this proves less."""


def test_no_request_is_lost_while_parts_of_the_cluster_are_killed(world: World) -> None:
    """A replica, a machine, Serve's controller, the placer, and at last the head with all that Ray knows."""
    headers = {"authorization": f"Bearer {world.appliance.keys['ada']}"}
    happenings: dict[int, Callable[[], object]] = {
        60: lambda: world.machines.kill_process(STEADY),
        140: lambda: world.machines.kill(world.workers.pop()),
        200: lambda: world.workers.append(world.machines.add(cpus=1, worker=1)),
        260: lambda: world.machines.kill_process("ray::ServeController"),
        320: world.kill_placer,
        400: lambda: restart_head(world),
    }
    numbers = count()
    with httpx.Client(base_url=world.appliance.url, headers=headers, timeout=300) as http:
        until(lambda: replicas(http, "steady") == 2)

        def client() -> list[str]:
            endings = []
            while (number := next(numbers)) < REQUESTS:
                happenings.get(number, lambda: None)()
                endings.append(ask(http, number))
            return endings

        with ThreadPoolExecutor(CLIENTS) as pool:
            endings = Counter(
                ending for each in [pool.submit(client) for _ in range(CLIENTS)] for ending in each.result()
            )
        assert sum(endings.values()) == REQUESTS
        assert set(endings) <= {"answered", "refused with a reason", "broken off with a reason"}, endings
        assert endings["answered"] >= REQUESTS - 3 * CLIENTS, endings
        until(lambda: replicas(http, "steady") == 2, 120)
        assert http.post("/v1/chat/completions", json=body("steady")).status_code == 200
        assert len(world.appliance.entries("calls")) >= REQUESTS


def test_a_head_that_dies_while_the_placer_joins_it_does_not_keep_the_next_from_being_joined(world: World) -> None:
    headers = {"authorization": f"Bearer {world.appliance.keys['ada']}"}

    def joining() -> int:
        return world.appliance.log().count("is joining the cluster")

    with httpx.Client(base_url=world.appliance.url, headers=headers, timeout=300) as http:
        until(lambda: replicas(http, "steady") == 2, 120)
        before = joining()
        world.kill_placer()
        until(lambda: joining() > before)
        time.sleep(JOINS_SECONDS)
        restart_head(world)
        until(lambda: replicas(http, "steady") == 2, 100)  # sooner than a silent placer is given up
        assert http.post("/v1/chat/completions", json=body("steady")).status_code == 200


def ask(http: httpx.Client, number: int) -> str:
    """How a request ended; every other one is a stream."""
    question = body("steady", messages=[{"role": "user", "content": f"Write a function `f{number}(x)`."}])
    if number % 2:
        answer = http.post("/v1/chat/completions", json=question)
        if answer.status_code == 200:
            return "answered" if answer.json()["choices"][0]["finish_reason"] else f"half: {answer.text}"
        return ending_of(answer)
    with http.stream("POST", "/v1/chat/completions", json=question | {"stream": True}) as stream:
        if stream.status_code != 200:
            stream.read()
            return ending_of(stream)
        lines = [line for line in stream.iter_lines() if line]
    if lines[-1] == "data: [DONE]":
        return "answered"
    return "broken off with a reason" if '"error"' in lines[-1] else f"broken off: {lines[-1:]}"


def ending_of(answer: httpx.Response) -> str:
    """A refusal is one if it says why, and whether to come back."""
    error = answer.json()["error"]
    honest = answer.status_code == 503 and error["code"] == "engine_unavailable" and error["message"]
    return "refused with a reason" if honest else f"status {answer.status_code}: {answer.text}"


def restart_head(world: World) -> None:
    """The machine with Ray's state dies and another takes its address; its workers are started again, too."""
    world.machines.kill_head()
    world.machines.restart_head()
    for worker in world.workers:
        world.machines.kill(worker)
    world.workers[:] = [world.machines.add(cpus=1, worker=1), world.machines.add(cpus=1, worker=1)]
