"""The wiring diagram: builds every object once and hands it to those who need it.

Nothing else constructs engines, stores or sandboxes, and nothing here decides anything. Each `opened_…`
closes in reverse order what it opened.
"""

from __future__ import annotations

import fcntl
import sys
from collections.abc import AsyncGenerator, Callable, Iterator
from contextlib import AsyncExitStack, asynccontextmanager, contextmanager
from dataclasses import dataclass
from pathlib import Path

from codegen.attempts import Attempts
from codegen.ladder import Ladder
from codegen.protocol import PastCall
from codegen.repository import Repository
from codegen.rungs import RUNGS
from codegen.tasks import Tasks
from codegen.workflow import Workshop
from gateway.config import Config
from gateway.engine_factory import cluster_at
from gateway.fleet import Fleet, key_variables, opened_fleet
from gateway.keys import Keys
from gateway.problems import StartProblem
from gateway.responses_store import LedgerResponses
from gateway.settings import SOURCE_KEYS, Settings, secrets
from gateway.telemetry import MeteredEngine, Telemetry, memory_of
from inference.catalog import LlamaCppModel, ModelSpec, VllmModel
from inference.engines import Resources
from inference.errors import WeightsError
from inference.memory import in_words
from inference.protocol import Engine
from inference.responses.store import ResponseStore
from inference.weights import WeightsStore
from inference.weights.remote import Access
from inference.weights.selection import kind_for
from ledger.protocol import Ledger
from ledger.sql_ledger import SqlLedger, open_ledger, utc_now
from retrieval.index import QdrantIndex
from router.decide import Rules
from router.record import recorded_call
from router.router import Router
from router.verified import VerifiedCalls
from sandbox.nsjail import NsjailSandbox
from sandbox.protocol import Sandbox

# A token has at least about three bytes, in prose and in code; budgets of context are kept with this.
_BYTES_PER_TOKEN = 3


@dataclass(frozen=True, slots=True)
class Appliance:
    """Everything that the HTTP application needs."""

    config: Config
    engine: Engine
    ledger: Ledger
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
    sandbox: Sandbox
    engine: Engine
    indexes: _Indexes
    verified: VerifiedCalls


