"""Calls as the ledger has them: what was asked, who answered, with what chance, and what came of it."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from inference.collect import request_from_bytes
from inference.protocol import ChatRequest
from ledger.protocol import BodyLetGo, Entry, Ledger, UnknownBody
from router.record import CALLS_STREAM
from router.verified import VERIFIED_STREAM


@dataclass(frozen=True, slots=True)
class LoggedCall:
    """An answered call. `version` is MODEL@VERSION; `passed` is what executed checks said, None if none did."""

    request: ChatRequest
    version: str
    difficulty: float
    propensity: float
    prompt_tokens: int
    completion_tokens: int
    cost_usd: float
    seconds: float
    passed: bool | None
    cached_tokens: int = 0
    written_tokens: int = 0


@dataclass(slots=True)
class Log:
    """The calls of a time, and how many there are that cannot be decided again, by reason.

    `shadows` are no decisions of anybody: they tell what their models do, and nothing else.
    """

    calls: list[LoggedCall] = field(default_factory=list)
    shadows: list[LoggedCall] = field(default_factory=list)
    left_out: Counter[str] = field(default_factory=Counter)


async def logged_calls(ledger: Ledger, since: datetime) -> Log:
    """All since then."""
    reports = await ledger.read(stream=VERIFIED_STREAM)
    checked = {str(report.data["request_id"]): bool(report.data["passed"]) for report in reports}
    log = Log()
    for entry in await ledger.read(stream=CALLS_STREAM):
        if entry.time < since or entry.data.get("kind") != "generate":
            continue
        if entry.data.get("shadow_of"):
            if entry.type == "call.finished" and (shadow := await _call(ledger, entry, checked)):
                log.shadows.append(shadow)
        elif entry.type != "call.finished":
            log.left_out[entry.type.removeprefix("call.")] += 1
        else:
            try:
                log.calls.append(await _call(ledger, entry, checked))
            except BodyLetGo:
                log.left_out["whose request was let go under retention"] += 1
            except (UnknownBody, ValueError):
                log.left_out["without a request that can be read"] += 1
    return log


async def _call(ledger: Ledger, entry: Entry, checked: Mapping[str, bool]) -> LoggedCall:
    """Raises `UnknownBody`, and `ValueError` for what another version wrote."""
    data = entry.data
    request = request_from_bytes(await ledger.get_body(str(entry.input_digest)))
    return LoggedCall(
        request=request,
        version=f"{data['model']}@{data['version']}",
        difficulty=float(str(data["difficulty"])),
        propensity=float(str(data.get("propensity", 1.0))),
        prompt_tokens=int(str(data["prompt_tokens"])),
        completion_tokens=int(str(data["completion_tokens"])),
        cost_usd=float(entry.cost_usd),
        seconds=float(str(data["total_seconds"])),
        passed=checked.get(str(data["request_id"])),
        cached_tokens=int(str(data.get("cached_tokens", 0))),
        written_tokens=int(str(data.get("written_tokens", 0))),
    )
