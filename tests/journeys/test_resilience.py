"""An upstream that hangs, from the front door: another model answers, it is left alone, and comes back by itself."""

from __future__ import annotations

import signal
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.journeys.appliance import SCRIPTED, Appliance
from tests.journeys.conftest import with_people
from tests.journeys.test_budgets import HELLO, post

OTHER = """
  - name: other
    engine: http
    url: URL/v1
    model: small
    api_key_env: OTHER_KEY
    location: local
    tier: draft
    context_tokens: 4000
    first_token_timeout_seconds: 1
    resilience:
      retries: {most: 1, base_seconds: 0.01, cap_seconds: 0.01}
      breaker: {consecutive_failures: 3, open_seconds: 5}
routes:
  - {name: resilient, models: [other, strong]}"""


@pytest.fixture(scope="module")
def upstream(people: tuple[Path, dict[str, str]], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    running = with_people(tmp_path_factory.mktemp("upstream"), people).start()
    yield running
    running.stop()


@pytest.fixture(scope="module")
def house(
    upstream: Appliance, people: tuple[Path, dict[str, str]], tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Appliance]:
    config = SCRIPTED.replace("\nroutes:", OTHER.replace("URL", upstream.url))
    folder = tmp_path_factory.mktemp("resilience")
    running = with_people(folder, people, config, OTHER_KEY=upstream.keys["ada"]).start()
    yield running
    running.stop()


def ask(house: Appliance, model: str = "resilient") -> tuple[int, Any, Any]:
    return post(house, "ada", "/v1/chat/completions", {"model": model, "messages": HELLO})


def circuit(house: Appliance) -> str:
    """The state of the upstream's circuit, as metrics tell it."""
    with urllib.request.urlopen(f"{house.url}/metrics") as answer:
        lines = answer.read().decode().splitlines()
    told = [
        line for line in lines if line.startswith('bailey_upstream_circuit{model="other"') and line.endswith(" 1.0")
    ]
    return str(told[0].split('state="')[1].split('"')[0])


def test_one_that_hangs_is_left_alone_and_comes_back(house: Appliance, upstream: Appliance) -> None:
    assert ask(house)[1]["model"] == "other"
    assert upstream.process
    upstream.process.send_signal(signal.SIGSTOP)
    try:
        assert ask(house)[1]["model"] == "strong"
        taken_over = house.entries("calls")[-1].data
        assert len(taken_over["retried"]) == 1  # type: ignore[arg-type]
        assert "first token" in str(taken_over["taken_over"])
        assert ask(house)[1]["model"] == "strong"
        assert circuit(house) == "open"
        status, body, headers = ask(house, "other")
        assert (status, "other is not asked: its circuit is open" in body["error"]["message"]) == (503, True)
        assert 1 <= int(headers["retry-after"]) <= 5
        told = house.bailey("route", "explain", "hello", "--model", "resilient", key=house.keys["ada"]).stdout
        assert "not other: its circuit is open for another" in told
    finally:
        upstream.process.send_signal(signal.SIGCONT)
    ends = time.monotonic() + 30
    while ask(house)[1]["model"] != "other":
        assert time.monotonic() < ends, "it never came back"
    assert circuit(house) == "closed"