class _History:
    """Past model calls, from the ledger."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger

    async def past_call(self, request_id: str) -> PastCall | None:
        found = await recorded_call(self._ledger, request_id)
        return PastCall(found.completion, found.cost_usd) if found else None


@asynccontextmanager
async def opened_ledger(settings: Settings) -> AsyncGenerator[SqlLedger, None]:
    """The ledger and its accounts. Raises `StartProblem`, and what the ledger raises."""
    try:
        settings.data.mkdir(parents=True, exist_ok=True, mode=0o700)
        ledger = await open_ledger(settings.database_url or f"sqlite:///{(settings.data / 'ledger.db').resolve()}")
    except OSError as error:
        raise StartProblem(f"The data folder {settings.data} cannot be used: {error.strerror}.") from None
    except ValueError as error:
        raise StartProblem(f"BAILEY_DATABASE_URL cannot be used: {error}") from None
    try:
        yield ledger
    finally:
        await ledger.close()


@asynccontextmanager
async def opened_keys(settings: Settings) -> AsyncGenerator[Keys, None]:
    """The API keys."""
    async with opened_ledger(settings) as ledger:
        yield Keys(ledger, utc_now)


@asynccontextmanager
async def opened_engine(config: Config, settings: Settings) -> AsyncGenerator[Engine, None]:
    """The router over all engines, without a server."""
    async with AsyncExitStack() as stack:
        ledger = await stack.enter_async_context(opened_ledger(settings))
        fleet = await stack.enter_async_context(opened_fleet(config, settings, _resources(config, settings), ledger))
        await fleet.open_only()
        yield _router(config, settings, fleet, ledger, stack)


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
        sandbox = await stack.enter_async_context(opened_sandbox(config, settings))
        resources = _resources(config, settings)
        opening = opened_fleet(config, settings, resources, ledger, telemetry.versions)
        fleet = await stack.enter_async_context(opening)
        await fleet.releases.begin()
        telemetry.watch(fleet.engines)
        engine = MeteredEngine(_router(config, settings, fleet, ledger, stack), telemetry)
        indexes = _Indexes(config, settings, engine)
        stack.push_async_callback(indexes.close)
        parts = _Parts(config, ledger, sandbox, engine, indexes, VerifiedCalls(ledger, fleet.versions))
        tasks = Tasks(_workshop(parts, settings))
        stack.push_async_callback(tasks.close)
        yield Appliance(config, engine, ledger, Keys(ledger, utc_now), tasks, sandbox, telemetry, fleet)


def _router(config: Config, settings: Settings, fleet: Fleet, ledger: SqlLedger, stack: AsyncExitStack) -> Router:
    rules = Rules(
        config,
        {route.name: route for route in config.routes},
        {tenant.name: tenant for tenant in config.tenants},
        config.air_gapped,
        placed=settings.ray_address is not None,
    )
    router = Router(rules, fleet.engines, ledger, ledger, fleet.versions)
    stack.push_async_callback(router.close)
    return router


def _resources(config: Config, settings: Settings) -> Resources:
    names = [*key_variables(config), *SOURCE_KEYS]
    return Resources(weights_store(config, settings), settings.data / "logs", secrets(names))


def _sandbox(config: Config, settings: Settings) -> NsjailSandbox:
    site = (settings.sandbox_site or Path(".sandbox-site")).resolve()
    if not (site / "pytest").is_dir():
        raise StartProblem(
            f"The tools for generated code are not at {site}; run `make setup`, or set BAILEY_SANDBOX_SITE."
        )
    return NsjailSandbox(config.sandbox, python=Path(sys.executable).resolve(), site=site)


class _Indexes:
    """One index per repository, opened at its first use."""

    def __init__(self, config: Config, settings: Settings, engine: Engine) -> None:
        self._spec = config.retrieval
        self._folder = settings.data.resolve() / "indexes"
        self._embedder = engine if config.retrieval.embedder else None
        self._open: dict[str, QdrantIndex] = {}

    def open(self, repository: Repository) -> QdrantIndex:
        """The index of a repository."""
        if repository.name not in self._open:
            folder = self._folder / repository.name
            self._open[repository.name] = QdrantIndex(folder, self._spec, self._embedder)
        return self._open[repository.name]

    async def close(self) -> None:
        """Close all of them."""
        for index in self._open.values():
            await index.close()


def _workshop(appliance: _Parts, settings: Settings) -> Workshop:
    """What code tasks work with."""
    spec = appliance.config.codegen
    ladder = Ladder(RUNGS, appliance.sandbox, appliance.ledger)
    return Workshop(
        spec=spec,
        ledger=appliance.ledger,
        sandbox=appliance.sandbox,
        attempts=Attempts(spec, appliance.engine, _History(appliance.ledger), ladder, appliance.verified),
        ladder=ladder,
        open_repository=lambda source: Repository(source, settings.data.resolve() / "repositories"),
        open_index=appliance.indexes.open,
        retrieval=appliance.config.retrieval,
        count_tokens=lambda text: len(text.encode()) // _BYTES_PER_TOKEN + 1,
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


@asynccontextmanager
async def opened_sandbox(config: Config, settings: Settings) -> AsyncGenerator[Sandbox, None]:
    """The sandbox, proven on this machine. Raises `SandboxUnavailable` or `StartProblem`."""
    sandbox = _sandbox(config, settings)
    try:
        await sandbox.check()
        yield sandbox
    finally:
        await sandbox.close()


def weights_store(
    config: Config, settings: Settings, root: Path | None = None, *, online: bool = False
) -> WeightsStore:
    """Where weights are kept, here or in another folder `root`. In an air gap nothing is fetched unless `online`."""
    token = settings.hf_token.get_secret_value() if settings.hf_token else None
    hub = settings.hf_endpoint.rstrip("/") if settings.hf_endpoint else None
    return WeightsStore(
        root or settings.weights or settings.data / "weights",
        cache=settings.data / "weights",
        offline=config.air_gapped and not online,
        access=Access(hub, token, settings.registry_keys),
    )


def weights_state(model: ModelSpec, config: Config, settings: Settings) -> str:
    """A word on a model's weights, without fetching anything."""
    if not isinstance(model, LlamaCppModel | VllmModel):
        return "elsewhere"
    try:
        found = weights_store(config, settings).here(model.source, kind_for(model.engine), model.sha256)
    except WeightsError as error:
        return str(error)
    return "here" if found else f"not pulled: bailey models pull {model.name}"
