"""The sandbox behind its server gives what the sandbox itself gives, and lets nobody else in."""

from __future__ import annotations

import asyncio
import json
import ssl
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from sandbox.nsjail import NsjailSandbox
from sandbox.protocol import (
    Command,
    InvalidCommand,
    Limits,
    Piece,
    Progress,
    SandboxError,
    SandboxOverloaded,
    SandboxUnavailable,
    SandboxUnreachable,
    Started,
)
from sandbox.service.client import RemoteSandbox
from sandbox.service.server import create_app, health_of
from sandbox.service.wire import Event
from sandbox.spec import SandboxSpec
from tests.sandbox.certificates import Authority
from tests.sandbox.sandboxes import demand_record, make_sandbox, run_python
from tests.sandbox.service import asking, ended_since, running, served

FOREVER = "import time\nprint('on', flush=True)\ntime.sleep(60)"


@pytest_asyncio.fixture
async def own() -> AsyncIterator[NsjailSandbox]:
    made = make_sandbox("A", SandboxSpec(slots=2, most_waiting=2, wait_timeout_seconds=0.3))
    await made.check()
    yield made
    await made.close()


@pytest_asyncio.fixture
async def remote(own: NsjailSandbox, tmp_path: Path) -> AsyncIterator[RemoteSandbox]:
    async with served(own, tmp_path / "socket") as url, asking(url) as client:
        await client.check()
        yield client


async def test_it_gives_what_the_sandbox_gives(own: NsjailSandbox, remote: RemoteSandbox, tmp_path: Path) -> None:
    (tmp_path / "tree" / "sub").mkdir(parents=True)
    (tmp_path / "tree" / "sub" / "run.sh").write_text("#!/bin/sh\necho from the tree\n")
    (tmp_path / "tree" / "sub" / "run.sh").chmod(0o755)
    (tmp_path / "tree" / "over.txt").write_text("below")
    program = (
        "import os, sys, subprocess\n"
        "open('out.bin', 'wb').write(bytes(range(256)) + sys.stdin.buffer.read())\n"
        "os.symlink('out.bin', 'link.bin')\n"
        "print(os.environ['GIVEN'], open('over.txt').read(), sys.argv[1], flush=True)\n"
        "subprocess.run(['sub/run.sh'])\n"
        "sys.exit(7)\n"
    )
    command = Command(
        ("python", "main.py", "wörd\u2028"),
        tree=tmp_path / "tree",
        files={"main.py": program.encode(), "over.txt": "oben ü".encode()},
        collect=("*.bin",),
        stdin=b"\0\xff",
        environment={"GIVEN": "value"},
        limits=Limits(5, 5, 128, 16, 64, 10_000, 16, 256),
    )
    here, there = await own.run(command), await remote.run(command)
    for result in (here, there):
        demand_record(result)
        assert (result.outcome, result.exit_code, result.signal) == ("exited", 7, None), result
        assert result.stdout.decode() == "value oben ü wörd\u2028\nfrom the tree\n"
        assert result.files == {"out.bin": bytes(range(256)) + b"\0\xff"}
        assert [each.path for each in result.rejected] == ["link.bin"]
    assert there.environment_digest == here.environment_digest == remote.environment_digest("python")
    assert here.record is not None
    assert there.record is not None
    same = ("inputs", "artefacts", "argv", "limits", "stdin", "given_environment_sha256", "interpreter", "tier")
    assert [getattr(there.record, name) for name in same] == [getattr(here.record, name) for name in same]
    assert await remote.diagnose() == await own.diagnose()


async def test_output_comes_while_the_program_runs(remote: RemoteSandbox) -> None:
    said: list[tuple[float, Progress]] = []
    program = "import time\nprint('one', flush=True)\ntime.sleep(0.4)\nprint('two')"
    await remote.run(Command(("python", "-c", program)), lambda step: said.append((time.monotonic(), step)))
    assert [type(step) for _, step in said] == [Started, Piece, Piece]
    assert said[2][0] - said[1][0] > 0.3


async def test_a_command_whose_client_leaves_is_killed(own: NsjailSandbox, remote: RemoteSandbox) -> None:
    on, before = asyncio.Event(), running()
    task = asyncio.create_task(
        remote.run(Command(("python", "-c", FOREVER)), lambda step: on.set() if isinstance(step, Piece) else None)
    )
    await on.wait()
    assert running() - before
    task.cancel()
    await asyncio.gather(task, return_exceptions=True)
    assert task.cancelled()
    await ended_since(before)
    assert (await run_python(remote, "print(1)")).ok


async def test_closing_ends_what_runs(own: NsjailSandbox, tmp_path: Path) -> None:
    async with served(own, tmp_path / "socket") as url:
        async with asking(url) as client:
            on, before = asyncio.Event(), running()
            task = asyncio.create_task(client.run(Command(("python", "-c", FOREVER)), lambda _: on.set()))
            await on.wait()
        with pytest.raises(SandboxError, match="closed"):
            await task
        with pytest.raises(SandboxError, match="closed"):
            await client.run(Command(("true",)))
        await ended_since(before)


