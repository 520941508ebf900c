"""What every `Ledger` promises, on every database it runs on. Budgets are in `test_accounts.py`."""

from __future__ import annotations

import asyncio
import hashlib
import json
import random
from collections.abc import AsyncIterator
from dataclasses import asdict, replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import pytest

from ledger.protocol import (
    GENESIS_HASH,
    Accounts,
    Budget,
    Draft,
    Entry,
    Ledger,
    LedgerUnavailable,
    Reservation,
    UnknownBody,
)
from ledger.sql_ledger import SqlLedger, open_ledger
from tests.ledger.clock import HandClock

pytest_plugins = ["tests.ledger.postgres"]

KEY = "bly_" + "Ab3-" * 10 + "xyz"


@pytest.fixture
def clock() -> HandClock:
    return HandClock()


@pytest.fixture
async def ledger(ledger_url: str, clock: HandClock) -> AsyncIterator[SqlLedger]:
    opened = await open_ledger(ledger_url, clock=clock, poll_seconds=3600)  # followers here wait for no poll
    yield opened
    await opened.close()


def draft(kind: str = "call.completed", *, stream: str = "calls", **fields: Any) -> Draft:
    return Draft(stream=stream, type=kind, actor="key_1", **fields)


def expected_hash(entry: Entry) -> str:
    """The contract's words in a few lines that share no code with the product."""
    fields = asdict(entry)
    del fields["hash"]
    for later in ("tokens", "accounts"):
        if not fields[later]:
            del fields[later]
    fields["time"] = entry.time.strftime("%Y-%m-%dT%H:%M:%S.%fZ")
    fields["cost_usd"] = f"{entry.cost_usd:.9f}"
    return hashlib.sha256(json.dumps(fields, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


async def test_entries_are_chained_from_the_genesis_hash(ledger: SqlLedger, clock: HandClock) -> None:
    first = await ledger.append(draft(data={"model": "café", "tokens": [1, 2.5, None, True]}))
    clock.advance(seconds=1.5)
    second = await ledger.append(draft(cause=first.seq, cost_usd=Decimal("0.0123"), key="call_2"))
    assert (first.seq, first.previous_hash, first.time) == (1, GENESIS_HASH, datetime(2025, 11, 21, 12, tzinfo=UTC))
    assert (second.seq, second.previous_hash, second.cause) == (2, first.hash, 1)
    assert [expected_hash(first), expected_hash(second)] == [first.hash, second.hash]
    assert await ledger.read() == [first, second]
    verification = await ledger.verify()
    assert (verification.entries, verification.head_hash, verification.ok) == (2, second.hash, True)


async def test_one_object_keeps_both_contracts(ledger: SqlLedger) -> None:
    as_ledger: Ledger = ledger  # the type checker is the judge
    as_accounts: Accounts = ledger
    await as_accounts.release("nothing")
    assert await as_ledger.read() == []


async def test_an_empty_ledger_holds(ledger: SqlLedger) -> None:
    verification = await ledger.verify()
    assert (verification.entries, verification.bodies, verification.head_hash) == (0, 0, GENESIS_HASH)
    assert verification.ok
    assert await ledger.read() == []


async def test_a_key_appends_once(ledger: SqlLedger) -> None:
    first = await ledger.append(draft(key="call_1", cost_usd=Decimal(1)))
    assert await ledger.append(draft("call.failed", key="call_1", cost_usd=Decimal(5))) == first
    assert await ledger.find("call_1") == first
    assert await ledger.find("call_2") is None
    assert await ledger.read() == [first]
    assert (await ledger.spend("tenant/default", "total")).settled_usd == 1


async def test_reading_selects_by_stream_type_place_and_number(ledger: SqlLedger) -> None:
    for stream in ("task/a", "task/b", "tasks", "task/a/steps", "task", "call"):
        for kind in ("x.began", "x.ended"):
            await ledger.append(draft(kind, stream=stream))

    async def seqs(**selection: Any) -> list[int]:
        return [entry.seq for entry in await ledger.read(**selection)]

    assert await seqs(stream="task/a") == [1, 2]
    assert await seqs(stream="task/") == [1, 2, 3, 4, 7, 8]
    assert await seqs(stream="task/", types=["x.ended"], after=2) == [4, 8]
    assert await seqs(types=["x.began", "y.began"], limit=2) == [1, 3]
    assert await seqs(stream="nothing/") == []


async def test_time_does_not_go_backwards(ledger: SqlLedger, clock: HandClock) -> None:
    first = await ledger.append(draft())
    clock.advance(hours=-1)
    assert (await ledger.append(draft())).time == first.time


async def test_costs_are_rounded_up_to_a_nano_dollar(ledger: SqlLedger) -> None:
    entry = await ledger.append(draft(cost_usd=Decimal("0.00000000110000000000000000000000000001")))
    assert entry.cost_usd == Decimal("0.000000002")
    assert (await ledger.read()) == [entry]


REFUSED: list[tuple[dict[str, object], str]] = [
    ({"stream": ""}, "stream"),
    ({"type": "two\nlines"}, "type"),
    ({"tenant": "nul\0"}, "tenant"),
    ({"key": "\ud800"}, "key"),
    ({"actor": KEY}, "secret"),
    ({"cause": 1}, "cause"),
    ({"input_digest": "what was asked"}, "input_digest"),
    ({"cost_usd": Decimal(-1)}, "cost_usd"),
    ({"cost_usd": Decimal("NaN")}, "cost_usd"),
    ({"cost_usd": Decimal("1e30")}, "cost_usd"),
    ({"data": {"ratio": float("nan")}}, "JSON"),
    ({"data": {"when": datetime(2025, 1, 1, tzinfo=UTC)}}, "JSON"),
    ({"data": {1: "one"}}, "JSON"),
]


async def test_a_draft_no_chain_could_hold_is_refused(ledger: SqlLedger) -> None:
    for fields, complaint in REFUSED:
        with pytest.raises(ValueError, match=complaint):
            await ledger.append(replace(draft(), **fields))  # type: ignore[arg-type]  # wrong on purpose
    assert (await ledger.append(draft())).seq == 1


async def test_any_text_survives_in_data(ledger: SqlLedger) -> None:
    data = {"nul\0": "a\0b", "lone": "\ud800", "emoji": "🐙", "quotes": "\"'\\", "": {"deep": [[]]}, "big": 2**80}
    entry = await ledger.append(draft(data=data))
    assert entry.data == data
    assert await ledger.read() == [entry]
    assert (await ledger.verify()).ok


async def test_names_that_json_cannot_tell_apart_are_one(ledger: SqlLedger) -> None:
    entry = await ledger.append(draft(data={"😀": 1, "\ud83d\ude00": 2, "\uffff": 3}))
    assert entry.data == {"😀": 1, "\uffff": 3}
    assert entry.hash == expected_hash(entry)
    assert await ledger.read() == [entry]
    assert (await ledger.verify()).ok


async def test_a_settlement_whose_entry_is_there_gives_it_and_drops_its_hold(ledger: SqlLedger) -> None:
    entry = await ledger.append(draft(key="call_1", cost_usd=Decimal(1)))
    await ledger.reserve("call_1", Reservation("default", Decimal(2)), [Budget("tenant/default", Decimal(10))])
    settled = await ledger.settle("call_1", draft(key="call_1", cost_usd=Decimal(2), output_body=b"said"))
    assert settled == entry
    spend = await ledger.spend("tenant/default", "month")
    assert (spend.settled_usd, spend.held_usd) == (Decimal(1), Decimal(0))
    verification = await ledger.verify()
    assert (verification.entries, verification.bodies, verification.ok) == (1, 0, True)


async def test_concurrent_appends_leave_no_gap_and_no_fork(ledger: SqlLedger) -> None:
    async def work(worker: int) -> None:
        for number in range(20):
            await ledger.append(draft(stream=f"worker/{worker}", data={"number": number}))

    await asyncio.gather(*(work(worker) for worker in range(8)))
    assert [entry.seq for entry in await ledger.read()] == list(range(1, 161))
    for worker in range(8):
        numbers = [entry.data["number"] for entry in await ledger.read(stream=f"worker/{worker}")]
        assert numbers == list(range(20))
    assert (await ledger.verify()).ok


async def test_a_refused_write_does_not_disturb_its_neighbours(ledger: SqlLedger) -> None:
    drafts = [draft(cause=99) if number % 3 == 0 else draft(data={"number": number}) for number in range(30)]
    outcomes = await asyncio.gather(*(ledger.append(each) for each in drafts), return_exceptions=True)
    assert [isinstance(outcome, ValueError) for outcome in outcomes] == [number % 3 == 0 for number in range(30)]
    assert [entry.seq for entry in await ledger.read()] == list(range(1, 21))
    assert (await ledger.verify()).ok


async def test_followers_see_what_is_there_and_what_comes(ledger: SqlLedger) -> None:
    await ledger.append(draft(stream="task/a"))
    await ledger.append(draft(stream="task/a"))
    async with asyncio.timeout(20):
        follower = ledger.follow("task/", after=1)
        assert (await anext(follower)).seq == 2
        coming = asyncio.ensure_future(anext(follower))
        await ledger.append(draft(stream="other"))
        await ledger.append(draft(stream="task/b"))
        assert (await coming).seq == 4
        await follower.aclose()


async def test_bodies_are_kept_once_under_the_digest_of_what_is_kept(ledger: SqlLedger) -> None:
    for body in (b"", b"short", "Grüße".encode() * 1000, random.Random(1).randbytes(1000), b"cut off \xc3"):
        digest = await ledger.put_body(body)
        assert digest == hashlib.sha256(body).hexdigest()
        assert await ledger.put_body(body) == digest
        assert await ledger.get_body(digest) == body
    verification = await ledger.verify()
    assert (verification.bodies, verification.ok) == (5, True)
    with pytest.raises(UnknownBody, match="0000"):
        await ledger.get_body("0" * 64)


@pytest.mark.parametrize("content", [b"", b"short", f"key={KEY} ".encode() * 2000])
async def test_a_body_that_comes_along_is_stored_with_its_entry(ledger: SqlLedger, content: bytes) -> None:
    entry = await ledger.append(draft(output_body=content, key="once"))
    redacted = content.replace(KEY.encode(), b"[redacted:bailey-key]")
    assert entry.output_digest == hashlib.sha256(redacted).hexdigest()
    assert await ledger.get_body(entry.output_digest) == redacted
    assert await ledger.append(draft(output_body=b"another", key="once")) == entry
    verification = await ledger.verify()
    assert (verification.entries, verification.bodies, verification.ok) == (1, 1, True)


async def test_an_entry_that_is_refused_leaves_no_body(ledger: SqlLedger) -> None:
    with pytest.raises(ValueError, match="output_body or its output_digest"):
        await ledger.append(draft(output_body=b"said", output_digest="0" * 64))
    with pytest.raises(ValueError, match="cause"):
        await ledger.append(draft(output_body=b"said", cause=7))
    assert (await ledger.verify()).bodies == 0


async def test_the_same_body_put_many_times_at_once_is_one_body(ledger: SqlLedger) -> None:
    digests = await asyncio.gather(*(ledger.put_body(b"the same") for _ in range(20)))
    assert len(set(digests)) == 1
    verification = await ledger.verify()
    assert (verification.bodies, verification.ok) == (1, True)


async def test_a_large_body_fits(ledger: SqlLedger) -> None:
    line = b"def next_number(number: int) -> int: return number + 1\n"
    body = line * (20_000_000 // len(line)) + random.Random(2).randbytes(100_000)
    assert await ledger.get_body(await ledger.put_body(body)) == body
    assert (await ledger.verify()).ok


async def test_secrets_are_replaced_before_anything_is_hashed(ledger: SqlLedger) -> None:
    digest = await ledger.put_body(f"key={KEY}, cut off ".encode() + b"\xc3")
    redacted = b"key=[redacted:bailey-key], cut off \xc3"
    assert digest == hashlib.sha256(redacted).hexdigest()
    assert await ledger.get_body(digest) == redacted
    entry = await ledger.append(draft(data={"said": [f"use {KEY}"], KEY: 1, KEY.lower(): 2, "password": "hunter2"}))
    assert entry.data == {
        "said": ["use [redacted:bailey-key]"],
        "[redacted:bailey-key]": 1,
        "[redacted:bailey-key] (2)": 2,
        "password": "[redacted:assigned-secret]",
    }
    assert entry.hash == expected_hash(entry)
    assert await ledger.read() == [entry]


async def test_a_second_opening_continues_the_chain(ledger_url: str, clock: HandClock) -> None:
    first = await open_ledger(ledger_url, clock=clock)
    entry = await first.append(draft())
    await first.close()
    second = await open_ledger(ledger_url, clock=clock)
    assert (await second.append(draft())).previous_hash == entry.hash
    assert (await second.verify()).ok
    await second.close()


async def test_closing_twice_is_safe_and_a_closed_ledger_says_so(ledger: SqlLedger) -> None:
    follower = ledger.follow("calls")
    waiting = asyncio.ensure_future(anext(follower))
    appended = asyncio.ensure_future(ledger.append(draft(stream="other")))
    await asyncio.sleep(0)
    await ledger.close()
    await ledger.close()
    assert (await appended).seq == 1
    for use in (ledger.append(draft()), ledger.read(), waiting):
        with pytest.raises(LedgerUnavailable, match="closed"):
            await use
