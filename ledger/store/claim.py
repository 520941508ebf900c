"""The claim of the one process that works a store's tasks. It ends with the process, also by kill -9.

Others still read and append beside it. On PostgreSQL a session's advisory lock is the claim, so a server that
restarts forgets it; on SQLite it is a lock on a file beside the database.
"""

from __future__ import annotations

import fcntl
import os
from contextlib import ExitStack

from sqlalchemy import URL, create_engine

from ledger.protocol import LedgerClaimed, LedgerUnavailable

_ADVISORY_LOCK = 0x6261696C6579 + 1  # the number before it is the writers'
# A machine that vanishes holds its claim for a minute, not for the hours that are the system's default.
_KEEPALIVE = "-c tcp_keepalives_idle=30 -c tcp_keepalives_interval=10 -c tcp_keepalives_count=3"


def claim(url: URL) -> ExitStack:
    """Hold the claim until the stack is closed. Raises `LedgerClaimed`, `LedgerUnavailable` or the driver's errors."""
    with ExitStack() as holding:
        is_ours = _lock_file(url, holding) if url.get_backend_name() == "sqlite" else _lock_session(url, holding)
        if not is_ours:
            raise LedgerClaimed(f"Another appliance works with the ledger at {url}; stop it, or use another database.")
        return holding.pop_all()


def _lock_file(url: URL, holding: ExitStack) -> bool:
    path = f"{url.database}.lock"
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_RDWR | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise LedgerUnavailable(f"The ledger's lock {path} cannot be opened: {error.strerror}.") from error
    holding.callback(os.close, descriptor)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _lock_session(url: URL, holding: ExitStack) -> bool:
    engine = create_engine(url, pool_size=1, connect_args={"connect_timeout": 10, "options": _KEEPALIVE})
    holding.callback(engine.dispose)
    connection = holding.enter_context(engine.connect()).execution_options(isolation_level="AUTOCOMMIT")
    return bool(connection.exec_driver_sql(f"SELECT pg_try_advisory_lock({_ADVISORY_LOCK})").scalar_one())
