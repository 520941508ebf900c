"""Money and record around every call: reserved before, settled after, whatever happens in between."""

from __future__ import annotations

import asyncio
import time
from contextlib import aclosing
from decimal import Decimal
from typing import Any

import pytest

from inference.catalog import ScriptedReply
from inference.collect import complete
from inference.errors import DeadlineExceeded, EngineUnavailable
from inference.protocol import Caller, ChatRequest, Chunk, EmbedRequest, Message, Sampling
from ledger.protocol import Entry, Reserved, tenant_account
from ledger.sql_ledger import SqlLedger
from router.errors import PolicyRefused, QuotaExceeded
from router.record import recorded_call
from router.router import Router
from tests.router.conftest import rules, scripted


def ask(model: str = "auto", tenant: str = "default", **more: object) -> ChatRequest:
    caller = Caller(tenant, "ada", "internal")
    return ChatRequest(model, (Message("user", "Say something"),), caller=caller, **more)  # type: ignore[arg-type]


async def calls(ledger: SqlLedger) -> list[Entry]:
    return await ledger.read(stream="calls")


async def held(ledger: SqlLedger, tenant: str = "default") -> Decimal:
    return (await ledger.spend(tenant_account(tenant), "total")).held_usd


async def test_a_finished_call_is_priced_recorded_and_found_again(router: Router, ledger: SqlLedger) -> None:
    request = ask()
    completion = await complete(router, request)
    (entry,) = await calls(ledger)
    assert (entry.type, entry.actor, entry.data["model"]) == ("call.finished", "ada", "small")
    usage = completion.usage
    expected = Decimal(usage.prompt_tokens * 1 + usage.completion_tokens * 2) / 1_000_000
    assert entry.cost_usd == usage.cost_usd == expected > 0
    assert await held(ledger) == 0
    assert (await ledger.spend("tenant/default", "total")).settled_usd == expected
    found = await recorded_call(ledger, request.request_id)
    assert found is not None
    assert found.completion == completion


async def test_the_first_chunk_says_why_and_the_last_says_what_it_cost(router: Router) -> None:
    chunks = [chunk async for chunk in router.stream(ask())]
    assert chunks[0].route.startswith("model=small; tier=draft; reason=")
    assert not any(chunk.route for chunk in chunks[1:])
    assert chunks[-1].usage is not None
    assert chunks[-1].usage.cost_usd > 0
    assert {chunk.model for chunk in chunks} == {"small"}


