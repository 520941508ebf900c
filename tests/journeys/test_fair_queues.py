"""A tenant that floods a model, from the front door: the others are answered in their turn, and it is told to wait."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.appliance import SCRIPTED, Appliance
from tests.journeys.conftest import with_people
from tests.journeys.test_budgets import HELLO, post

WAITING = 6
BUSY = """
  - name: busy
    engine: scripted
    tier: draft
    context_tokens: 4000
    concurrency: 1
    queue: 6
    delay_seconds: 0.02
    replies:
      - {text: "one two three four"}
routes:"""
TENANTS = """
  - {name: quiet, data_class: internal, budget: {limit_usd: 1}, weight: 2}
retrieval:"""
FLOODED = 'bailey_requests_waiting{queue="busy",tenant="default"}'


@pytest.fixture(scope="module")
def house(people: tuple[Path, dict[str, str]], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    """An appliance with a model that answers one request at a time, and a tenant beside ada's."""
    config = SCRIPTED.replace("\nroutes:", BUSY).replace("\nretrieval:", TENANTS)
    running = with_people(tmp_path_factory.mktemp("fair"), people, config).start()
    running.keys["quinn"] = running.key("quinn", "developer", "--tenant", "quiet")
    yield running
    running.stop()


def metrics(house: Appliance) -> dict[str, float]:
    with urllib.request.urlopen(f"{house.url}/metrics") as answer:
        lines = [line for line in answer.read().decode().splitlines() if not line.startswith("#")]
    return {name: float(value) for name, _, value in (line.rpartition(" ") for line in lines)}


class Flood:
    """Asks for a tenant in several threads; each asks again once it is answered, until it is refused or all is over."""

    def __init__(self, house: Appliance, who: str) -> None:
        self._house, self._who = house, who
        self.over = False
        self.refusals: list[tuple[str, str]] = []

    def __call__(self) -> None:
        while not self.over:
            status, body, headers = ask(self._house, self._who)
            if status != 200:
                assert status == 503, body
                self.refusals.append((body["error"]["message"], headers["retry-after"]))
                return


def ask(house: Appliance, who: str) -> tuple[int, Any, Any]:
    return post(house, who, "/v1/chat/completions", {"model": "busy", "messages": HELLO})


def test_one_request_among_a_flood_is_answered_in_its_turn(house: Appliance) -> None:
    flood, ends = Flood(house, "ada"), time.monotonic() + 30
    with ThreadPoolExecutor(2 * WAITING) as threads:
        asking: list[Future[None]] = [threads.submit(flood) for _ in range(2 * WAITING)]
        try:
            while metrics(house).get(FLOODED, 0) < WAITING:
                assert time.monotonic() < ends, "the queue never got full"
            status, body, _ = ask(house, "quinn")
        finally:
            flood.over = True
        for thread in asking:
            thread.result()
    assert status == 200, body
    calls = [entry for entry in house.entries("calls") if entry.type == "call.finished"]
    (own,) = (number for number, entry in enumerate(calls) if entry.tenant == "quiet")
    took = float(str(calls[own].data["total_seconds"]))
    assert sum(calls[own].time.timestamp() - entry.time.timestamp() < took for entry in calls[:own]) <= 3
    assert len(calls) - own > WAITING - 3  # the others came after it
    waited = calls[own].data["waited_seconds"]
    assert isinstance(waited, float)
    assert 0 < waited < took
    assert flood.refusals
    for message, retry_after in flood.refusals:
        assert "busy" in message
        assert int(retry_after) >= 1
    told = metrics(house)
    assert told['bailey_requests_turned_away_total{queue="busy",tenant="default"}'] == len(flood.refusals)
    assert told['bailey_slots{queue="busy",state="waiting"}'] == 0
    assert not any(name.startswith("bailey_requests_waiting{") for name in told)