async def test_errors_keep_their_kind_and_their_sentence(own: NsjailSandbox, remote: RemoteSandbox) -> None:
    for command, said in (
        (Command(("python",), profile="perl"), "There is no sandbox profile 'perl'"),
        (Command(("nowhere",)), "There is no program 'nowhere'"),
        (Command(("python",), files={"../x": b""}), "not a plain relative path"),
        (Command(("python", "\udc80")), "is not valid Unicode"),
    ):
        with pytest.raises(InvalidCommand, match=said):
            await remote.run(command)
    holding = [asyncio.create_task(remote.run(Command(("python", "-c", FOREVER)))) for _ in range(2)]
    await asyncio.sleep(0.3)
    waiting = [asyncio.create_task(remote.run(Command(("true",), tenant="t"))) for _ in range(3)]
    refusals = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(each) for each in refusals] == [SandboxOverloaded] * 3
    assert sum("2 commands wait" in str(each) for each in refusals) == 1
    for task in holding:
        task.cancel()
    await asyncio.gather(*holding, return_exceptions=True)


async def test_a_server_that_is_lost(own: NsjailSandbox, tmp_path: Path) -> None:
    """Before the program started a try again can help; afterwards nobody knows what it did."""
    async with asking(f"unix:{tmp_path / 'nobody'}") as client:
        with pytest.raises(SandboxUnreachable, match="does not answer"):
            await client.run(Command(("true",)))
        with pytest.raises(SandboxUnavailable, match="does not answer"):
            await client.check()
        with pytest.raises(SandboxUnavailable, match="call `check` first"):
            client.environment_digest("python")
    started = Event(started=Started(0.0)).as_line()
    for said, kind in ((b"", SandboxUnreachable), (started, SandboxError), (b"nonsense\n", SandboxError)):
        async with _breaking_off(tmp_path / "broken", said) as url, asking(url) as client:
            with pytest.raises(SandboxError) as raised:
                await client.run(Command(("true",)))
            assert type(raised.value) is kind
        (tmp_path / "broken").unlink()


@asynccontextmanager
async def _breaking_off(path: Path, said: bytes) -> AsyncIterator[str]:
    """A server that begins an answer and is gone."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: 9999\r\n\r\n" + said)
        writer.close()

    async with await asyncio.start_unix_server(answer, path):
        yield f"unix:{path}"


async def test_what_is_no_command(own: NsjailSandbox, tmp_path: Path) -> None:
    async with served(own, tmp_path / "socket", most_bytes=2000) as url:
        transport = httpx.AsyncHTTPTransport(uds=url.removeprefix("unix:"))
        async with httpx.AsyncClient(transport=transport, base_url="http://sandbox") as http:
            for body, status, said in (
                (b"{", 400, "This is no command"),
                (b'{"command": {"argv": ["id"], "tree": "/etc"}}', 400, "its files come in `files`"),
                (b'{"command": {"argv": ["id"], "more": 1}}', 400, "more"),
                (b" " * 2001, 503, "holds as many files of commands as it may"),
            ):
                answer = await http.post("/v1/run", content=body)
                assert (answer.status_code, said in answer.text) == (status, True), answer.text
                assert json.loads(answer.text)["failure"]["kind"] in ("InvalidCommand", "SandboxOverloaded")
            assert (await http.get("/v1/run")).status_code == 405
            assert [(await http.get(path)).text for path in ("/livez", "/readyz")] == ["alive", "ready"]
            held = await http.post("/v1/run", content=b'{"command": {"argv": ["echo", "hi"], "profile": "shell"}}')
            assert json.loads(held.text.splitlines()[-1])["result"]["stdout"] == "aGkK"


async def test_readiness_is_proven_by_a_run(own: NsjailSandbox, tmp_path: Path) -> None:
    async with served(own, tmp_path / "socket") as url:
        await own.close()
        transport = httpx.AsyncHTTPTransport(uds=url.removeprefix("unix:"))
        async with httpx.AsyncClient(transport=transport, base_url="http://sandbox") as http:
            answer = await http.get("/readyz")
            assert (answer.status_code, answer.text) == (503, "The sandbox is closed.")
            assert (await http.get("/livez")).status_code == 200


async def test_only_who_has_a_certificate_of_the_authority_gets_in(own: NsjailSandbox, tmp_path: Path) -> None:
    trusted, stranger = Authority(tmp_path / "trusted"), Authority(tmp_path / "stranger")
    server = trusted.files("server")
    context = server.context_for_server()
    async with served(own, tmp_path, tls=context) as url:
        async with asking(url, trusted.files("client")) as client:
            assert (await run_python(client, "print('x' * 500_000)", limits=None)).stdout_bytes == 500_001
            trusted.files("client")  # a new certificate in the old one's place
            trusted.files("server")
            server.refresh(context)
            assert (await run_python(client, "print(2)")).ok
        wrong_client = replace(stranger.files("client"), authority=server.authority)
        for files in (wrong_client, stranger.files("client")):
            async with asking(url, files) as client:
                with pytest.raises(SandboxUnreachable, match="does not answer"):
                    await client.run(Command(("true",)))
        async with httpx.AsyncClient(verify=ssl.create_default_context(cafile=str(server.authority))) as nobody:
            with pytest.raises(httpx.HTTPError):
                await nobody.get(f"{url}/livez")
        async with asking(url, replace(server, key=tmp_path / "gone")) as client:
            with pytest.raises(SandboxUnavailable, match="gone cannot be read"):
                await client.run(Command(("true",)))


async def test_where_no_certificate_is_shown_only_the_health_is_told(own: NsjailSandbox) -> None:
    transport = httpx.ASGITransport(health_of(create_app(own, 1 << 20)))
    async with httpx.AsyncClient(transport=transport, base_url="http://sandbox") as kubelet:
        assert [(await kubelet.get(path)).text for path in ("/livez", "/readyz")] == ["alive", "ready"]
        assert [(await kubelet.get(path)).status_code for path in ("/v1/host", "/v1/run", "/")] == [404, 404, 404]
        assert (await kubelet.post("/v1/run", content=b"{}")).status_code == 404
