"""The report of a time, read from the ledger page by page, so that what is in memory does not grow with it.

The chain is in the order of time without a gap, so where a time begins is found by bisection.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from datetime import datetime

from ledger.protocol import Entry, Ledger
from router.evaluation.report import Report
from router.record import CALLS_STREAM, call_key
from router.verified import TESTED, VERIFIED_STREAM
from router.workloads import WorkloadSpec

_PAGE = 500


async def reported(
    ledger: Ledger, since: datetime, workloads: Mapping[str, WorkloadSpec], only: str | None = None
) -> Report:
    """What happened since then, of one workload if `only` names it. Raises `LedgerError`."""
    report, begin = Report(workloads, only), await first_since(ledger, since)
    async for call in _pages(ledger, CALLS_STREAM, begin):
        report.call(call)
    async for verification in _pages(ledger, VERIFIED_STREAM, begin):
        data = verification.data
        if data.get("level") == TESTED:
            workload = await _workload(ledger, verification)
            report.verification(workload, str(data["model"]), passed=bool(data["passed"]))
    return report


async def first_since(ledger: Ledger, since: datetime) -> int:
    """The seq of the first entry of that time or later; one more than the last where there is none."""
    after = 1
    while (found := await ledger.read(after=after - 1, limit=1)) and found[0].time < since:
        after *= 2
    early, late = after // 2, after  # the first is too early (or 0), the second is late enough (or after the last)
    while late - early > 1:
        middle = (early + late) // 2
        found = await ledger.read(after=middle - 1, limit=1)
        early, late = (middle, late) if found and found[0].time < since else (early, middle)
    return late


async def _pages(ledger: Ledger, stream: str, begin: int) -> AsyncIterator[Entry]:
    after = begin - 1
    while page := await ledger.read(stream=stream, after=after, limit=_PAGE):
        for entry in page:
            yield entry
        after = page[-1].seq


async def _workload(ledger: Ledger, verification: Entry) -> str:
    """That of the answer; reports of earlier versions did not repeat it."""
    data = verification.data
    if "workload" not in data:
        call = await ledger.find(call_key(str(data["request_id"])))
        data = call.data if call else {}
    return str(data.get("workload") or "")
