"""An engine in a process of its own: what happens when the process dies, and that nothing is left of it."""

from __future__ import annotations

import asyncio
import os
import re
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from inference.collect import complete
from inference.errors import ContextLengthExceeded, EngineError, EngineUnavailable, WeightsError
from inference.isolated.engine import IsolatedEngine
from inference.isolated.messages import (
    Ask,
    AskEmbeddings,
    AskHealth,
    Connection,
    Done,
    Embedded,
    Failed,
    HealthIs,
    Leave,
    Load,
    Loaded,
    Message,
    Piece,
)
from inference.protocol import (
    ChatRequest,
    Chunk,
    Embeddings,
    EmbedRequest,
    Health,
    ResponseFormat,
    Sampling,
    TokenLogprob,
    Tool,
    Usage,
)
from inference.protocol import (
    Message as Said,
)
from tests.inference.llama_engines import prompt, spec
from tests.inference.serving import eventually


@asynccontextmanager
async def isolated(weights: Path, folder: Path) -> AsyncIterator[IsolatedEngine]:
    engine = IsolatedEngine(spec(), weights, folder, hidden=("SECRET_KEY",), first_pause_seconds=0.05)
    await engine.start()
    try:
        yield engine
    finally:
        await engine.close()


def hosts() -> list[int]:
    """The pids of all processes that host an engine for this one."""
    found = []
    for entry in Path("/proc").iterdir():
        try:
            words = (entry / "cmdline").read_bytes().split(b"\0") if entry.name.isdigit() else []
            if (
                words[:1] == [os.fsencode(sys.executable)]
                and b"inference.isolated.host" in words
                and (ancestor(int(entry.name)) == os.getpid())
            ):
                found.append(int(entry.name))
        except (FileNotFoundError, ProcessLookupError):
            continue
    return found


def ancestor(pid: int) -> int:
    """The parent of its parent, which is a shell; 0 if there is none."""
    for _ in range(2):
        pid = int(Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[1])
    return pid


async def test_a_crash_fails_what_is_being_answered_and_the_process_comes_back(tiny_gguf: Path, tmp_path: Path) -> None:
    async with isolated(tiny_gguf, tmp_path) as engine:
        expected = await complete(engine, prompt())
        (host,) = hosts()
        os.kill(host, signal.SIGSTOP)  # or it might answer first
        asked = asyncio.create_task(complete(engine, prompt()))
        while not engine._waiting:
            await asyncio.sleep(0)
        os.kill(host, signal.SIGSEGV)
        os.kill(host, signal.SIGCONT)
        with pytest.raises(EngineUnavailable, match="ended while it answered") as caught:
            await asked
        assert caught.value.retryable and caught.value.retry_after_seconds

        async def is_back() -> bool:
            return (await engine.health()).ready

        await eventually(is_back)
        assert await complete(engine, prompt()) == expected
        assert hosts() != [host]
    assert hosts() == []


async def test_until_it_is_back_requests_are_refused_with_the_reason(tiny_gguf: Path, tmp_path: Path) -> None:
    async with isolated(tiny_gguf, tmp_path) as engine:
        engine._weights = tmp_path / "gone.gguf"
        os.kill(hosts()[0], signal.SIGSEGV)

        async def says_why() -> bool:
            return "cannot load" in (await engine.health()).detail

        await eventually(says_why)
        with pytest.raises(EngineUnavailable, match="process of 'tiny'"):
            await complete(engine, prompt())


async def test_a_process_that_hangs_is_not_healthy(
    tiny_gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("inference.isolated.engine.HEALTH_SECONDS", 0.1)
    async with isolated(tiny_gguf, tmp_path) as engine:
        (host,) = hosts()
        os.kill(host, signal.SIGSTOP)
        assert await engine.health() == Health(False, "The process of 'tiny' does not answer.")
        os.kill(host, signal.SIGCONT)

        async def is_back() -> bool:
            return (await engine.health()).ready

        await eventually(is_back)


async def test_memory_is_known_without_asking(tiny_gguf: Path, tmp_path: Path) -> None:
    async with isolated(tiny_gguf, tmp_path) as engine:
        (host,) = hosts()
        os.kill(host, signal.SIGSTOP)
        memory = engine.memory_mib()
        assert list(memory) == [
            *("weights", "context", "compute", "embedder_context", "embedder_compute"),
            "resident",
        ]
        resident_kib = re.search(r"VmRSS:\s+([0-9]+) kB", Path(f"/proc/{host}/status").read_text())
        assert resident_kib is not None
        assert memory["resident"] == pytest.approx(int(resident_kib[1]) / 1024, rel=0.05)
        os.kill(host, signal.SIGCONT)
        assert list((await engine.health()).memory_mib) == list(memory)
    assert engine.memory_mib() == {}


async def test_weights_that_cannot_be_loaded_are_said_at_the_start(tmp_path: Path) -> None:
    broken = tmp_path / "broken.gguf"
    broken.write_bytes(b"GGUF but not really")
    engine = IsolatedEngine(spec(), broken, tmp_path)
    with pytest.raises(WeightsError, match=r"cannot load .*broken\.gguf"):
        await engine.start()
    assert hosts() == []


async def test_a_process_that_cannot_be_started_is_said_and_nothing_waits(
    tiny_gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "gone"))
    engine = IsolatedEngine(spec(), tiny_gguf, tmp_path)
    with pytest.raises(EngineUnavailable, match="cannot be started"):
        await engine.start()
    assert hosts() == []


