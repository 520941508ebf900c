"""The lines of a batch as the engine gets them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from gateway.batch import Batch
from inference.protocol import Caller, Chunk, Embeddings, EmbedRequest, Priority, Usage
from tests.inference.played import PlayedEngine


class Watched(PlayedEngine):
    """Remembers the priority of every call."""

    def __init__(self) -> None:
        super().__init__(Chunk("a", finish_reason="stop", model="played"), Chunk(model="played", usage=Usage(1, 1)))
        self.embeddings: list[Priority] = []

    async def embed(self, request: EmbedRequest) -> Embeddings:
        """Played vectors."""
        self.embeddings.append(request.priority)
        return await super().embed(request)


BODIES: dict[str, dict[str, Any]] = {
    "/v1/chat/completions": {"messages": [{"role": "user", "content": "hi"}]},
    "/v1/completions": {"prompt": "hi"},
    "/v1/embeddings": {"input": "hi"},
}


@pytest.mark.parametrize("tier", [{}, {"service_tier": "priority"}])
async def test_no_line_goes_before_what_somebody_waits_for(tmp_path: Path, tier: dict[str, str]) -> None:
    lines = [
        {"custom_id": url, "url": url, "body": {"model": "played", **body, **tier}} for url, body in BODIES.items()
    ]
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text("".join(json.dumps(line) + "\n" for line in lines))
    engine = Watched()
    report = await Batch(engine, Caller(), 1).run(source, target, lambda _: None)
    assert (report.succeeded, report.failed) == (3, 0)
    assert [request.priority for request in engine.requests] + engine.embeddings == ["batch"] * 3
    answers = [json.loads(line) for line in target.read_text().splitlines()]
    assert [answer["response"]["body"]["service_tier"] for answer in answers] == ["flex"] * 3


async def test_a_wrong_tier_fails_its_line(tmp_path: Path) -> None:
    line = {"custom_id": "a", "url": "/v1/embeddings", "body": {"model": "m", "input": "a", "service_tier": "cheap"}}
    source, target = tmp_path / "in.jsonl", tmp_path / "out.jsonl"
    source.write_text(json.dumps(line))
    report = await Batch(Watched(), Caller(), 1).run(source, target, lambda _: None)
    assert report.failed == 1
    assert "service_tier" in target.read_text()
