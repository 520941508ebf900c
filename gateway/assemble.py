"""The wiring diagram: builds every object once and hands it to those who need it.

Nothing else constructs engines (stores: `stores.py`, sandboxes: `sandboxes.py`), and nothing here decides anything.
Each `opened_…` closes in reverse order what it opened.
"""

from __future__ import annotations

import asyncio
import fcntl
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from codegen.attempts import Attempts
from codegen.ladder import Ladder
from codegen.protocol import PastCall
from codegen.repository import Repository
from codegen.rungs import RUNGS
from codegen.tasks import Tasks
from codegen.verifying import VerifyingEngine
from codegen.workflow import Workshop
from gateway.config import Config
from gateway.engine_factory import cluster_at
from gateway.fleet import Fleet, key_variables, opened_fleet
from gateway.indexes import Indexes
from gateway.keys import Keys
from gateway.learning import up_to_date
from gateway.problems import StartProblem
from gateway.responses_store import LedgerResponses
from gateway.retention import kept_short, retention_of
from gateway.sandboxes import opened_sandbox
from gateway.settings import SOURCE_KEYS, Settings, secrets
from gateway.shadow_metrics import ShadowMetrics
from gateway.stores import opened_ledger
from gateway.telemetry import MeteredEngine, Telemetry, memory_of
from gateway.weights import weights_store
from inference.engines import Resources
from inference.memory import in_words
from inference.protocol import Engine
from inference.responses.store import ResponseStore
from ledger.protocol import Accounts, Ledger
from ledger.sql_ledger import SqlLedger, utc_now
from router.decide import Rules
from router.explain import Records
from router.record import recorded_call
from router.router import Router
from router.shadows.engine import shadowing
from router.sharing import SharingEngine
from router.verified import VerifiedCalls
from sandbox.protocol import Sandbox

# A token has at least about three bytes, in prose and in code; budgets of context are kept with this.
_BYTES_PER_TOKEN = 3


@dataclass(frozen=True, slots=True)
class Appliance:
    """Everything that the HTTP application needs."""

    config: Config
    engine: Engine
    router: Router
    ledger: Records
    accounts: Accounts
    keys: Keys
    tasks: Tasks
    sandbox: Sandbox
    telemetry: Telemetry
    fleet: Fleet

    @property
    def responses(self) -> ResponseStore:
        """Where responses are kept."""
        return LedgerResponses(self.ledger, self.config)

    def memory(self) -> dict[str, str]:
        """What engines have allocated and what is resident, where known: model -> phrase."""
        return {name: in_words(parts) for name, parts in memory_of(self.fleet.engines).items() if parts}

    async def readiness(self) -> dict[str, str]:
        """What is not ready: part -> sentence."""
        health = await self.engine.health()
        return {} if health.ready else {"engines": health.detail}

    async def first_key(self) -> str | None:
        """The operator's key if there is no key at all yet."""
        if await self.keys.all():
            return None
        token, _ = await self.keys.create("operator", tenant=self.config.tenants[0].name, role="approver")
        return token


@dataclass(frozen=True, slots=True)
class _Parts:
    config: Config
    ledger: Ledger
    engine: Engine
    indexes: Indexes
    ladder: Ladder
    answers: VerifiedCalls


