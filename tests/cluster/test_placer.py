"""The gateway's side of a placer that behaves badly; a script stands in its place: Ray does so only by chance."""

from __future__ import annotations

import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from inference.catalog import LlamaCppModel
from inference.cluster import cluster as module
from inference.cluster.cluster import Cluster, kept_token
from inference.cluster.messages import Surroundings
from inference.errors import EngineUnavailable
from tests.inference.serving import eventually

AROUND = Surroundings(weights="/w", logs="/l", offline=True, token="secret")
SAY_ONCE = """
import socket, sys, time
gateway = socket.socket(socket.AF_UNIX)
gateway.connect(sys.argv[1])
gateway.sendall(b'{}\\n')
open(sys.argv[2], "a").write("started\\n")
time.sleep(1000)
"""


@pytest.fixture
async def stuck(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Cluster]:
    """A cluster whose placer says once how things are and then nothing any more."""
    (tmp_path / "placer.py").write_text(SAY_ONCE)
    monkeypatch.setattr(module, "SILENCE_SECONDS", 0.5)
    made = Cluster("auto", AROUND, tmp_path)
    command = [sys.executable, str(tmp_path / "placer.py")]
    monkeypatch.setattr(made, "_command", lambda path: [*command, str(path), str(tmp_path / "starts")])
    made.start()
    yield made
    await made.close()


async def test_a_placer_that_falls_silent_is_started_again(stuck: Cluster, tmp_path: Path) -> None:
    engine = stuck.engine(
        LlamaCppModel(engine="llama.cpp", name="m", tier="t", context_tokens=64, source="bundled:pico-coder")
    )

    async def twice() -> bool:
        path = tmp_path / "starts"
        return path.exists() and path.read_text().count("started") >= 2

    await eventually(twice)
    assert not (await engine.health()).ready


async def test_going_down_without_a_cluster_says_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made = Cluster("auto", AROUND, tmp_path)
    monkeypatch.setattr(made, "_command", lambda path: ["false"])
    made.start()
    said: list[str] = []
    with pytest.raises(EngineUnavailable, match="The Ray cluster at auto cannot be reached"):
        await made.emptied(said.append)
    await made.close()
    assert said


def test_the_token_is_kept_and_private(tmp_path: Path) -> None:
    token = kept_token(tmp_path / "token")
    assert len(token) > 30
    assert kept_token(tmp_path / "token") == token
    assert (tmp_path / "token").stat().st_mode & 0o777 == 0o600
    assert "secret" not in repr(AROUND)