async def test_a_start_that_is_given_up_leaves_no_process(tiny_gguf: Path, tmp_path: Path) -> None:
    engine = IsolatedEngine(spec(), tiny_gguf, tmp_path)
    starting = asyncio.create_task(engine.start())

    async def has_begun() -> bool:
        return bool(hosts())

    await eventually(has_begun)
    starting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await starting
    assert hosts() == []


async def test_other_models_keys_are_not_in_the_process(
    tiny_gguf: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SECRET_KEY", "sk-very-secret")
    async with isolated(tiny_gguf, tmp_path):
        (host,) = hosts()
        assert b"sk-very-secret" not in Path(f"/proc/{host}/environ").read_bytes()


async def test_leaving_early_frees_the_slot(tiny_gguf: Path, tmp_path: Path) -> None:
    async with isolated(tiny_gguf, tmp_path) as engine:
        (host,) = hosts()
        os.kill(host, signal.SIGSTOP)
        asked = asyncio.create_task(complete(engine, prompt(max_tokens=200)))
        while not engine._waiting:
            await asyncio.sleep(0)
        asked.cancel()
        with pytest.raises(asyncio.CancelledError):
            await asked
        assert not engine._waiting
        os.kill(host, signal.SIGCONT)

        async def free() -> bool:
            return "0 of 4" in (await engine.health()).detail

        await eventually(free)


async def test_refusals_keep_their_class(tiny_gguf: Path, tmp_path: Path) -> None:
    async with isolated(tiny_gguf, tmp_path) as engine:
        with pytest.raises(ContextLengthExceeded, match="context of 'tiny' is 256") as caught:
            await complete(engine, prompt("x" * 300))
        assert caught.value.param == "prompt"


MESSAGES: list[Message] = [
    Load(spec(), "/weights/tiny.gguf"),
    Loaded({"weights": 1.5, "context": 0.25}),
    Ask(
        1,
        ChatRequest(
            "m",
            (Said("user", "Grüße \N{PILE OF POO}"),),
            sampling=Sampling(0.5, stop=("a",), logit_bias={7: -1.5}, n=2),
            tools=(Tool("f", "", {"type": "object"}),),
            response_format=ResponseFormat("json_schema", schema={"anyOf": [{"const": 1}, {"const": None}]}),
            max_cost_usd=Decimal("0.001"),
            priority="batch",
        ),
    ),
    AskEmbeddings(2, EmbedRequest("m", ("a", "b"), 3, deadline=1.5, priority="batch")),
    AskHealth(3),
    Leave(1),
    Piece(1, Chunk("x", 1, logprobs=(TokenLogprob("x", -0.5, (("y", -1.0),)),))),
    Piece(1, Chunk(usage=Usage(1, 2, 3, Decimal("0.01"), True))),
    Done(1),
    Embedded(2, Embeddings(((0.6, 0.8),), Usage(3), "m")),
    HealthIs(3, Health(True, "fine", {"weights": 1.5})),
    Failed.from_error(4, ContextLengthExceeded("Too long.", param="prompt", retry_after_seconds=1.5)),
]


async def test_messages_arrive_as_they_were_sent() -> None:
    ours, theirs = socket.socketpair()
    one, other = await Connection.over(ours), await Connection.over(theirs)
    for message in MESSAGES:
        one.send(message)
    assert await other.receive() == MESSAGES  # one turn of the loop, one frame
    await one.aclose()
    with pytest.raises(EOFError):
        await other.receive()
    await other.aclose()


async def test_what_is_no_message_is_refused() -> None:
    ours, theirs = socket.socketpair()
    connection = await Connection.over(ours)
    for nonsense in (b'[{"kind": "loaded", "id"', b'[{"kind": "shutdown"}]', b"[1]"):
        theirs.sendall(len(nonsense).to_bytes(4) + nonsense)
        with pytest.raises(ValueError, match="valid"):
            await connection.receive()
    theirs.sendall(b"\xff\xff\xff\xff")
    with pytest.raises(ValueError, match="too long"):
        await connection.receive()
    await connection.aclose()
    theirs.close()


def test_an_error_of_an_unknown_class_is_an_engine_error() -> None:
    for name in ("NoSuchError", "__builtins__", "EngineError"):
        assert type(Failed(1, name, "Something.").to_error()) is EngineError


async def test_many_at_once_are_kept_apart(tiny_gguf: Path, tmp_path: Path) -> None:
    async with isolated(tiny_gguf, tmp_path) as engine:
        texts = [f"def f{number}(" for number in range(12)]
        alone = [(await complete(engine, prompt(text))).text for text in texts]
        together = await asyncio.gather(*(complete(engine, prompt(text)) for text in texts))
        assert [completion.text for completion in together] == alone