class _History:
    """Past model calls, from the ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def past_call(self, request_id: str) -> PastCall | None:
        found = await recorded_call(self._ledger, request_id)
        return PastCall(found.completion, found.cost_usd) if found else None


@asynccontextmanager
async def opened_engine(config: Config, settings: Settings) -> AsyncGenerator[Engine, None]:
    """The router over all engines, without a server."""
    async with AsyncExitStack() as stack:
        ledger = await stack.enter_async_context(opened_ledger(settings))
        fleet = await stack.enter_async_context(opened_fleet(config, settings, _resources(config, settings), ledger))
        await fleet.open_only()
        router = _router(config, settings, fleet, ledger, stack)
        sharing = SharingEngine(router, engine=await stack.enter_async_context(shadowing(router)))
        yield VerifyingEngine(sharing, config.codegen, _LadderOnDemand(config, settings, ledger, stack))


class _LadderOnDemand:
    """Opens the sandbox when the first answer is to be verified: most batches need none. Raises `SandboxError`."""

    def __init__(self, config: Config, settings: Settings, ledger: Ledger, stack: AsyncExitStack) -> None:
        self._config, self._settings, self._ledger, self._stack = config, settings, ledger, stack
        self._ladder: Ladder | None = None
        self._lock = asyncio.Lock()

    async def __call__(self) -> Ladder:
        async with self._lock:
            if self._ladder is None:
                sandbox = await self._stack.enter_async_context(
                    opened_sandbox(self._config.sandbox, self._settings, warm=True)
                )
                self._ladder = Ladder(RUNGS, sandbox, self._ledger)
            return self._ladder


@asynccontextmanager
async def opened_appliance(config: Config, settings: Settings) -> AsyncGenerator[Appliance, None]:
    """All of it. Raises `StartProblem` and what engines, ledger and sandbox raise."""
    started = utc_now()
    async with AsyncExitStack() as stack:
        ledger = await stack.enter_async_context(opened_ledger(settings))
        stack.enter_context(_only_one(settings.data / "lock"))
        await ledger.claim()
        await ledger.lapse(started)
        telemetry = Telemetry()
        sandbox = await stack.enter_async_context(opened_sandbox(config.sandbox, settings, warm=True))
        resources = _resources(config, settings)
        opening = opened_fleet(config, settings, resources, ledger, telemetry.versions)
        fleet = await stack.enter_async_context(opening)
        await fleet.releases.begin()
        telemetry.watch(fleet.engines)
        router = _router(config, settings, fleet, ledger, stack)
        telemetry.watch_budgets(router.standing.shares)
        telemetry.watch_slots(router.slots)
        telemetry.watch_upstreams(router.guards.states)
        workloads = {workload.name: workload for workload in config.workloads}
        await stack.enter_async_context(up_to_date(router.planner, ledger, workloads))
        await stack.enter_async_context(kept_short(ledger, retention_of(config)))
        telemetry.watch_workloads(workloads)
        shadowed = await stack.enter_async_context(shadowing(router))
        telemetry.watch_shadows(ShadowMetrics(shadowed))
        engine = MeteredEngine(SharingEngine(router, engine=shadowed), telemetry)
        indexes = Indexes(config.retrieval, settings.data.resolve() / "indexes", engine)
        stack.push_async_callback(indexes.close)
        ladder, answers = Ladder(RUNGS, sandbox, ledger), VerifiedCalls(ledger, fleet.versions)
        tasks = Tasks(_workshop(_Parts(config, ledger, engine, indexes, ladder, answers), sandbox, settings))
        stack.push_async_callback(tasks.close)
        verifying = VerifyingEngine(engine, config.codegen, _already(ladder), answers)
        yield Appliance(
            config, verifying, router, ledger, ledger, Keys(ledger, utc_now), tasks, sandbox, telemetry, fleet
        )


def _already(ladder: Ladder) -> Callable[[], Awaitable[Ladder]]:
    async def opened() -> Ladder:
        return ladder

    return opened


def _router(config: Config, settings: Settings, fleet: Fleet, ledger: SqlLedger, stack: AsyncExitStack) -> Router:
    rules = rules_of(config, placed=settings.ray_address is not None)
    router = Router(rules, fleet.engines, ledger, ledger, fleet.versions)
    stack.push_async_callback(router.close)
    return router


def rules_of(config: Config, *, placed: bool = False) -> Rules:
    """What models.yaml says about routing."""
    return Rules(
        config,
        {route.name: route for route in config.routes},
        {tenant.name: tenant for tenant in config.tenants},
        config.air_gapped,
        placed,
        config.model_budgets,
        {workload.name: workload for workload in config.workloads},
        config.privacy,
    )


def _resources(config: Config, settings: Settings) -> Resources:
    names = [*key_variables(config), *SOURCE_KEYS]
    return Resources(weights_store(config, settings), settings.data / "logs", secrets(names))


def _workshop(appliance: _Parts, sandbox: Sandbox, settings: Settings) -> Workshop:
    """What code tasks work with."""
    spec, history = appliance.config.codegen, _History(appliance.ledger)
    return Workshop(
        spec=spec,
        ledger=appliance.ledger,
        sandbox=sandbox,
        attempts=Attempts(spec, appliance.engine, history, appliance.ladder, appliance.answers),
        ladder=appliance.ladder,
        open_repository=lambda source: Repository(source, settings.data.resolve() / "repositories"),
        open_index=appliance.indexes.open,
        retrieval=appliance.config.retrieval,
        count_tokens=lambda text: len(text.encode()) // _BYTES_PER_TOKEN + 1,
        labels=appliance.config.labels,
    )


@contextmanager
def _only_one(path: Path) -> Iterator[None]:
    """One appliance per data folder: two would go on with the same tasks."""
    with path.open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise StartProblem(f"Another appliance runs on the data folder {path.parent}; stop it first.") from None
        yield


async def removed_from_cluster(config: Config, settings: Settings, tell: Callable[[str], None]) -> None:
    """Take all models from the Ray cluster; returns when the last replica has left. Raises `StartProblem`."""
    assert settings.ray_address is not None
    settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
    with _only_one(settings.data / "lock"):  # an appliance that runs would not know
        cluster = cluster_at(settings.ray_address, _resources(config, settings), settings.data)
        cluster.start()
        try:
            await cluster.emptied(tell)
        finally:
            await cluster.close()
