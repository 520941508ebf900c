"""One real vLLM for the contract of engines and for adapters; an appliance with another for the cases of the API."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
import pytest_asyncio

from tests.api.peers import Peer
from tests.contracts.engines import Subject
from tests.journeys.appliance import Appliance
from tests.vllm.differences import DIFFERENCES
from tests.vllm.server import MODEL, appliance_with_vllm, real_vllm

HERE = Path(__file__).parent


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Expect the differences to fail, and nothing else."""
    for item in items:
        if item.path.parent == HERE and (why := DIFFERENCES.get(f"{item.path.name}::{item.name}")):
            item.add_marker(pytest.mark.xfail(reason=why, strict=True))


@pytest_asyncio.fixture(loop_scope="session", scope="session")
async def subject(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Subject]:
    """The engine with a real vLLM as its child."""
    async with real_vllm(tmp_path_factory.mktemp("vllm")) as subject:
        yield subject


@pytest.fixture(scope="session")
def appliance(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Appliance]:
    """An appliance that runs its model on a real vLLM."""
    with appliance_with_vllm(tmp_path_factory.mktemp("api")) as running:
        yield running


@pytest.fixture(scope="session")
def text(appliance: Appliance) -> Iterator[Peer]:
    """Its model, which writes text."""
    peer = Peer(appliance.url, appliance.keys["ada"], MODEL)
    yield peer
    peer.close()


@pytest.fixture(scope="session")
def tools(text: Peer) -> Peer:
    """The same model; it has a chat template for tools."""
    return text
