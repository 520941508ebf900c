"""The sandbox as a process of its own: what goes through it, and what is left when either end dies."""

from __future__ import annotations

import os
import select
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from pathlib import Path

import httpx
import pytest
from typer.testing import CliRunner

from gateway.cli.app import app
from tests.journeys.appliance import Appliance
from tests.journeys.sandbox_service import (
    PATIENCE_SECONDS,
    Service,
    machine_with,
    remote_machine,
    start_sandbox_command,
)
from tests.sandbox.certificates import Authority
from tests.sandbox.sandboxes import groups_of

FOREVER = "import time\nprint('on', flush=True)\ntime.sleep(600)"


@contextmanager
def _running(machine: Appliance, program: str) -> Iterator[subprocess.Popen[str]]:
    """`bailey sandbox run` with a program whose first line has come out: on."""
    with start_sandbox_command(machine, "run", "--", "python", "-c", program) as client:
        try:
            assert client.stdout
            assert client.stdout.readline() == "on\n"
            yield client
        finally:
            client.kill()


@pytest.fixture(scope="module")
def folder() -> Iterator[Path]:
    """A folder with a short path: that of a socket has at most 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="bailey-") as made:
        yield Path(made)


@pytest.fixture(scope="module")
def shared_service(folder: Path) -> Iterator[Service]:
    """A server at a Unix socket that takes requests of 1 MiB, and lets programs run until somebody ends them."""
    machine = machine_with(folder / "server", "{request_mib: 1, profiles: {python: {wall_seconds: 600}}}")
    service = Service(machine, ("--listen", f"unix:{folder}/socket"))
    yield service
    if service.process and service.process.poll() is None:
        service.end(signal.SIGTERM)


@pytest.fixture
def service(shared_service: Service) -> Service:
    """The module's server, running; a test may end it."""
    if shared_service.process is None or shared_service.process.poll() is not None:
        shared_service.start()
    return shared_service


@pytest.fixture(scope="module")
def host(folder: Path) -> Appliance:
    """A machine whose sandbox is that server."""
    return remote_machine(folder / "client", f"unix:{folder}/socket")


def test_the_command_line_uses_it(service: Service, host: Appliance, tmp_path: Path) -> None:
    said = host.bailey("sandbox", "doctor")
    assert (said.returncode, said.stdout.split()[0]) == (0, "Tier"), said.stderr
    (tmp_path / "add.py").write_text("import sys\nprint(sum(map(int, sys.argv[1:])))\n")
    said = host.bailey("sandbox", "run", str(tmp_path / "add.py"), "--", "20", "22")
    assert (said.returncode, said.stdout) == (0, "42\n"), said.stderr
    said = host.bailey("sandbox", "run", "--profile", "shell", "--", "sh", "-c", "echo no >&2; exit 7")
    assert (said.returncode, said.stderr.splitlines()[0]) == (3, "no")
    assert "ended with exit code 7 after" in said.stderr
    (tmp_path / "large.py").write_text(f"# {'x' * (1 << 20)}\n")
    said = host.bailey("sandbox", "run", str(tmp_path / "large.py"))
    assert said.returncode == 1
    assert "The sandbox holds as many files of commands as it may" in said.stderr
    assert Path(service.url.removeprefix("unix:")).stat().st_mode & 0o777 == 0o660


def test_verified_answers_use_it(service: Service, folder: Path, people: tuple[Path, dict[str, str]]) -> None:
    """While it is away they are refused in a sentence; a gateway that starts then says so instead."""
    gateway = remote_machine(folder / "gateway", service.url)
    shutil.copytree(people[0], gateway.folder / "data")
    gateway.keys = people[1]
    gateway.start()
    try:
        assert _outcomes(_verified(gateway, "A ")) == ["fail", "fail", "pass"]
        service.end(signal.SIGKILL)
        lost = _verified(gateway, "B ")
        assert lost.status_code == 503
        assert "The answer could not be checked: The sandbox at unix:" in lost.json()["error"]["message"]
        service.start()
        assert _outcomes(_verified(gateway, "C ")) == ["fail", "fail", "pass"]
    finally:
        gateway.stop()
    service.end(signal.SIGTERM)
    refused = gateway.bailey("serve", "--port", "0")
    assert (refused.returncode, refused.stdout) == (1, "")
    assert f"The sandbox at {service.url} does not answer" in refused.stderr


def _verified(gateway: Appliance, text: str) -> httpx.Response:
    asked = {
        "model": "auto",
        "messages": [{"role": "user", "content": "Write whisper(text)."}],
        "verify": {"tests": f"assert whisper({text!r}) == {text.lower()!r}"},
    }
    headers = {"authorization": f"Bearer {gateway.keys['ada']}"}
    return httpx.post(f"{gateway.url}/v1/chat/completions", json=asked, headers=headers, timeout=PATIENCE_SECONDS)


def _outcomes(answer: httpx.Response) -> list[str]:
    assert answer.status_code == 200, answer.text
    return [each["outcome"] for each in answer.json()["verification"]["attempts"]]


def test_output_comes_while_the_program_runs_and_dies_with_who_reads_it(service: Service, host: Appliance) -> None:
    with _running(host, FOREVER) as client:
        jailed = service.below()
        assert any(_words(pid)[:2] == ["python", "-c"] for pid in jailed), jailed
        client.kill()
        _until(lambda: not service.below())
    assert host.bailey("sandbox", "run", "--", "true").returncode == 0


def test_a_reader_who_has_seen_enough_is_no_failure(service: Service, host: Appliance) -> None:
    program = "print('on', flush=True)\nfor _ in range(9999): print('x' * 99)\nimport sys\nsys.stderr.write('done')"
    with _running(host, program) as client:
        assert client.stdout
        client.stdout.close()
        assert client.stderr
        assert client.stderr.read() == "done"
        assert client.wait(PATIENCE_SECONDS) == 0


