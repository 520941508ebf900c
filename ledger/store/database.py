"""One database: its engines, its migrations, one writer at a time, and its errors in our words.

SQLite runs in WAL with synchronous=FULL: a commit is on the disk before it returns, so it outlives a killed process
and a power cut (NORMAL would lose the last commits to the latter). PostgreSQL flushes by its own default.
What is deleted from SQLite is overwritten with zeros (secure_delete); `erase` sees to the write-ahead log.
"""

from __future__ import annotations

import os
import sqlite3
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError, OperationalError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry
from tenacity import Retrying, retry_if_exception, stop_after_delay, wait_fixed

from ledger.protocol import LedgerDamaged, LedgerError, LedgerTooNew, LedgerUnavailable
from ledger.store.claim import claim

if TYPE_CHECKING:
    from alembic.runtime.migration import MigrationContext
    from alembic.script import ScriptDirectory

MIGRATIONS = Path(__file__).with_name("migrations")
# Transactions that write take this advisory lock: any number does, as long as all processes agree.
_ADVISORY_LOCK = 0x6261696C6579
_ERASING_MILLISECONDS = 250
_WAL_RETRY_SECONDS = 0.01
# Alembic's operations are process-wide while a migration runs.
_migrating = threading.Lock()


class Database:
    """Connections for one writer and several readers. Each transaction of a reader sees one state of the store."""

    def __init__(self, url: str, *, readers: int, lock_timeout_seconds: float) -> None:
        """Open nothing yet. Raises `ValueError` for a URL that is neither SQLite's nor PostgreSQL's."""
        self._url = _parsed(url)
        self._claim = ExitStack()
        self._writer = _engine(self._url, 1, lock_timeout_seconds, "BEGIN IMMEDIATE")
        self._readers = _engine(self._url, readers, lock_timeout_seconds, "BEGIN")
        if self._url.get_backend_name() == "postgresql":
            self._readers = self._readers.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)

    @contextmanager
    def writing(self) -> Iterator[Connection]:
        """A transaction that no other writer overlaps, in any process; committed and durable when the block ends.

        When the connection to PostgreSQL breaks during the commit itself, nobody here knows whether it happened: an
        append with a key can simply be repeated.
        """
        with self._transaction(self._writer, "written") as connection:
            if connection.dialect.name == "postgresql":
                _execute(connection, f"SELECT pg_advisory_xact_lock({_ADVISORY_LOCK})")
            yield connection

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """A transaction that sees the store as it is at its first query."""
        with self._transaction(self._readers, "read") as connection:
            yield connection

    def upgrade(self, revision: str = "head") -> None:
        """Bring the tables to `revision`; safe when several processes start at once. Raises `LedgerTooNew`."""
        from alembic.runtime.migration import MigrationContext
        from alembic.script import ScriptDirectory

        if self._url.get_backend_name() == "sqlite":
            self._create_file()
        scripts = ScriptDirectory(str(MIGRATIONS))
        with self.reading() as connection:
            if MigrationContext.configure(connection).get_current_revision() == scripts.get_current_head():
                return
        with _migrating, self.writing() as connection:
            self._migrate(MigrationContext.configure(connection), scripts, revision)

    def _migrate(self, context: MigrationContext, scripts: ScriptDirectory, revision: str) -> None:
        from alembic.operations import Operations

        current = context.get_current_revision()
        known = [script.revision for script in scripts.walk_revisions()]
        if current is not None and current not in known:
            raise LedgerTooNew(
                f"The ledger at {self._url} has revision {current}; this version knows up to {known[0]}. "
                "It was written by a newer version of the product: run that one, or restore an older backup."
            )
        with Operations.context(context):
            for script in reversed(list(scripts.iterate_revisions(revision, current or "base"))):
                script.module.upgrade()
        context.stamp(scripts, revision)

    def claim(self) -> None:
        """Be the one process that works this store's tasks, until `close`. Raises `LedgerClaimed`."""
        with self._translated("claimed"):
            self._claim.push(claim(self._url))

    def erase(self) -> bool:
        """Empty SQLite's write-ahead log, which may have old pages of what was deleted; False while somebody reads it.

        Writers wait for that, so it does not wait for long. What PostgreSQL keeps, its VACUUM and its archive decide.
        """
        if self._url.get_backend_name() != "sqlite":
            return True
        with self._translated("written"), self._readers.connect() as pooled:
            connection = pooled.connection.driver_connection
            assert isinstance(connection, sqlite3.Connection)
            [(patience,)] = connection.execute("PRAGMA busy_timeout")
            connection.execute(f"PRAGMA busy_timeout={_ERASING_MILLISECONDS}")
            try:
                [(busy, *_)] = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            finally:
                connection.execute(f"PRAGMA busy_timeout={patience}")
            return not busy

    def close(self) -> None:
        """Close all connections."""
        self._claim.close()
        self._writer.dispose()
        self._readers.dispose()

    def _create_file(self) -> None:
        """The prompts in it are nobody else's business: only the owner may read the file (and SQLite's beside it)."""
        try:
            os.close(os.open(str(self._url.database), os.O_CREAT | os.O_RDWR, 0o600))
        except OSError as error:
            raise LedgerUnavailable(f"The ledger's file {self._url.database} cannot be opened: {error}.") from error

    @contextmanager
    def _transaction(self, engine: Engine, what: str) -> Iterator[Connection]:
        with self._translated(what), engine.begin() as connection, _raised_as_by_sqlalchemy(connection):
            yield connection

    @contextmanager
    def _translated(self, what: str) -> Iterator[None]:
        try:
            yield
        except (SQLAlchemyError, sqlite3.Error) as error:  # the latter while a connection is being made
            raise self._in_our_words(error, what) from error

    def _in_our_words(self, error: Exception, what: str) -> LedgerError:
        original = error.orig if isinstance(error, DBAPIError) else error
        reason = str(original).strip().splitlines()[0].rstrip(".")
        passing = isinstance(error, OperationalError | sqlite3.OperationalError)
        if passing or (isinstance(error, DBAPIError) and error.connection_invalidated):
            return LedgerUnavailable(f"The ledger at {self._url} cannot be {what} now: {reason}. {_advice(original)}")
        return LedgerDamaged(f"The ledger at {self._url} cannot be {what}: {reason}. Run `bailey ledger verify`.")


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ValueError(_url_rule(url)) from error
    backend = parsed.drivername.partition("+")[0]
    if backend in ("postgresql", "postgres"):
        return parsed.set(drivername="postgresql+psycopg")
    if backend != "sqlite" or not parsed.database or parsed.database == ":memory:":
        raise ValueError(_url_rule(url))
    return parsed.set(drivername="sqlite+pysqlite")


