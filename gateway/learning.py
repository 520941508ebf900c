"""What the appliance learns from its own outcomes: trained on demand, taken up by every appliance on the same store."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, Mapping
from contextlib import asynccontextmanager, suppress

from ledger.protocol import Ledger, LedgerError
from router.estimates.artefact import Artefact, UnknownArtefact
from router.estimates.estimator import Estimator
from router.estimates.informing import Sources, informed_by
from router.estimates.learning import ESTIMATES_STREAM, audited, keep, newest
from router.estimates.training import TrainingSpec, train
from router.planning import Planner
from router.workloads import WorkloadSpec

_log = logging.getLogger(__name__)
_PAUSE_SECONDS = 5.0


Workloads = Mapping[str, WorkloadSpec]


async def learn(ledger: Ledger, actor: str, workloads: Workloads) -> dict[Sources, Artefact]:
    """Learn for each workload from those that inform it, and store that in the ledger: one artefact for equal sources.

    Raises `LedgerError` and `UnknownArtefact`.
    """
    outcomes, made = await audited(ledger), dict[Sources, Artefact]()
    for sources in dict.fromkeys(informed_by(workloads).values()):
        made[sources] = train((each for each in outcomes if each.workload in sources), TrainingSpec())
        await keep(ledger, made[sources], actor, sources)
    return made


@asynccontextmanager
async def up_to_date(planner: Planner, ledger: Ledger, workloads: Workloads) -> AsyncGenerator[None, None]:
    """Meanwhile the planner has what was learnt last, also when that is learnt meanwhile."""
    known, informed = await ledger.read(stream=ESTIMATES_STREAM), informed_by(workloads)
    await _take_up(planner, ledger, informed)
    after = known[-1].seq if known else 0
    following = asyncio.create_task(_follow(planner, ledger, informed, after), name="estimates")
    try:
        yield
    finally:
        following.cancel()
        with suppress(asyncio.CancelledError):
            await following


async def _follow(planner: Planner, ledger: Ledger, informed: Mapping[str, Sources], after: int) -> None:
    """What was learnt last stays in use while the store is away."""
    while True:
        try:
            async for entry in ledger.follow(ESTIMATES_STREAM, after=after):
                await _take_up(planner, ledger, informed)
                after = entry.seq
        except LedgerError as error:
            _log.warning("What is learnt now is taken up later: %s", error)
            await asyncio.sleep(_PAUSE_SECONDS)


async def _take_up(planner: Planner, ledger: Ledger, informed: Mapping[str, Sources]) -> None:
    found = {sources: await _usable(ledger, sources) for sources in dict.fromkeys(informed.values())}
    taken = {name: found[sources] for name, sources in informed.items()}
    planner.estimators = {name: estimator for name, estimator in taken.items() if estimator}


async def _usable(ledger: Ledger, sources: Sources) -> Estimator | None:
    """What cannot be used is said, and then nothing is planned: never by half of it."""
    try:
        artefact = await newest(ledger, sources)
    except UnknownArtefact as error:
        _log.warning("Nothing is planned by estimates: %s", error)
        return None
    return Estimator(artefact) if artefact else None
