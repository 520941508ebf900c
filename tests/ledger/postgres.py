"""The databases the ledger is tested on; PostgreSQL as a throw-away cluster on a Unix socket.

Test modules load it as a plugin, so the whole session shares one server; each test gets an empty database.
"""

from __future__ import annotations

import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import count
from pathlib import Path

import psycopg
import pytest

_START_SECONDS = 60


@dataclass(frozen=True, slots=True)
class Postgres:
    """A running server; `directory` holds its data and its socket."""

    directory: Path
    numbers: Iterator[int]

    def create_database(self, options: str = "") -> str:
        """The URL of a new database."""
        name = f"ledger{next(self.numbers)}"
        self.execute(f"CREATE DATABASE {name} {options}")
        return self.url(name)

    def empty_database(self) -> str:
        """The URL of the one database that is emptied for each test; a new one would take ten times as long."""
        others = "datname = 'postgres' AND pid <> pg_backend_pid()"
        self.execute(f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE {others}")
        self.execute("DROP SCHEMA public CASCADE")
        self.execute("CREATE SCHEMA public")
        return self.url("postgres")

    def url(self, name: str) -> str:
        """How the ledger opens a database of this server."""
        return f"postgresql://postgres@/{name}?host={self.directory}"

    def execute(self, statement: str) -> None:
        """Run one statement as the superuser, outside a transaction."""
        with psycopg.connect(host=str(self.directory), user="postgres", dbname="postgres", autocommit=True) as database:
            database.execute(statement.encode())


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """The server, for the whole test session; as root it runs as the user `postgres`."""
    binaries = _binaries()
    user = "postgres" if os.geteuid() == 0 else pwd.getpwuid(os.geteuid()).pw_name
    directory = Path(tempfile.mkdtemp(prefix="pg-"))
    if os.geteuid() == 0:
        shutil.chown(directory, user)
    make: list[str | Path] = [
        binaries / "initdb",
        "--auth=trust",
        "--username=postgres",
        "--no-sync",
        "--encoding=UTF8",
    ]
    subprocess.run([*make, directory / "data"], user=user, check=True, capture_output=True, cwd=directory)
    serve: list[str | Path] = [binaries / "postgres", "-D", directory / "data", "-k", directory, "-h", "", "-F"]
    server = subprocess.Popen(serve, user=user, stderr=subprocess.DEVNULL, cwd=directory)
    try:
        _wait_until_ready(directory, server)
        yield Postgres(directory, count(1))
    finally:
        server.send_signal(signal.SIGQUIT)  # at once: nobody needs the data
        server.wait()
        shutil.rmtree(directory)


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty store, once on each database."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path}/ledger.db"
    server: Postgres = request.getfixturevalue("postgres")
    return server.empty_database()


def _binaries() -> Path:
    on_path = shutil.which("initdb")
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parent.name))
    if not on_path and not debian:
        pytest.fail("The ledger is tested on PostgreSQL too: install the server (apt-get install postgresql).")
    return Path(on_path).parent if on_path else debian[-1]


def _wait_until_ready(directory: Path, server: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_SECONDS
    while True:
        try:
            psycopg.connect(host=str(directory), user="postgres", dbname="postgres").close()
        except psycopg.OperationalError:
            if server.poll() is not None or time.monotonic() > deadline:
                pytest.fail("The PostgreSQL server for the tests did not start.")
            time.sleep(0.05)
        else:
            return
