"""Retention at work: the appliance lets go of what has had its time, at its start and every hour from then on.

Several processes may do so at once: the store is the arbiter, and what one has let go the next does not find.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

from gateway.config import Config
from ledger.protocol import LedgerError
from ledger.retention import Retention, RetentionRules, Swept
from router.retention import WorkloadRetention

_log = logging.getLogger(__name__)
_PAUSE_SECONDS = 3600.0


def retention_of(config: Config) -> WorkloadRetention:
    """What models.yaml says about retention."""
    return WorkloadRetention(config.workloads, config.ledger.retention_days)


@asynccontextmanager
async def kept_short(ledger: Retention, rules: RetentionRules) -> AsyncGenerator[None, None]:
    """Meanwhile nothing is kept for more than an hour longer than it may be."""
    if not rules.periods:
        yield
        return
    sweeping = asyncio.create_task(_sweep(ledger, rules), name="retention")
    try:
        yield
    finally:
        sweeping.cancel()
        with suppress(asyncio.CancelledError):
            await sweeping


async def _sweep(ledger: Retention, rules: RetentionRules) -> None:
    after: dict[int, int] = {}
    while True:
        try:
            if (swept := await ledger.sweep(rules, after=after)).bodies:
                _log.info("Retention: %s", in_words(swept))
        except LedgerError as error:
            _log.warning("Retention waits for the next hour: %s", error)
        await asyncio.sleep(_PAUSE_SECONDS)


def in_words(swept: Swept) -> str:
    """What a sweep did, as a sentence."""
    size = f"{swept.bodies} bodies ({swept.content_bytes} bytes) were let go"
    entries = f", as ledger entries {swept.entries[0]} to {swept.entries[-1]} say" if swept.entries else ""
    waits = "" if swept.erased else " The write-ahead log is being read and may still have them until the next sweep."
    return f"{size}{entries}.{waits}"
