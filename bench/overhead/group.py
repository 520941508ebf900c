"""The group `overhead`: what a gateway costs, ours beside LiteLLM's proxy and no proxy, each alone on one core.

The upstream answers at once, so all that is measured is the gateway's. Ours keeps keys, budgets and a ledger entry
with both bodies for every call; LiteLLM runs without a database and keeps nothing.
"""

from __future__ import annotations

import json
import os
import statistics
from collections.abc import Awaitable, Callable

from bench.overhead.load import Load, flood, for_seconds, paced, post
from bench.overhead.servers import Server, litellm, make_litellm, ours, stay_off_the_gateways_core, upstream
from bench.overhead.upstream import PIECES
from bench.report import ROOT, Row, keep, put_into

_RUNS, _SECONDS = 3, 8.0
_CLIENTS, _STREAMS = 16, 32
_SHARE_OF_CAPACITY = 0.7
_SETTLED_AFTER, _REQUESTS = 10_000, int(os.environ.get("BENCH_REQUESTS", "100000"))
_LEAST_RATIO, _MOST_MS, _LEAST_CHUNKS, _MOST_GROWTH = 8.0, 10.0, 20_000, 1.05
_ASKED = [{"role": "user", "content": "Write a function add(a, b) that adds two numbers and returns the sum."}]


async def measure() -> list[Row]:
    """Writes bench/results/overhead.json and the table in bench/README.md."""
    make_litellm()
    stay_off_the_gateways_core()
    rows = [*await _requests(), *await _streams(), *await _memory()]
    keep("overhead", rows)
    put_into(ROOT / "bench" / "README.md", "bench overhead", _table(rows))
    return rows


async def _requests() -> list[Row]:
    async with upstream(1) as behind, ours(behind) as gateway, litellm(behind) as peer:
        floods = await _by_turns(lambda server: flood(*_asking(server), _CLIENTS, for_seconds(_SECONDS)), gateway, peer)
        ours_rate, peer_rate = (statistics.median(load.per_second for load in loads) for loads in floods)
        bare = await paced(*_asking(behind), ours_rate * _SHARE_OF_CAPACITY, _SECONDS)
        at_rate = {gateway.name: ours_rate, peer.name: peer_rate}
        paces = await _by_turns(
            lambda server: paced(*_asking(server), at_rate[server.name] * _SHARE_OF_CAPACITY, _SECONDS), gateway, peer
        )
    assert not any(load.failed for loads in (*floods, *paces) for load in loads), "A request failed."
    ratio = ours_rate / peer_rate
    rows = [
        Row(
            "requests/s on one core",
            *(
                round(ours_rate, 1),
                round(peer_rate, 1),
                f"at least {_LEAST_RATIO:g} times",
                ratio >= _LEAST_RATIO,
                _RUNS,
            ),
        )
    ]
    for percent in (50, 99):
        added = [
            1000 * (statistics.median(load.percentile(percent) for load in loads) - bare.percentile(percent))
            for loads in paces
        ]
        bar, holds = (f"at most {_MOST_MS:g} ms", added[0] <= _MOST_MS) if percent == 99 else ("", None)
        what = f"ms added to a request at {_SHARE_OF_CAPACITY:.0%} of its own capacity, p{percent}"
        rows.append(Row(what, round(added[0], 2), round(added[1], 2), bar, holds, _RUNS))
    return rows


async def _streams() -> list[Row]:
    async with upstream(PIECES) as behind, ours(behind) as gateway, litellm(behind) as peer:
        floods = await _by_turns(
            lambda server: flood(*_asking(server, stream=True), _STREAMS, for_seconds(_SECONDS)), gateway, peer
        )
    rates = [statistics.median(load.per_second * PIECES for load in loads) for loads in floods]
    return [
        Row(
            f"chunks/s on one core, {_STREAMS} streams",
            *(round(rates[0]), round(rates[1]), f"at least {_LEAST_CHUNKS}", rates[0] >= _LEAST_CHUNKS, _RUNS),
        )
    ]


async def _memory() -> list[Row]:
    """Each alone, because this takes long; growth is counted from when caches and pools are full."""
    grown = []
    for started in (ours, litellm):
        async with upstream(1) as behind, started(behind) as server:
            await flood(*_asking(server), _CLIENTS, lambda done: done < _SETTLED_AFTER)
            before = server.memory_mib()
            await flood(*_asking(server), _CLIENTS, lambda done: done < _REQUESTS - _SETTLED_AFTER)
            grown.append((before, server.memory_mib()))
    (before, after), (_, peer_after) = grown
    flat = after <= before * _MOST_GROWTH
    bar = f"at most {_MOST_GROWTH:g} times the {before:.0f} MiB after {_SETTLED_AFTER}"
    return [Row(f"MiB resident after {_REQUESTS} requests", round(after, 1), round(peer_after, 1), bar, flat)]


async def _by_turns(
    measured: Callable[[Server], Awaitable[Load]], gateway: Server, peer: Server
) -> tuple[list[Load], ...]:
    found: dict[str, list[Load]] = {gateway.name: [], peer.name: []}
    for run in range(_RUNS + 1):  # the first one warms up
        for server in (gateway, peer) if run % 2 else (peer, gateway):
            load = await measured(server)
            if run:
                found[server.name].append(load)
    return found[gateway.name], found[peer.name]


def _asking(server: Server, *, stream: bool = False) -> tuple[int, bytes]:
    """The port, and the bytes of the request."""
    body = {"model": "m", "messages": _ASKED, "max_tokens": 300, **({"stream": True} if stream else {})}
    return server.port, post("/v1/chat/completions", server.key, json.dumps(body).encode())


def _table(rows: list[Row]) -> list[str]:
    lines = ["| | ours | LiteLLM | bar | |", "|---|---|---|---|---|"]
    for row in rows:
        held = "" if row.holds is None else "held" if row.holds else "**missed**"
        lines.append(f"| {row.what} | {row.ours:g} | {row.peer:g} | {row.bar} | {held} |")
    return lines
