"""The wiring diagram: builds every object once and hands it to those who need it.

Nothing else constructs engines, stores or sandboxes, and nothing here decides anything. Each `opened_…`
closes in reverse order what it opened.
"""

from __future__ import annotations

import asyncio
import fcntl
import sys
from collections.abc import AsyncGenerator, Iterator, Mapping
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
from gateway.keys import Keys
from gateway.problems import StartProblem
from gateway.responses_store import LedgerResponses
from gateway.settings import Settings, secrets
from gateway.telemetry import MeteredEngine, Telemetry, memory_of
from inference.catalog import HttpModel, LlamaCppModel, ModelSpec, VllmModel
from inference.engines import Resources, build_engine
from inference.errors import WeightsError
from inference.memory import in_words
from inference.protocol import Engine
from inference.responses.store import ResponseStore
from inference.weights import WeightsStore
from ledger.protocol import Ledger
from ledger.sql_ledger import SqlLedger, open_ledger, utc_now
from retrieval.index import QdrantIndex
from router.record import recorded_call
from router.router import Router, Rules
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
    engines: Mapping[str, Engine]

    @property
    def responses(self) -> ResponseStore:
        """Where responses are kept."""
        return LedgerResponses(self.ledger, self.config)

    def memory(self) -> dict[str, str]:
        """What engines have allocated and what is resident, where known: model -> phrase."""
        return {name: in_words(parts) for name, parts in memory_of(self.engines).items() if parts}

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
        engines = await _engines(config, settings, stack)
        yield _router(config, engines, ledger, stack)


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
        engines = await _engines(config, settings, stack)
        telemetry.watch(engines)
        engine = MeteredEngine(_router(config, engines, ledger, stack), telemetry)
        indexes = _Indexes(config, settings, engine)
        stack.push_async_callback(indexes.close)
        tasks = Tasks(_workshop(_Parts(config, ledger, sandbox, engine, indexes), settings))
        stack.push_async_callback(tasks.close)
        yield Appliance(config, engine, ledger, Keys(ledger, utc_now), tasks, sandbox, telemetry, engines)


async def _engines(config: Config, settings: Settings, stack: AsyncExitStack) -> dict[str, Engine]:
    engines: dict[str, Engine] = {}
    resources = _resources(config, settings)
    for model in config.models:
        # In an air gap nothing that could reach outside is even built.
        if not (config.air_gapped and model.remote):
            engines[model.name] = await build_engine(model, resources)
            stack.push_async_callback(engines[model.name].close)
    return engines


def _router(config: Config, engines: Mapping[str, Engine], ledger: SqlLedger, stack: AsyncExitStack) -> Router:
    rules = Rules(
        config,
        {route.name: route for route in config.routes},
        {tenant.name: tenant for tenant in config.tenants},
        config.air_gapped,
    )
    router = Router(rules, engines, ledger, ledger)
    stack.push_async_callback(router.close)
    return router


def _resources(config: Config, settings: Settings) -> Resources:
    names = [model.api_key_env for model in config.models if isinstance(model, HttpModel) and model.api_key_env]
    store = WeightsStore(settings.data / "weights", offline=config.air_gapped)
    return Resources(store, settings.data / "logs", secrets(names))


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
        attempts=Attempts(spec, appliance.engine, _History(appliance.ledger), ladder),
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


@asynccontextmanager
async def opened_sandbox(config: Config, settings: Settings) -> AsyncGenerator[Sandbox, None]:
    """The sandbox, proven on this machine. Raises `SandboxUnavailable` or `StartProblem`."""
    sandbox = _sandbox(config, settings)
    try:
        await sandbox.check()
        yield sandbox
    finally:
        await sandbox.close()


async def fetch_weights(model: ModelSpec, config: Config, settings: Settings) -> str:
    """Where a model's weights are, fetched and checked if they were not. Raises `WeightsError`."""
    return await asyncio.to_thread(_weights, model, WeightsStore(settings.data / "weights", offline=config.air_gapped))


def weights_state(model: ModelSpec, settings: Settings) -> str:
    """A word on a model's weights, without fetching anything."""
    try:
        return "here" if _weights(model, WeightsStore(settings.data / "weights", offline=True)) else "elsewhere"
    except WeightsError as error:
        return str(error)


def _weights(model: ModelSpec, store: WeightsStore) -> str:
    match model:
        case LlamaCppModel():
            return str(store.gguf(model.source, model.sha256))
        case VllmModel():
            return str(store.folder(model.source, model.sha256))
        case _:
            return ""
