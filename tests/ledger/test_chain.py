"""The pure parts: canonical forms, money, windows, the check of a sequence, and exported files."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from enum import IntEnum
from fractions import Fraction
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from ledger.accounting import MOST_NANOS, WINDOWS, nanos_down, nanos_up, usd, usd_text, window_begins, window_ends
from ledger.chain import (
    ChainCheck,
    canonical_json,
    entry_from_json,
    entry_hash,
    entry_to_json,
    made_ready,
    seal,
    time_text,
)
from ledger.export import verify_export
from ledger.protocol import GENESIS_HASH, Draft, Entry, JsonValue, Window
from ledger.sql_ledger import open_ledger
from tests.ledger.clock import HandClock

NOON = datetime(2025, 11, 21, 12, tzinfo=UTC)


def chain(number: int) -> Iterator[Entry]:
    previous = GENESIS_HASH
    for seq in range(1, number + 1):
        draft = Draft(stream="calls", type="call.completed", actor="key_1", data={"n": seq}, cost_usd=Decimal(seq))
        ready = made_ready(draft, draft.data)
        entry = seal(ready, seq=seq, time=NOON + timedelta(seconds=seq), previous_hash=previous)
        previous = entry.hash
        yield entry


def test_canonical_forms() -> None:
    assert canonical_json({"b": [1, 1.0, "é\n"], "a": None}) == '{"a":null,"b":[1,1.0,"\\u00e9\\n"]}'
    assert time_text(NOON) == "2025-11-21T12:00:00.000000Z"
    assert time_text(NOON.astimezone(timezone(timedelta(hours=5, minutes=30)))) == time_text(NOON)
    with pytest.raises(ValueError, match="time zone"):
        time_text(NOON.replace(tzinfo=None))


@given(st.decimals(min_value=0, max_value=9 * 10**9, allow_nan=False))
def test_money_is_rounded_for_the_house(amount: Decimal) -> None:
    up, down = nanos_up(amount, "It"), nanos_down(amount, "It")
    assert down <= Fraction(amount) * 10**9 <= up <= down + 1
    assert (nanos_up(usd(up), "It"), nanos_up(Decimal(usd_text(up)), "It")) == (up, up)


@pytest.mark.parametrize("amount", ["-0.1", "NaN", "Infinity", str(usd(MOST_NANOS) + 1)])
def test_amounts_that_cannot_be_are_refused(amount: str) -> None:
    with pytest.raises(ValueError, match=r"^The cost is .* USD; "):
        nanos_up(Decimal(amount), "The cost")


ZONES = st.sampled_from([UTC, timezone(timedelta(hours=-11)), timezone(timedelta(hours=5, minutes=45))])


@given(st.datetimes(min_value=datetime(2000, 1, 1), timezones=ZONES), st.sampled_from(WINDOWS))
def test_a_moment_lies_in_its_window(now: datetime, window: Window) -> None:
    begins, ends = window_begins(window, now), window_ends(window, now)
    if window == "total":
        assert (begins, ends) == (None, None)
        return
    assert begins is not None
    assert ends is not None
    assert begins <= now < ends
    assert window_begins(window, ends) == ends
    assert window_ends(window, ends - timedelta(microseconds=1)) == ends


def test_an_entry_survives_json() -> None:
    for entry in chain(3):
        assert entry_from_json(json.loads(json.dumps(entry_to_json(entry)))) == entry
    with pytest.raises(ValueError, match="seq"):
        entry_from_json({name: value for name, value in entry_to_json(entry).items() if name != "seq"})
    with pytest.raises(ValueError, match="more"):
        entry_from_json({**entry_to_json(entry), "more": 1})


def test_a_whole_chain_holds() -> None:
    check = ChainCheck()
    assert [check.add(entry) for entry in chain(5)] == [None] * 5
    assert check.entries == 5


@pytest.mark.parametrize("field", ["seq", "time", "stream", "data", "cost_usd", "cause", "key", "previous_hash"])
def test_every_field_is_in_the_hash(field: str) -> None:
    [entry] = chain(1)
    changed = {"seq": 2, "time": NOON, "data": {}, "cost_usd": Decimal(0), "cause": 1, "previous_hash": "0"}
    assert entry_hash(replace(entry, **{field: changed.get(field, "other")})) != entry.hash  # type: ignore[arg-type]


_JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda children: st.lists(children, max_size=3) | st.dictionaries(st.text(), children, max_size=3),
)


@given(st.text(), st.dictionaries(st.text(), _JSON, max_size=4))
@example('me","data":null,"x":"', {"data": None, "": '"data":null'})
def test_a_sealed_entry_has_the_hash_of_its_fields(actor: str, data: dict[str, JsonValue]) -> None:
    entry = seal(made_ready(Draft("calls", "x.y", actor), data), seq=1, time=NOON, previous_hash=GENESIS_HASH)
    assert entry.hash == entry_hash(entry)
    assert entry.data == data


class Weight(float):
    """A number that JSON does not tell from another."""


class Kind(IntEnum):
    FIRST = 1


@pytest.mark.parametrize(
    ("data", "plain"),
    [
        ({"pair": (1, (2,))}, {"pair": [1, [2]]}),
        ({"enum": Kind.FIRST, "weight": Weight(0.5)}, {"enum": 1, "weight": 0.5}),
        ({"\ud83d\ude00": "\ud83d\ude00", "\ud83d": 1}, {"😀": "😀", "\ud83d": 1}),
        ({"\ud83d\ude00": 1, "\uffff": 2, "😀": 1}, {"\uffff": 2, "😀": 1}),
    ],
)
def test_ready_data_is_what_its_text_says(data: JsonValue, plain: JsonValue) -> None:
    ready = made_ready(Draft("calls", "x.y", "me"), data)
    assert ready.draft.data == plain
    assert json.loads(ready.data_json) == plain
    assert ready.data_json == canonical_json(plain)
    assert {type(value) for value in ready.draft.data.values()} <= {int, float, str, list}


def test_an_entry_older_than_the_one_before_does_not_hold() -> None:
    [first] = chain(1)
    second = seal(made_ready(Draft("calls", "x.y", "me"), {}), seq=2, time=NOON, previous_hash=first.hash)
    check = ChainCheck()
    assert check.add(first) is None
    assert check.add(second) == "Entry 2 is older than the entry before it."


@pytest.fixture
async def exported(tmp_path: Path) -> list[str]:
    """Three entries, the second of which names the first of two bodies: text and not text."""
    ledger = await open_ledger(f"sqlite:///{tmp_path}/ledger.db", clock=HandClock())
    text = await ledger.put_body("Grüße".encode())
    await ledger.put_body(b"\xff\x00")
    for number in range(3):
        draft = Draft("calls", "call.completed", "key_1", input_digest=text if number == 1 else None)
        await ledger.append(draft)
    lines = [json.dumps(line) async for line in ledger.export(bodies=True)]
    verification = await ledger.verify()
    assert verify_export(lines) == verification
    assert verification.ok
    assert (await ledger.verify()).bodies == 2
    without_bodies = [json.dumps(line) async for line in ledger.export()]
    assert verify_export(without_bodies) == replace(verification, bodies=0)
    await ledger.close()
    return lines


def test_an_exported_file_is_found_out(exported: list[str]) -> None:
    begin, first, second, third, *bodies, end = exported
    text, other = sorted(bodies, key=lambda line: '"text"' not in line)
    damaged: dict[str, list[str]] = {
        "The file breaks off: what came after entry 0": [],
        "Line 1 must be": exported[1:],
        "Entry 2 was altered": [begin, first, second.replace("key_1", "key_2"), third, end],
        "Entry 1 is missing": [begin, second, third, end],
        "Entry 2 is missing": [begin, first, third, end],
        "Entry 1 was altered": [begin, first.replace("0.000000000", "-1"), second, third, end],
        "Line 3 cannot be read": [begin, first, second[:50], third, end],
        "Line 4 does not belong": [begin, first, second, '{"note": 1}', third, end],
        "Line 2 cannot be read": [begin, '{"entry": {"seq": 1}}'],
        "The end promises 3 entries, 2 bodies": [begin, first, second, text, other, end],
        "The end promises 3 entries, 2": [begin, first, second, third, text, end],
        "The file breaks off: what came after entry 3": exported[:-1],
        "Line 8 does not belong": [*exported, third],
        "Entry 2 names a body that does not hold": [begin, first, second, third, text.replace("Gr", "gr"), other, end],
        "Body ": [begin, first, second, third, text, other.replace("/wA=", "/wE="), end],
    }
    for sentence, lines in damaged.items():
        problem = verify_export(lines).problem
        assert problem is not None
        assert problem.startswith(sentence), problem


def test_the_order_of_all_lines_matters(exported: list[str]) -> None:
    for place, _ in enumerate(pairwise(exported[:4])):
        swapped = [*exported[:place], exported[place + 1], exported[place], *exported[place + 2 :]]
        assert verify_export(swapped).problem is not None
