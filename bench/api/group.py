"""What the HTTP surface costs over the engine: a request on an open connection, and a piece of a stream."""

from __future__ import annotations

import asyncio
import http.client
import json
import statistics
import sys
import time
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any

from bench.api.server import MODEL, PIECES
from bench.report import ROOT, Row, keep, put_into
from inference.protocol import ChatRequest, Message
from inference.scripted import ScriptedEngine

_RUNS, _REQUESTS, _STREAMS = 5, 300, 10
_MOST_MS, _MOST_US = 1.0, 30.0
_SAID = [{"role": "user", "content": "say it"}]
_LONG = [{"role": "user", "content": "say it long"}]


@dataclass(frozen=True, slots=True)
class Format:
    """One way to ask: the path and the body of a short answer, and what makes it a long stream."""

    path: str
    short: dict[str, Any]
    long: dict[str, Any]


FORMATS = {
    "chat completions": Format("/v1/chat/completions", {"messages": _SAID}, {"messages": _LONG}),
    "completions": Format(
        "/v1/completions", {"prompt": "say it", "max_tokens": 2000}, {"prompt": "say it long", "max_tokens": 2000}
    ),
    "responses": Format("/v1/responses", {"input": "say it", "store": False}, {"input": "say it long", "store": False}),
    "messages": Format(
        "/v1/messages", {"messages": _SAID, "max_tokens": 2000}, {"messages": _LONG, "max_tokens": 2000}
    ),
    "bare FastAPI": Format("/bare", {"messages": _SAID}, {"messages": _LONG}),
}


async def measure() -> list[Row]:
    """Every format beside a bare FastAPI route; the engine's own time is taken off ours."""
    async with _server() as port:
        figures = await asyncio.to_thread(_measure, port)
    bare_ms, bare_us = figures.pop("bare FastAPI")
    engine_ms, engine_us = await _engine()
    rows = []
    for name, (milliseconds, microseconds) in figures.items():
        request, piece = round(milliseconds - engine_ms, 3), round(microseconds - engine_us, 1)
        rows += [
            Row(
                f"{name}: ms a request over the engine, p50, beside a bare FastAPI route",
                *(request, round(bare_ms, 3), f"under {_MOST_MS:g} ms", request < _MOST_MS, _RUNS),
            ),
            Row(
                f"{name}: microseconds a streamed piece over the engine, beside a bare FastAPI stream",
                *(piece, round(bare_us, 1), f"under {_MOST_US:g} microseconds", piece < _MOST_US, _RUNS),
            ),
        ]
    put_into(ROOT / "bench" / "README.md", "bench api", _table(rows))
    keep("api", rows, {"engine: ms an answer, microseconds a piece": (round(engine_ms, 3), round(engine_us, 1))})
    return rows


def _table(rows: list[Row]) -> list[str]:
    """One line for each format, for bench/README.md."""
    lines = ["| format | ms a request | bare FastAPI | microseconds a piece | bare FastAPI |", "|---" * 5 + "|"]
    for request, piece in zip(rows[::2], rows[1::2], strict=True):
        name = request.what.partition(":")[0]
        lines.append(f"| {name} | {request.ours:g} | {request.peer:g} | {piece.ours:g} | {piece.peer:g} |")
    return lines


@asynccontextmanager
async def _server() -> AsyncGenerator[int, None]:
    """The port of a server in a process of its own."""
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "bench.api.server", stdout=asyncio.subprocess.PIPE
    )
    try:
        assert process.stdout is not None
        yield int(await process.stdout.readline())
    finally:
        process.kill()
        await process.wait()


def _measure(port: int) -> dict[str, tuple[float, float]]:
    """Medians over the runs, by format: milliseconds a request, microseconds a piece. The formats take turns."""
    seen: dict[str, list[tuple[float, float]]] = {name: [] for name in FORMATS}
    connection = http.client.HTTPConnection("127.0.0.1", port)
    for _ in range(_RUNS):
        for name, format_ in FORMATS.items():
            requests = _median_time(connection, format_.path, format_.short, _REQUESTS)
            streams = _median_time(connection, format_.path, {**format_.long, "stream": True}, _STREAMS)
            seen[name].append((1e3 * requests, 1e6 * streams / PIECES))
    connection.close()
    return {name: _medians(figures) for name, figures in seen.items()}


def _median_time(connection: http.client.HTTPConnection, path: str, fields: dict[str, Any], count: int) -> float:
    """The median duration of so many requests, in seconds."""
    durations = []
    for _ in range(count):
        started = time.perf_counter()
        _ask(connection, path, fields)
        durations.append(time.perf_counter() - started)
    return statistics.median(durations)


def _ask(connection: http.client.HTTPConnection, path: str, fields: dict[str, Any]) -> None:
    body = json.dumps({"model": "m", **fields})
    connection.request("POST", path, body, {"content-type": "application/json"})
    answer = connection.getresponse()
    content = answer.read()
    assert answer.status == 200, content


async def _engine() -> tuple[float, float]:
    """The same without HTTP: milliseconds an answer, microseconds a piece."""
    engine, figures = ScriptedEngine(MODEL), []
    for _ in range(_RUNS):
        short = [await _answer(engine, "say it") for _ in range(_REQUESTS)]
        long = [await _answer(engine, "say it long") for _ in range(_STREAMS)]
        figures.append((1e3 * statistics.median(short), 1e6 * statistics.median(long) / PIECES))
    return _medians(figures)


async def _answer(engine: ScriptedEngine, text: str) -> float:
    started = time.perf_counter()
    async for _ in engine.stream(ChatRequest("m", (Message("user", text),))):
        pass
    return time.perf_counter() - started


def _medians(figures: list[tuple[float, float]]) -> tuple[float, float]:
    return statistics.median(first for first, _ in figures), statistics.median(second for _, second in figures)