def test_a_server_that_is_killed_takes_its_jails_along(service: Service, host: Appliance) -> None:
    """Whoever waits gets a sentence, and the next server takes the same path."""
    with _running(host, FOREVER) as client:
        jailed = [os.pidfd_open(pid) for pid in service.below()]
        assert len(jailed) > 1
        killed, stale = service.pid, groups_of(service.pid)
        service.end(signal.SIGKILL)
        _, said = client.communicate(timeout=PATIENCE_SECONDS)
    assert client.returncode == 1
    assert said == f"error: The sandbox at {service.url} was lost while the command ran; what it did is not known.\n"
    for pidfd in jailed:
        assert select.select([pidfd], [], [], PATIENCE_SECONDS)[0], "a process of the jail outlived the server"
        os.close(pidfd)
    assert Path(service.url.removeprefix("unix:")).is_socket()
    service.start()
    assert service.pid != killed
    assert not any(group.exists() for group in stale)
    assert host.bailey("sandbox", "run", "--", "python", "-c", "print(1)").stdout == "1\n"


def test_a_server_that_is_told_to_stop_lets_a_run_end(service: Service, host: Appliance) -> None:
    ending = "import time\nprint('on', flush=True)\ntime.sleep(2)\nprint('off')"
    with _running(host, ending) as client:
        assert service.end(signal.SIGTERM) == 0
        assert client.communicate(timeout=PATIENCE_SECONDS) == ("off\n", "")
        assert client.returncode == 0
    assert not Path(service.url.removeprefix("unix:")).exists()
    assert "Traceback" not in service.log()


def test_a_server_that_is_told_twice_ends_at_once(service: Service, host: Appliance) -> None:
    with _running(host, FOREVER) as client:
        jailed = service.below()
        os.kill(service.pid, signal.SIGTERM)
        _until(lambda: "Waiting for connections to close" in service.log())
        assert service.end(signal.SIGTERM) == 0
        _, said = client.communicate(timeout=PATIENCE_SECONDS)
    assert (client.returncode, "The program was stopped: cancelled after" in said) == (3, True), said
    assert not any(Path(f"/proc/{pid}").exists() for pid in jailed)
    assert "Traceback" not in service.log()


def test_there_is_one_server_at_a_socket(service: Service, host: Appliance) -> None:
    second = service.machine.bailey("sandbox", "serve", *service.words)
    assert (second.returncode, second.stdout) == (1, "")
    assert f"Another process listens at {service.url.removeprefix('unix:')}" in second.stderr
    assert host.bailey("sandbox", "run", "--", "true").returncode == 0


def test_only_who_has_a_certificate_of_the_authority_gets_in(folder: Path) -> None:
    trusted, stranger = Authority(folder / "trusted"), Authority(folder / "stranger")
    files = trusted.files("server")
    words = ("--authority", files.authority, "--certificate", files.certificate, "--key", files.key)
    machine = machine_with(folder / "tls-server", "{slots: 1}")
    service = Service(machine, ("--listen", "127.0.0.1:0", *map(str, words))).start()
    try:
        friend = remote_machine(folder / "friend", service.url, trusted.files("client"))
        said = friend.bailey("sandbox", "run", "--", "python", "-c", "print(6 * 7)")
        assert (said.returncode, said.stdout) == (0, "42\n"), said.stderr
        wrong = replace(stranger.files("client"), authority=files.authority)
        refused = remote_machine(folder / "foe", service.url, wrong).bailey("sandbox", "run", "--", "true")
        assert refused.returncode == 1
        assert f"error: The sandbox at {service.url} does not answer" in refused.stderr
    finally:
        assert service.end(signal.SIGTERM) == 0


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("unix:/x", "--key", "k"), "A Unix socket has no certificates"),
        (("unix:socket",), "'unix:socket' is neither unix:/path/to/socket nor host:port"),
        ((":8443",), "':8443' is neither"),
        (("host:65536",), "'host:65536' is neither"),
        (("127.0.0.1:0",), "give --authority, --certificate and --key"),
        (("127.0.0.1:0", "--authority", "a", "--key", "k"), "give --authority, --certificate and --key"),
    ],
)
def test_where_it_cannot_listen(words: tuple[str, ...], reason: str) -> None:
    """Said before anything is read or opened."""
    said = CliRunner().invoke(app, ["sandbox", "serve", "--listen", *words])
    assert said.exit_code == 2
    assert reason in " ".join(said.stderr.replace("│", " ").split())


@pytest.mark.parametrize(
    ("words", "reason"),
    [
        (("unix:/nowhere/socket",), "The sandbox cannot listen at /nowhere/socket: No such file or directory."),
        ((f"unix:/tmp/{'x' * 120}",), "AF_UNIX path too long"),
        (
            ("127.0.0.1:0", "--authority", "/nowhere/a", "--certificate", "/nowhere/c", "--key", "/nowhere/k"),
            "The TLS file /nowhere/a cannot be read: No such file or directory.",
        ),
    ],
)
def test_where_it_cannot_listen_here(
    host: Appliance, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], reason: str
) -> None:
    monkeypatch.setenv("BAILEY_CONFIG", str(host.folder / "models.yaml"))
    said = CliRunner().invoke(app, ["sandbox", "serve", "--listen", *words])
    assert said.exit_code == 1
    assert reason in str(said.exception)


def _words(pid: int) -> list[str]:
    with suppress(FileNotFoundError, ProcessLookupError):
        return Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    return []


def _until(condition: Callable[[], object]) -> None:
    """Wait for something in the process table or a log; it announces itself to nobody."""
    until = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < until
        time.sleep(0.02)
