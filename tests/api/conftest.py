"""The server that all cases ask: an appliance of its own, or with `--peer URL` another server that is running."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.api.peers import CONFIG, QUICK, SLOW, TEXT, TOOLS, Peer
from tests.inference.tiny_model import write_tiny_model
from tests.inference.tool_models import SHAPES
from tests.journeys.appliance import Appliance


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--peer-text", help="base URL of another server with pico-coder, to run the same cases on")
    parser.addoption("--peer-tools", help="base URL of another server with a model that calls tools")


@pytest.fixture(scope="session")
def appliance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    """Our appliance, with a key for ada, and one for eve, who has no money."""
    folder = tmp_path_factory.mktemp("api")
    weights = write_tiny_model(folder / "tiny.gguf", SHAPES["hermes"])
    reply = " ".join(f"word{number}" for number in range(100))
    running = Appliance(folder, config=CONFIG.format(weights=weights, reply=reply))
    (folder / "models.yaml").write_text(running.config)
    running.keys["ada"] = running.key("ada")
    running.keys["eve"] = running.key("eve", "developer", "--tenant", "poor")
    yield running.start()
    running.stop()


def _peer(request: pytest.FixtureRequest, option: str, model: str) -> Iterator[Peer]:
    if url := request.config.getoption(option, default=None):
        peer = Peer(url, "none", model)
    else:
        appliance = request.getfixturevalue("appliance")
        peer = Peer(appliance.url, appliance.keys["ada"], model)
    yield peer
    peer.close()


@pytest.fixture(scope="session")
def text(request: pytest.FixtureRequest) -> Iterator[Peer]:
    """A model that writes text."""
    yield from _peer(request, "--peer-text", TEXT)


@pytest.fixture(scope="session")
def tools(request: pytest.FixtureRequest) -> Iterator[Peer]:
    """A model that calls tools."""
    yield from _peer(request, "--peer-tools", TOOLS)


@pytest.fixture(scope="session")
def poor(appliance: Appliance) -> Iterator[Peer]:
    """A model of ours that costs something, and a key that cannot pay for it."""
    peer = Peer(appliance.url, appliance.keys["eve"], QUICK)
    yield peer
    peer.close()


@pytest.fixture(scope="session")
def slow(appliance: Appliance) -> Iterator[Peer]:
    """A model of ours that takes ten seconds for an answer, one at a time."""
    peer = Peer(appliance.url, appliance.keys["ada"], SLOW)
    yield peer
    peer.close()
