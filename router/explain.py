"""Decisions for people: what would be chosen for a request, and what was chosen, why, and what came of it.

Read by `/v1/routes` and `bailey route`. Nothing here decides, sends or records.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from inference.catalog import ModelBase
from inference.protocol import ChatRequest
from ledger.protocol import Entry, JsonValue, Ledger
from ledger.retention import Retention
from router.plans import as_json
from router.record import call_key
from router.route import Route, worst_cost
from router.verified import verified_key


def decision(route: Route, request: ChatRequest) -> Mapping[str, JsonValue]:
    """A route as JSON: candidates in the order in which they would be asked, and those passed over."""
    return {
        "asked": route.asked,
        "reason": route.reason,
        "data_class": request.caller.data_class,
        "difficulty": route.difficulty.score,
        "features": dict(route.difficulty.features),
        "budget_price": round(route.budget_price, 3),
        "propensity": route.propensity,
        "plan": as_json(route.plan) if route.plan else None,
        "candidates": [_candidate(route, model, request) for model in route.candidates],
        "passed_over": [{"model": passed.model, "reason": passed.reason} for passed in route.passed_over],
    }


def _candidate(route: Route, model: ModelBase, request: ChatRequest) -> Mapping[str, JsonValue]:
    return {
        "model": route.answers_as(model),
        "version": model.version,
        "tier": model.tier,
        "location": "cloud" if model.remote else "local",
        "cpu_fallback_of": route.stands_in.get(model.name),
        "expected_usd": f"{route.expected_usd(model, request):f}",
        "worst_usd": f"{worst_cost(model, request):f}",
        "warm_tokens": route.warm_tokens(model),
    }


class Records(Ledger, Retention, Protocol):
    """A ledger that knows what it let go."""


async def recorded(ledger: Records, request_id: str, tenant: str) -> Sequence[Mapping[str, JsonValue]]:
    """What the ledger has of a tenant's request, oldest first: one call, or one for each draft of a verified answer."""
    calls = [call for call in [await ledger.find(call_key(request_id))] if call]
    while draft := await ledger.find(call_key(f"{request_id}.draft-{len(calls) + 1}")):
        calls.append(draft)
    return [await _recorded(ledger, call) for call in calls if call.tenant == tenant]


async def _recorded(ledger: Records, call: Entry) -> Mapping[str, JsonValue]:
    checked = await ledger.find(verified_key(str(call.data["request_id"])))
    return {
        "ending": call.type.removeprefix("call."),
        "time": call.time.isoformat(),
        "actor": call.actor,
        **call.data,
        "cost_usd": f"{call.cost_usd:f}",
        "verified": checked.data["passed"] if checked else None,
        "let_go": await _let_go(ledger, call),
        "seq": call.seq,
        "hash": call.hash,
    }


async def _let_go(ledger: Records, call: Entry) -> Mapping[str, JsonValue]:
    """Which of its bodies went under retention, and what says so."""
    digests = {"request": call.input_digest or "", "answer": call.output_digest or ""}
    went = await ledger.let_go(list(filter(None, digests.values())))
    return {what: str(went[digest]) for what, digest in digests.items() if digest in went}
