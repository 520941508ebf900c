"""A route's answers and their shadows, as the ledger has them, side by side. Reads; compares nothing."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256

from inference.collect import completion_from_bytes
from inference.protocol import Completion
from ledger.protocol import Entry, Ledger, UnknownBody
from router.record import CALLS_STREAM


@dataclass(frozen=True, slots=True)
class Answer:
    """An answered call. `digest` is that of what was said, with all choices and calls of functions.

    It is None where the body is not in the ledger any more; `finish_reasons` is then empty.
    """

    model: str
    cost_usd: float
    seconds: float
    first_seconds: float | None
    finish_reasons: tuple[str, ...] = ()
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class Pair:
    """What the client got, and what the shadow said to the same request."""

    given: Answer
    shadow: Answer


@dataclass(slots=True)
class ShadowLog:
    """Of a route and a time. Endings are "finished", "failed" and "cancelled"; `skipped` counts refusals by code.

    `endings` are those of the route's own calls, `shadow_endings` and `pairs` are by the shadows' model.
    """

    endings: Counter[str] = field(default_factory=Counter)
    shadow_endings: dict[str, Counter[str]] = field(default_factory=dict)
    skipped: Counter[str] = field(default_factory=Counter)
    pairs: dict[str, list[Pair]] = field(default_factory=dict)


async def shadow_log(ledger: Ledger, route: str, since: datetime) -> ShadowLog:
    """All since then. Raises `LedgerError`."""
    log, given = ShadowLog(), dict[str, Entry]()
    for entry in await ledger.read(stream=CALLS_STREAM):
        if entry.data.get("asked") != route or entry.data.get("kind") != "generate":
            continue
        ending, original = entry.type.removeprefix("call."), str(entry.data.get("shadow_of", ""))
        if not original and "answer_of" not in entry.data:
            given[str(entry.data["request_id"])] = entry
        if entry.time < since:
            continue
        if not original:
            log.endings[ending] += ending != "refused"
        elif ending == "refused":
            log.skipped[str(entry.data["code"])] += 1
        else:
            model = str(entry.data["model"])
            log.shadow_endings.setdefault(model, Counter())[ending] += 1
            if ending == "finished" and original in given:
                pair = Pair(await _answer(ledger, given[original]), await _answer(ledger, entry))
                log.pairs.setdefault(model, []).append(pair)
    return log


async def _answer(ledger: Ledger, entry: Entry) -> Answer:
    data, first = entry.data, entry.data.get("first_chunk_seconds")
    try:
        said = completion_from_bytes(await ledger.get_body(str(entry.output_digest)))
    except (UnknownBody, ValueError):
        said = None
    return Answer(
        model=str(data["model"]),
        cost_usd=float(entry.cost_usd),
        seconds=float(str(data["total_seconds"])),
        first_seconds=None if first is None else float(str(first)),
        finish_reasons=tuple(choice.finish_reason for choice in said.choices) if said else (),
        digest=_digest(said) if said else None,
    )


def _digest(said: Completion) -> str:
    """Of the words and the calls of functions; their ids are drawn by chance and count for nothing."""
    told = [(choice.text, [(call.name, call.arguments) for call in choice.tool_calls]) for choice in said.choices]
    return sha256(repr(told).encode("utf-8", "surrogatepass")).hexdigest()
