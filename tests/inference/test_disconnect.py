"""Streams over a real socket: chunks go out as they come, and a client that leaves ends the work."""

from __future__ import annotations

import asyncio

import pytest

from inference.protocol import Chunk
from tests.inference.played import http_of

CHAT = {"model": "played", "messages": [{"role": "user", "content": "hi"}]}


@pytest.mark.parametrize("stream", [False, True])
async def test_a_client_that_leaves_before_the_first_chunk_ends_the_work(stream: bool) -> None:
    async with http_of(asyncio.Event()) as (client, engine):
        asking = asyncio.create_task(client.post("/v1/chat/completions", json={**CHAT, "stream": stream}))
        await engine.waiting.wait()
        asking.cancel()
        async with asyncio.timeout(5):
            await engine.ended.wait()


async def test_a_client_that_leaves_in_the_middle_of_a_stream_ends_the_work() -> None:
    async with http_of(Chunk("Hel"), asyncio.Event()) as (client, engine):
        async with client.stream("POST", "/v1/chat/completions", json={**CHAT, "stream": True}) as answer:
            await anext(answer.aiter_lines())
            assert not engine.ended.is_set()
        async with asyncio.timeout(5):
            await engine.ended.wait()


async def test_a_client_that_leaves_ends_embedding() -> None:
    async with http_of(asyncio.Event()) as (client, engine):
        asking = asyncio.create_task(client.post("/v1/embeddings", json={"model": "played", "input": "a"}))
        await engine.waiting.wait()
        asking.cancel()
        async with asyncio.timeout(5):
            await engine.ended.wait()


async def test_chunks_are_sent_as_they_come() -> None:
    gate = asyncio.Event()
    async with (
        http_of(Chunk("Hel"), gate, Chunk(finish_reason="stop")) as (client, _),
        client.stream("POST", "/v1/chat/completions", json={**CHAT, "stream": True}) as answer,
    ):
        lines = answer.aiter_lines()
        assert "Hel" in await anext(lines)
        gate.set()
        assert [line async for line in lines][-2:] == ["data: [DONE]", ""]
