"""Ten thousand mixed calls through three gateways on one store, with outages, faults, aborts and drift.

Afterwards the upstreams' own books are held against the ledger: what may a tenant have spent, who saw which data, and
is every counted call paid for to the cent? A call that was cut off is charged by an estimate, which may not be less
than what the upstream worked.
"""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from bench.control.traffic import CLASSES, TENANTS, chat, tenant, texts
from bench.control.upstream import Upstream
from bench.report import ROOT, Row, keep, put_into
from gateway.assemble import rules_of
from gateway.config import Config
from inference.errors import EngineError
from inference.protocol import ChatRequest
from ledger.protocol import Entry, tenant_account
from ledger.sql_ledger import SqlLedger, open_ledger
from router.router import Router

CALLS, GATEWAYS, AT_ONCE = 10_000, 3, 100
LIMIT_USD, CLOUD_LIMIT_USD = Decimal("0.4"), Decimal(1)
_ABORTED = 0.1
_OUTAGE_CALLS = 400
"""How long an upstream stays down, in calls of the run."""


def _model(name: str, tier: str, dollars: float, **more: Any) -> dict[str, Any]:
    price = {"input_usd_per_million": dollars, "output_usd_per_million": 4 * dollars}
    limits = {"context_tokens": 8000, "concurrency": 40, "queue": 200}
    can = {"capabilities": ["chat", "embeddings"], "replies": [{"text": "unused"}]}
    return {"name": name, "engine": "scripted", "tier": tier, "price": price, **limits, **can, **more}


def configuration() -> Config:
    """Two models here, two in clouds that may see public or public and internal data; tight budgets."""
    budget = {"limit_usd": LIMIT_USD, "window": "total"}
    outside = {"location": "cloud"}
    return Config.model_validate(
        {
            "version": 1,
            "data_classes": CLASSES,
            "tiers": ["draft", "standard", "premium"],
            "models": [
                _model("local", "draft", 1),
                _model("local-large", "standard", 5),
                _model("cloud-cheap", "standard", 3, **outside, data_classes=["public", "internal"]),
                _model("cloud-strong", "premium", 30, **outside, data_classes=["public"]),
            ],
            "routes": [{"name": "auto", "models": ["local", "local-large", "cloud-cheap", "cloud-strong"]}],
            "tenants": [
                {
                    "name": tenant(number),
                    "data_class": CLASSES[number % len(CLASSES)],
                    "budget": budget,
                    "key_budget": {**budget, "limit_tokens": 400_000},
                }
                for number in range(TENANTS)
            ],
            "model_budgets": {"cloud-strong": {"limit_usd": CLOUD_LIMIT_USD, "window": "total"}},
        }
    )


@dataclass(slots=True)
class Outcome:
    """What a run left behind."""

    config: Config
    upstreams: Mapping[str, Upstream]
    entries: Sequence[Entry]
    held_usd: Decimal
    spent_usd: Mapping[str, Decimal]
    seconds: float


async def simulated(folder: Path, calls: int, seed: int) -> Outcome:
    """Run the traffic."""
    config, chance = configuration(), random.Random(seed)
    upstreams = {model.name: Upstream(model, random.Random(f"{seed} {model.name}")) for model in config.models}
    url = f"sqlite:///{folder}/ledger.db"
    ledgers = [await open_ledger(url) for _ in range(GATEWAYS)]
    routers = [Router(rules_of(config), upstreams, ledger, ledger) for ledger in ledgers]
    started = time.perf_counter()
    await _drive(routers, upstreams, chance, calls)
    seconds = time.perf_counter() - started
    for router in routers:
        await router.close()
    outcome = await _outcome(config, upstreams, ledgers[0], seconds)
    for ledger in ledgers:
        await ledger.close()
    return outcome


async def _drive(
    routers: Sequence[Router], upstreams: Mapping[str, Upstream], chance: random.Random, calls: int
) -> None:
    numbers = iter(range(calls))

    async def client() -> None:
        for number in numbers:
            _break_and_mend(upstreams, number, chance)
            await _call(chance.choice(routers), chance, number / calls)

    await asyncio.gather(*(client() for _ in range(AT_ONCE)))


def _break_and_mend(upstreams: Mapping[str, Upstream], number: int, chance: random.Random) -> None:
    """Now and then something is down for a while; now and then all that is local, so that only clouds are left."""
    if number % _OUTAGE_CALLS:
        return
    down = chance.choice(([], ["local"], ["local", "local-large"], ["cloud-cheap"], ["cloud-strong", "local"]))
    for name, upstream in upstreams.items():
        upstream.down = name in down


async def _call(router: Router, chance: random.Random, progress: float) -> None:
    try:
        if chance.random() < 0.1:
            await router.embed(texts(chance))
        else:
            leaves_after = chance.randrange(20) if chance.random() < _ABORTED else None
            await _listen(router, chat(chance, progress), leaves_after)
    except EngineError:
        pass  # refused, broken off, too late: the books say what it cost


