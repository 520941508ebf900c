"""The appliance on a Ray cluster, from the front door, while parts of the cluster are killed."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import httpx
import pytest

from tests.cluster.conftest import World
from tests.vllm.adapters import write_adapter

STEADY, TUNED = "ray::ServeReplica:bailey-steady", "ray::ServeReplica:bailey-tuned"
QUESTION = "Write a function `lower(text)` that returns text in lower case."


@pytest.fixture
def http(world: World) -> Any:
    headers = {"authorization": f"Bearer {world.appliance.keys['ada']}"}
    with httpx.Client(base_url=world.appliance.url, headers=headers, timeout=90) as client:
        yield client


def body(model: str, **more: Any) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": QUESTION}], "max_tokens": 40, **more}


def until(fact: Callable[[], bool], within_seconds: float = 60) -> None:
    ends = time.monotonic() + within_seconds
    while not fact():
        assert time.monotonic() < ends, "it did not come true in time"
        time.sleep(0.1)


def replicas(http: httpx.Client, model: str, state: str = "ready") -> int:
    """How many replicas a model has in a state."""
    name = f'bailey_replicas{{model="{model}",state="{state}"}} '
    lines = [line for line in http.get("/metrics").text.splitlines() if line.startswith(name)]
    return int(float(lines[0].removeprefix(name)))


def test_a_placed_model_answers(http: httpx.Client) -> None:
    answer = http.post("/v1/chat/completions", json=body("steady"))
    assert answer.status_code == 200, answer.text
    assert "def " in answer.json()["choices"][0]["message"]["content"]
    until(lambda: replicas(http, "steady") == 2)


def test_a_replica_that_is_killed_in_an_answer_is_replaced(world: World, http: httpx.Client) -> None:
    """The answer ends with an honest error, the next request is served, and the lost replica comes back."""
    until(lambda: replicas(http, "steady") == 2)
    events: list[str] = []
    with http.stream("POST", "/v1/completions", json=long_answer("steady", stream=True, n=4)) as answer:
        for line in filter(None, answer.iter_lines()):
            events.append(line.removeprefix("data: "))
            if len(events) in (3, 60):  # whichever of the two is answering: the first, or else the second
                assert world.machines.kill_process(STEADY)
    assert events[-1].startswith("{"), events[-3:]
    error = json.loads(events[-1])["error"]
    assert (error["code"], "broke off" in error["message"]) == ("engine_unavailable", True)
    assert http.post("/v1/chat/completions", json=body("steady")).status_code == 200
    until(lambda: replicas(http, "steady") == 2)


def test_a_model_comes_up_when_asked_grows_under_load_and_goes_away_again(http: httpx.Client) -> None:
    """0 -> 1 -> 2 -> 0, and whoever asked first is answered although nothing ran."""
    assert replicas(http, "elastic") == 0
    assert http.post("/v1/chat/completions", json=body("elastic")).status_code == 200
    assert replicas(http, "elastic") == 1
    with ThreadPoolExecutor(6) as pool:
        busy = [pool.submit(ask_until, http, "elastic", lambda: replicas(http, "elastic") == 2) for _ in range(6)]
        assert [problem for each in busy for problem in each.result()] == []
    until(lambda: replicas(http, "elastic") == 0)


def test_adapters_are_told_to_the_replica_that_is_there_and_to_the_one_after_it(
    world: World, http: httpx.Client
) -> None:
    """Loading one replaces no replica; the next replica, which starts without any, is told when it is ready."""
    grace = world.appliance.client("grace")
    source = f"path:{write_adapter(world.appliance.folder / 'sql', 1)}"
    until(lambda: replicas(http, "tuned") == 1)
    before = world.machines.processes(TUNED)
    grace.post("/v1/models/tuned/load-adapter", {"adapter": "sql", "source": source})
    assert world.machines.processes(TUNED) == before
    assert "tuned:sql" in http.get("/v1/models").text
    assert world.machines.kill_process(TUNED)
    answer = http.post("/v1/chat/completions", json=body("tuned:sql"))
    assert answer.status_code == 200, answer.text
    assert answer.json()["choices"][0]["message"]["content"] == "This is tuned:sql of sql."
    assert answer.json()["model"] == "tuned:sql"
    assert not before & world.machines.processes(TUNED)
    grace.post("/v1/models/tuned/unload-adapter", {"adapter": "sql"})
    assert http.post("/v1/chat/completions", json=body("tuned:sql")).status_code == 404


def test_a_model_that_fits_nowhere_says_so_in_time(http: httpx.Client) -> None:
    answer = http.post("/v1/chat/completions", json=body("nowhere"))
    assert answer.status_code == 503
    assert int(answer.headers["retry-after"]) >= 1
    assert "No replica of 'nowhere' became ready within" in answer.json()["error"]["message"]


def test_requests_go_to_the_processors_until_the_graphics_processor_is_there(world: World, http: httpx.Client) -> None:
    """`cpu_fallback`: marked in the route, and over when the model has a replica again."""
    answer = http.post("/v1/chat/completions", json=body("on-gpu"))
    assert answer.status_code == 200, answer.text
    assert answer.json()["model"] == "steady"
    assert 'reason="cpu_fallback of on-gpu"' in answer.headers["x-bailey-route"]
    recorded = world.appliance.entries("calls")[-1].data
    assert (recorded["model"], recorded["cpu_fallback_of"]) == ("steady", "on-gpu")
    gpu_machine = world.machines.add(cpus=1, gpu_machine=1)
    until(lambda: replicas(http, "on-gpu") == 1)
    assert http.post("/v1/chat/completions", json=body("on-gpu")).json()["model"] == "on-gpu"
    world.machines.kill(gpu_machine)
    until(lambda: replicas(http, "on-gpu") == 0)
    assert http.post("/v1/chat/completions", json=body("on-gpu")).json()["model"] == "steady"


def test_a_changed_model_is_replaced_while_the_old_one_still_answers(world: World, http: httpx.Client) -> None:
    """The appliance is started again with other settings: no request is refused, and old answers are finished."""
    until(lambda: replicas(http, "steady") == 2)
    before = world.appliance.config
    old = world.machines.processes(STEADY)
    world.appliance.stop()
    world.appliance.config = before.replace("concurrency: 4", "concurrency: 5", 1)
    world.appliance.start()
    headers = {"authorization": f"Bearer {world.appliance.keys['ada']}"}
    with httpx.Client(base_url=world.appliance.url, headers=headers, timeout=90) as again:
        with ThreadPoolExecutor(2) as pool:
            over = lambda: not old & world.machines.processes(STEADY)  # noqa: E731
            busy = [pool.submit(ask_until, again, "steady", over) for _ in range(2)]
            assert [problem for each in busy for problem in each.result()] == []
        assert not old & world.machines.processes(STEADY)
        until(lambda: replicas(again, "steady") == 2)


def test_models_stay_when_the_appliance_ends_and_bailey_down_removes_them(world: World) -> None:
    """What is on the cluster belongs to nobody's process; while an appliance runs it cannot be taken away."""
    address = world.machines.address
    refused = world.appliance.bailey("down", "--ray-address", address)
    assert (refused.returncode, "Another appliance runs" in refused.stderr) == (1, True)
    world.appliance.stop()
    assert len(world.machines.processes(STEADY)) == 2
    gone = world.appliance.bailey("down", "--ray-address", address)
    assert gone.returncode == 0, gone.stderr
    assert "replicas are leaving" in gone.stdout
    until(lambda: not world.machines.processes(STEADY))  # Ray forgets a replica a moment before its process has ended
    world.appliance.start()


def long_answer(model: str, **more: Any) -> dict[str, Any]:
    """A request whose answer takes some seconds: end of sequence is made impossible."""
    return {"model": model, "prompt": "def f(x):\n", "max_tokens": 900, "logit_bias": {"2": -100, "0": -100}, **more}


def ask_until(http: httpx.Client, model: str, fact: Callable[[], bool]) -> list[str]:
    """What is wrong with answers until something is true."""
    ends, problems = time.monotonic() + 60, []
    while not fact() and time.monotonic() < ends:
        answer = http.post("/v1/completions", json=long_answer(model, max_tokens=200))
        problems += [answer.text] if answer.status_code != 200 else []
    return problems
