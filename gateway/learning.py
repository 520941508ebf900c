"""What the appliance learns from its own outcomes: trained on demand, taken up by every appliance on the same store."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager, suppress

from ledger.protocol import Ledger, LedgerError
from router.estimates.artefact import Artefact, UnknownArtefact
from router.estimates.estimator import Estimator
from router.estimates.learning import ESTIMATES_STREAM, audited, keep, newest
from router.estimates.training import TrainingSpec, train
from router.planning import Planner

_log = logging.getLogger(__name__)
_PAUSE_SECONDS = 5.0


async def learn(ledger: Ledger, actor: str) -> Artefact:
    """Learn from what the ledger has, and store it there. Raises `LedgerError` and `UnknownArtefact`."""
    artefact = train(await audited(ledger), TrainingSpec())
    await keep(ledger, artefact, actor)
    return artefact


@asynccontextmanager
async def up_to_date(planner: Planner, ledger: Ledger) -> AsyncGenerator[None, None]:
    """Meanwhile the planner has what was learnt last, also when that is learnt meanwhile."""
    known = await ledger.read(stream=ESTIMATES_STREAM)
    await _take_up(planner, ledger)
    following = asyncio.create_task(_follow(planner, ledger, known[-1].seq if known else 0), name="estimates")
    try:
        yield
    finally:
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following


async def _follow(planner: Planner, ledger: Ledger, after: int) -> None:
    """What was learnt last stays in use while the store is away."""
    while True:
        try:
            async for entry in ledger.follow(ESTIMATES_STREAM, after=after):
                await _take_up(planner, ledger)
                after = entry.seq
        except LedgerError as error:
            _log.warning("What is learnt now is taken up later: %s", error)
            await asyncio.sleep(_PAUSE_SECONDS)


async def _take_up(planner: Planner, ledger: Ledger) -> None:
    """What cannot be used is said, and then nothing is planned: never by half of it."""
    try:
        artefact = await newest(ledger)
    except UnknownArtefact as error:
        _log.warning("Nothing is planned by estimates: %s", error)
        artefact = None
    planner.estimator = Estimator(artefact) if artefact else None