async def test_an_aborted_stream_is_charged_for_what_came(ledger: SqlLedger) -> None:
    router = Router(rules(), {"small": scripted("small", delay_seconds=0.01)}, ledger, ledger)
    async with aclosing(router.stream(ask("small"))) as chunks:
        came = [await anext(chunks), await anext(chunks)]
        assert await held(ledger) > 0
    (entry,) = await calls(ledger)
    assert entry.type == "call.cancelled"
    assert entry.data["usage_estimated"] is True
    assert entry.data["completion_tokens"] == -(-sum(len(chunk.text) for chunk in came) // 3)
    assert entry.cost_usd > 0
    assert await held(ledger) == 0


class SlowAccounts:
    """The ledger's accounts, with a reservation that somebody may leave in its middle."""

    def __init__(self, ledger: SqlLedger) -> None:
        self.ledger, self.reserving, self.go_on = ledger, asyncio.Event(), asyncio.Event()

    def __getattr__(self, name: str) -> Any:
        return getattr(self.ledger, name)

    async def reserve(self, *arguments: Any, body: bytes | None = None) -> Reserved:
        self.reserving.set()
        await self.go_on.wait()
        return await self.ledger.reserve(*arguments, body=body)


async def test_who_leaves_while_money_is_reserved_leaves_no_hold(ledger: SqlLedger) -> None:
    accounts = SlowAccounts(ledger)
    router = Router(rules(), {"small": scripted("small")}, ledger, accounts)
    call = asyncio.create_task(complete(router, ask("small")))
    await accounts.reserving.wait()
    call.cancel()
    accounts.go_on.set()
    with pytest.raises(asyncio.CancelledError):
        await call
    await router.close()
    (entry,) = await calls(ledger)
    assert (entry.type, entry.data["model"]) == ("call.cancelled", None)
    assert entry.cost_usd == 0
    assert await held(ledger) == 0


async def test_an_aborted_stream_of_long_chunks_is_charged_for_their_length(ledger: SqlLedger) -> None:
    reply = ScriptedReply(text=" ".join(["x" * 299] * 3))
    router = Router(rules(), {"small": scripted("small", replies=(reply,))}, ledger, ledger)
    async with aclosing(router.stream(ask("small"))) as chunks:
        got = await anext(chunks)
    (entry,) = await calls(ledger)
    assert (entry.type, entry.data["usage_estimated"]) == ("call.cancelled", True)
    assert entry.data["completion_tokens"] == -(-len(got.text) // 3) > 90


async def test_a_cancelled_caller_still_settles(ledger: SqlLedger) -> None:
    router = Router(rules(), {"small": scripted("small", delay_seconds=30)}, ledger, ledger)
    call = asyncio.create_task(complete(router, ask("small")))
    while not router.slots["small"].running:
        await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    await router.close()
    (entry,) = await calls(ledger)
    assert entry.type == "call.cancelled"
    assert await held(ledger) == 0
    assert entry.cost_usd > 0  # a prompt that was sent is paid for


class Broken:
    """Breaks before or after its first chunk; everything else is the engine it wraps."""

    def __init__(self, inner: object, *, after_chunks: int) -> None:
        self._inner = inner
        self._after_chunks = after_chunks

    def __getattr__(self, name: str) -> object:
        return getattr(self._inner, name)

    async def stream(self, request: ChatRequest):  # type: ignore[no-untyped-def]  # a double for one test
        for number in range(self._after_chunks):
            yield Chunk(text=f"{number} ")
        raise EngineUnavailable("It fell over.")


async def test_before_the_first_chunk_another_candidate_takes_over(ledger: SqlLedger) -> None:
    engines = {"small": Broken(scripted("small"), after_chunks=0), "middle": scripted("middle")}
    router = Router(rules(), engines, ledger, ledger)  # type: ignore[arg-type]
    assert (await complete(router, ask())).text == "middle says so"
    (entry,) = await calls(ledger)
    assert entry.data["taken_over"] == [{"model": "small", "error": "It fell over."}]
    assert entry.data["model"] == "middle"
    assert await held(ledger) == 0


async def test_after_the_first_chunk_the_error_ends_the_stream(ledger: SqlLedger) -> None:
    engines = {"small": Broken(scripted("small"), after_chunks=2), "middle": scripted("middle")}
    router = Router(rules(), engines, ledger, ledger)  # type: ignore[arg-type]
    with pytest.raises(EngineUnavailable, match="fell over"):
        await complete(router, ask())
    (entry,) = await calls(ledger)
    assert (entry.type, entry.data["error"], entry.data["completion_tokens"]) == ("call.failed", "It fell over.", 2)
    assert entry.cost_usd > 0


async def test_what_does_not_fit_the_budget_is_refused_before_it_is_sent(router: Router, ledger: SqlLedger) -> None:
    with pytest.raises(QuotaExceeded, match=r"Tenant 'poor' may spend 0\.003 USD"):
        await complete(router, ask("middle", "poor"))
    (entry,) = await calls(ledger)
    assert (entry.type, entry.data["code"], entry.cost_usd) == ("call.refused", "insufficient_quota", Decimal(0))
    assert (await complete(router, ask("small", "poor", sampling=Sampling(max_tokens=20)))).text


async def test_a_hundred_calls_at_once_never_overshoot(ledger: SqlLedger) -> None:
    engine = scripted("small", concurrency=100, queue=100)
    router = Router(rules(), {"small": engine}, ledger, ledger)
    router.slots["small"]._queue = 100

    async def one() -> bool:
        try:
            await complete(router, ask("small", "poor", sampling=Sampling(max_tokens=20)))
        except QuotaExceeded:
            return False
        return True

    answered = await asyncio.gather(*(one() for _ in range(100)))
    spend = await ledger.spend("tenant/poor", "total")
    assert sum(answered) > 0
    assert spend.settled_usd <= Decimal("0.003")
    assert spend.held_usd == 0
    assert len(await calls(ledger)) == 100


async def test_full_slots_are_said_at_once_and_come_free_again(ledger: SqlLedger) -> None:
    router = Router(rules(), {"small": scripted("small", delay_seconds=0.05)}, ledger, ledger)
    running = [asyncio.create_task(complete(router, ask("small"))) for _ in range(3)]  # two slots and one in the queue
    while router.slots["small"].waiting < 1:
        await asyncio.sleep(0)
    with pytest.raises(EngineUnavailable, match="busy") as refused:
        await complete(router, ask("small"))
    assert refused.value.retry_after_seconds
    await asyncio.gather(*running)
    assert (router.slots["small"].running, router.slots["small"].waiting) == (0, 0)


async def test_in_a_full_queue_batch_gives_way(router: Router, ledger: SqlLedger) -> None:
    slots, caller = router.slots["small"], Caller("default", "ada", "internal")
    async with slots.slot(None), slots.slot(None), asyncio.timeout(10):
        patient = asyncio.create_task(router.embed(EmbedRequest("small", ("a",), caller=caller, priority="batch")))
        while not slots.waiting:
            await asyncio.sleep(0)
        with pytest.raises(EngineUnavailable, match="busy"):
            await complete(router, ask("small", priority="batch"))
        urgent = asyncio.create_task(complete(router, ask("small")))
        with pytest.raises(EngineUnavailable, match="took this one's place"):
            await patient
    assert (await urgent).text == "small says these five words"
    entries = await calls(ledger)
    assert [entry.type for entry in entries] == ["call.failed", "call.failed", "call.finished"]
    assert await held(ledger) == 0


async def test_a_deadline_ends_the_wait_for_a_slot(router: Router, ledger: SqlLedger) -> None:
    slots, caller = router.slots["small"], Caller("default", "ada", "internal")
    soon = time.time() + 0.05
    async with slots.slot(None), slots.slot(None), asyncio.timeout(10):
        with pytest.raises(DeadlineExceeded):
            await router.embed(EmbedRequest("small", ("a",), caller=caller, deadline=soon))
        with pytest.raises(DeadlineExceeded):
            await complete(router, ask("small", deadline=soon))
        assert (slots.running, slots.waiting) == (2, 0)
    assert await held(ledger) == 0


async def test_refused_decisions_are_on_record(router: Router, ledger: SqlLedger) -> None:
    with pytest.raises(PolicyRefused):
        await complete(router, ask("cloud"))
    (entry,) = await calls(ledger)
    assert (entry.type, entry.data["asked"], entry.data["code"]) == ("call.refused", "cloud", "policy_violation")


async def test_embeddings_pass_through_the_same_rules_and_money(router: Router, ledger: SqlLedger) -> None:
    caller = Caller("default", "ada", "internal")
    embeddings = await router.embed(EmbedRequest("auto", ("one", "two"), caller=caller))
    assert len(embeddings.vectors) == 2
    assert embeddings.usage.cost_usd > 0
    (entry,) = await calls(ledger)
    assert (entry.data["kind"], entry.data["model"], entry.cost_usd) == ("embed", "small", embeddings.usage.cost_usd)
    with pytest.raises(QuotaExceeded):
        await router.embed(EmbedRequest("small", ("x" * 900,) * 5, caller=Caller("poor", "ada", "internal")))


async def test_prompts_with_secrets_are_stored_without_them(router: Router, ledger: SqlLedger) -> None:
    secret = "ghp_" + "a1B2" * 9
    request = ChatRequest("small", (Message("user", f"my token is {secret}"),), caller=Caller("default", "ada"))
    await complete(router, request)
    (entry,) = await calls(ledger)
    assert entry.input_digest is not None
    assert secret.encode() not in await ledger.get_body(entry.input_digest)


@pytest.mark.parametrize("leaves", [False, True])
async def test_who_waits_does_so_for_its_tenant_and_the_record_says_how_long(
    router: Router, ledger: SqlLedger, leaves: bool
) -> None:
    slots = router.slots["small"]
    async with slots.slot(None), slots.slot(None), asyncio.timeout(10):
        patient = asyncio.create_task(complete(router, ask("small", "poor", sampling=Sampling(max_tokens=20))))
        while not slots.waiting:
            await asyncio.sleep(0)
        assert slots.waiting_by_tenant == {"poor": 1}
        until = time.monotonic() + 0.01
        while time.monotonic() < until:
            await asyncio.sleep(0)
        if leaves:
            patient.cancel()
            await asyncio.wait([patient])
    await asyncio.wait([patient])
    (entry,) = await calls(ledger)
    assert entry.type == ("call.cancelled" if leaves else "call.finished")
    assert 0.01 <= float(str(entry.data["waited_seconds"])) <= float(str(entry.data["total_seconds"]))
