"""From the ledger to an artefact and back: audited outcomes out of its entries, the artefact as one of its bodies.

Only answers whose verification had tests count, passed or not; neither opinions nor answers that nobody checked do. A
call that failed by a machine is an event of its own. Called by whoever trains, and by the appliance when it starts.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from inference.collect import request_from_bytes
from inference.protocol import ChatRequest
from ledger.protocol import Draft, Entry, Ledger, UnknownBody
from router.estimates.artefact import Artefact, UnknownArtefact
from router.estimates.features import of_request
from router.estimates.informing import Sources
from router.estimates.outcome import Context, InfrastructureFailure, Outcome
from router.record import CALLS_STREAM, call_key
from router.verified import TESTED, VERIFIED_STREAM

ESTIMATES_STREAM = "estimates"
TRAINED = "estimates.trained"


async def audited(ledger: Ledger) -> list[Outcome | InfrastructureFailure]:
    """What the ledger knows of answers that were tested, and of calls that failed. Raises `LedgerError`."""
    found: list[Outcome] = []
    for verification in await ledger.read(stream=VERIFIED_STREAM, types=("call.verified",)):
        if verification.data.get("level") != TESTED:
            continue
        call = await ledger.find(call_key(str(verification.data["request_id"])))
        if call is None or call.input_digest is None:
            continue
        if request := await _request(ledger, call.input_digest):
            found.append(_outcome(call, request, verification.data))
    failed = await ledger.read(stream=CALLS_STREAM, types=("call.failed",))
    return [*found, *(InfrastructureFailure(str(call.data["model"]), call.time, _workload(call)) for call in failed)]


def _outcome(call: Entry, request: ChatRequest, verified: Mapping[str, Any]) -> Outcome:
    facts: Mapping[str, Any] = call.data
    return Outcome(
        of_request(request),
        str(facts["model"]),
        bool(verified["passed"]),
        float(call.cost_usd),
        float(facts["total_seconds"]),
        call.time,
        Context.of(request),
        str(facts.get("version") or ""),
        _workload(call),
        request.checking.draw if request.checking else 1,
        str(verified.get("failed_at") or ""),
    )


def _workload(call: Entry) -> str:
    return str(call.data.get("workload", ""))


async def _request(ledger: Ledger, digest: str) -> ChatRequest | None:
    """As it was recorded; None where that is gone or was written by another version."""
    try:
        return request_from_bytes(await ledger.get_body(digest))
    except (UnknownBody, ValueError):
        return None


async def keep(ledger: Ledger, artefact: Artefact, actor: str, sources: Sources = ("",)) -> Entry:
    """Store an artefact and say so in the ledger; from then on it is the newest of its sources. Raises `LedgerError`.

    `sources` are the workloads whose outcomes it learnt from.
    """
    digest = await ledger.put_body(artefact.to_bytes())
    if digest != artefact.digest:
        raise UnknownArtefact("The ledger took something out of the artefact that looked like a secret; train again.")
    facts = asdict(artefact.facts)
    heads = [{"head": list(head), **model.metrics} for head, model in sorted(artefact.heads.items())]
    data = {**facts, "outcomes": dict(artefact.facts.outcomes), "heads": heads, "learnt_from": list(sources)}
    key = f"estimates/{digest}" + "".join(f",{name}" for name in sources if name)
    draft = Draft(ESTIMATES_STREAM, TRAINED, actor, data=data, output_digest=digest, key=key)
    return await ledger.append(draft)


async def newest(ledger: Ledger, sources: Sources = ("",)) -> Artefact | None:
    """The artefact that was stored last of those that learnt from exactly these workloads, or None before the first.

    One that does not say what it learnt from is an earlier version's, which learnt from all, and is no more used.
    Raises `UnknownArtefact` if it cannot be used: decisions are then made without estimates, and never by half of one.
    """
    trained = await ledger.read(stream=ESTIMATES_STREAM, types=(TRAINED,))
    entries = [entry for entry in trained if entry.data.get("learnt_from") == list(sources)]
    if not entries:
        return None
    digest = str(entries[-1].output_digest)
    try:
        artefact = Artefact.from_bytes(await ledger.get_body(digest))
    except UnknownBody as error:
        raise UnknownArtefact(f"The artefact {digest} is no longer in the ledger. Train a new one.") from error
    if artefact.digest != digest:
        raise UnknownArtefact(f"What the ledger has as the artefact {digest} is another one. Train a new one.")
    return artefact