def _url_rule(url: str) -> str:
    scheme = url.partition(":")[0]
    return f"The ledger's URL ({scheme}:…) must be sqlite:///path/to/ledger.db or postgresql://user@host/database."


def _engine(url: URL, connections: int, lock_timeout_seconds: float, sqlite_begin: str) -> Engine:
    # Parameters never appear in error messages: they are prompts and answers.
    sqlite = url.get_backend_name() == "sqlite"
    milliseconds = round(lock_timeout_seconds * 1000)
    engine = create_engine(
        url,
        pool_size=connections,
        max_overflow=0,
        pool_pre_ping=not sqlite,
        hide_parameters=True,
        connect_args={"timeout": lock_timeout_seconds}
        if sqlite
        else {"connect_timeout": 10, "options": f"-c lock_timeout={milliseconds}"},
    )
    if sqlite:
        _control_sqlite(engine, sqlite_begin, lock_timeout_seconds)
    return engine


def _control_sqlite(engine: Engine, begin: str, lock_timeout_seconds: float) -> None:
    # Of two that turn a new file to WAL at once SQLite refuses one without waiting, whatever its timeout.
    patiently = Retrying(
        retry=retry_if_exception(_is_busy),
        stop=stop_after_delay(lock_timeout_seconds),
        wait=wait_fixed(_WAL_RETRY_SECONDS),
        reraise=True,
    )

    @event.listens_for(engine, "connect")
    def connect(connection: sqlite3.Connection, _record: ConnectionPoolEntry) -> None:
        connection.isolation_level = None  # the driver starts no transactions of its own
        patiently(connection.execute, "PRAGMA journal_mode=WAL")
        for pragma in ("synchronous=FULL", "secure_delete=ON"):
            connection.execute(f"PRAGMA {pragma}")

    @event.listens_for(engine, "begin")
    def begin_transaction(connection: Connection) -> None:
        _execute(connection, begin)


def _is_busy(error: BaseException) -> bool:
    return isinstance(error, sqlite3.OperationalError) and error.sqlite_errorcode == sqlite3.SQLITE_BUSY


def _execute(connection: Connection, statement: str) -> None:
    connection.connection.cursor().execute(statement)


@contextmanager
def _raised_as_by_sqlalchemy(connection: Connection) -> Iterator[None]:
    """For statements that the driver executes itself: its errors become SQLAlchemy's, and the pool drops what broke."""
    dialect = connection.dialect
    try:
        yield
    except dialect.loaded_dbapi.Error as error:
        is_broken = dialect.is_disconnect(error, connection.connection.dbapi_connection, None)
        if is_broken:
            connection.invalidate(error)
        raise DBAPIError.instance(
            None, None, error, dialect.loaded_dbapi.Error, connection_invalidated=is_broken, dialect=dialect
        ) from error


def _advice(error: BaseException | None) -> str:
    match getattr(error, "sqlstate", None) or getattr(error, "sqlite_errorname", None):
        case "53100" | "SQLITE_FULL":
            return "Free some disk space; nothing was recorded."
        case "55P03" | "SQLITE_BUSY":
            return "Another process holds the store; try again."
        case _:
            return "Check that the database runs, that it can be reached and that it may be written."