async def _listen(router: Router, request: ChatRequest, leaves_after: int | None) -> None:
    async with aclosing(router.stream(request)) as chunks:
        number = 0
        async for _ in chunks:
            if number == leaves_after:
                return
            number += 1


async def _outcome(config: Config, upstreams: Mapping[str, Upstream], ledger: SqlLedger, seconds: float) -> Outcome:
    spends = {name: await ledger.spend(tenant_account(name), "total") for name in map(tenant, range(TENANTS))}
    return Outcome(
        config,
        upstreams,
        await ledger.read(stream="calls"),
        sum((spend.held_usd for spend in spends.values()), Decimal(0)),
        {name: spend.settled_usd for name, spend in spends.items()},
        seconds,
    )


def violations(outcome: Outcome) -> int:
    """Requests that reached a model which may not see data of their class."""
    return sum(
        model.data_classes is not None and work.data_class not in model.data_classes
        for model in outcome.config.models
        for work in outcome.upstreams[model.name].books
    )


def overshoot(outcome: Outcome) -> Decimal:
    """The most that any tenant, key or model spent over its limit."""
    spent: dict[str, Decimal] = defaultdict(Decimal)
    for entry in outcome.entries:
        for account in entry.accounts:
            spent[account] += entry.cost_usd
    over = [usd - LIMIT_USD for usd in outcome.spent_usd.values()]
    over += [usd - LIMIT_USD for account, usd in spent.items() if account.startswith("key/")]
    return max(Decimal(0), spent["model/cloud-strong"] - CLOUD_LIMIT_USD, *over)


@dataclass(frozen=True, slots=True)
class Books:
    """Dollars as upstreams and ledger have them: of calls that were counted, and of those that were cut off."""

    counted: Decimal
    counted_in_ledger: Decimal
    cut_off: Decimal
    cut_off_in_ledger: Decimal
    undercharged: int


def books(outcome: Outcome) -> Books:
    """Every piece of work against the entry of its request. What another candidate took over was never charged."""
    by_request = {str(entry.data["request_id"]): entry for entry in outcome.entries}
    worked: dict[tuple[str, bool], Decimal] = defaultdict(Decimal)
    for request_id, usd, told in _worked(outcome):
        worked[request_id, told] += usd
    counted = {request_id: usd for (request_id, was_counted), usd in worked.items() if was_counted}
    cut_off = {request_id: usd for (request_id, was_counted), usd in worked.items() if not was_counted}
    charged = {request_id: by_request[request_id].cost_usd for request_id in {*counted, *cut_off}}
    return Books(
        sum(counted.values(), Decimal(0)),
        sum((charged[request_id] for request_id in counted), Decimal(0)),
        sum(cut_off.values(), Decimal(0)),
        sum((charged[request_id] for request_id in cut_off), Decimal(0)),
        sum(charged[request_id] < usd for request_id, usd in cut_off.items()),
    )


def _worked(outcome: Outcome) -> Iterator[tuple[str, Decimal, bool]]:
    for model in outcome.config.models:
        for work in outcome.upstreams[model.name].books:
            yield work.request_id, model.price.cost_usd(work.usage), work.counted


def rows_of(outcome: Outcome) -> list[Row]:
    """The promises, and how much was going on."""
    money, over, seen = books(outcome), overshoot(outcome), violations(outcome)
    calls = len(outcome.entries)
    return [
        Row("USD over any budget of tenants, keys and models", float(over), None, "0", over == 0),
        Row("requests that reached a model which may not see their data", seen, None, "0", seen == 0),
        Row(
            "USD of counted calls, ledger beside upstreams",
            float(money.counted_in_ledger),
            float(money.counted),
            "equal to the cent",
            money.counted_in_ledger == money.counted,
        ),
        Row(
            "USD of calls that were cut off, ledger (estimated) beside upstreams",
            float(money.cut_off_in_ledger),
            float(money.cut_off),
            "none for less",
            money.undercharged == 0,
        ),
        Row("USD still held at the end", float(outcome.held_usd), None, "0", outcome.held_usd == 0),
        Row("calls on record", calls, None),
        *(Row(f"calls that were {ending}", count, None) for ending, count in _endings(outcome)),
        Row("calls a second, all gateways together", round(calls / outcome.seconds, 1), None),
    ]


def _endings(outcome: Outcome) -> Iterator[tuple[str, int]]:
    for ending in ("finished", "failed", "cancelled", "refused"):
        yield ending, sum(entry.type == f"call.{ending}" for entry in outcome.entries)


async def measure() -> list[Row]:
    """One run of all calls."""
    with tempfile.TemporaryDirectory(prefix="bailey-bench-") as folder:
        rows = rows_of(await simulated(Path(folder), CALLS, seed=1))
    keep("control", rows)
    put_into(ROOT / "bench" / "README.md", "bench control", table(rows))
    return rows


def table(rows: Sequence[Row]) -> list[str]:
    """As it stands in bench/README.md."""
    lines = [
        f"| {row.what} | {row.ours:g} | {'' if row.peer is None else f'{row.peer:g}'} | {row.bar} |" for row in rows
    ]
    return ["| what | ledger | upstreams | bar |", "|---|---|---|---|", *lines]
