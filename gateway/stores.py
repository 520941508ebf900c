"""Opens what an appliance keeps: the ledger with its accounts, and the keys; a part of the wiring (`assemble.py`).

It stands apart because commands that only look into them need nothing else, and would start three times as slowly.
"""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from gateway.keys import Keys
from gateway.problems import StartProblem
from gateway.settings import Settings
from ledger.sql_ledger import SqlLedger, open_ledger, utc_now


@asynccontextmanager
async def opened_ledger(settings: Settings) -> AsyncGenerator[SqlLedger, None]:
    """The ledger and its accounts. Raises `StartProblem`, and what the ledger raises."""
    try:
        settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        ledger = await open_ledger(settings.database_url or f"sqlite:///{(settings.data / 'ledger.db').resolve()}")
    except OSError as error:
        raise StartProblem(f"The data folder {settings.data} cannot be used: {error.strerror}.") from None
    except ValueError as error:
        raise StartProblem(f"BAILEY_DATABASE_URL cannot be used: {error}") from None
    try:
        yield ledger
    finally:
        await ledger.close()


@asynccontextmanager
async def opened_keys(settings: Settings) -> AsyncGenerator[Keys, None]:
    """The API keys."""
    async with opened_ledger(settings) as ledger:
        yield Keys(ledger, utc_now)
