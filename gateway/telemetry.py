"""What the appliance measures, in Prometheus' text format and OpenTelemetry's GenAI names.

One registry per appliance, no globals. Labels never carry prompts, keys or paths of repositories.
"""

from __future__ import annotations

import time
from collections.abc import AsyncGenerator, Callable, Iterable, Mapping, Sequence
from contextlib import aclosing
from typing import get_args

from prometheus_client import CONTENT_TYPE_LATEST as EXPOSITION_TYPE
from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from gateway.queue_metrics import QueueMetrics
from inference.errors import EngineError
from inference.memory import KnowsMemory
from inference.protocol import ChatRequest, Chunk, Embeddings, EmbedRequest, Engine, Health, ModelCard, Tokens, Usage
from inference.replicas import KnowsReplicas
from router.limits import Slots
from router.resilience.breaker import State
from router.resilience.guard import UpstreamState
from router.versions.versions import Answered
from router.workloads import WorkloadSpec

__all__ = ["EXPOSITION_TYPE", "MeteredEngine", "Telemetry"]

_METHODS = frozenset({"GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT"})
_SECONDS_PER_TOKEN = (0.002, 0.005, 0.01, 0.02, 0.03, 0.05, 0.1, 0.2, 0.5, 1)
_SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60, 120)


class Telemetry:
    """The appliance's metrics."""

    def __init__(self) -> None:
        self._registry = CollectorRegistry()
        self._requests = Counter(
            "http_server_requests", "HTTP requests", ["method", "route", "status"], registry=self._registry
        )
        self._request_seconds = Histogram(
            "http_server_request_duration_seconds", "Time to the end of the answer", ["route"],
            buckets=_SECONDS, registry=self._registry,
        )  # fmt: skip
        self._tokens = Counter(
            "gen_ai_client_token_usage", "Tokens", ["gen_ai_request_model", "gen_ai_token_type"],
            registry=self._registry,
        )  # fmt: skip
        self._cost = Counter(
            "bailey_cost_usd", "Cost at declared prices", ["gen_ai_request_model", "tenant"], registry=self._registry
        )
        self._first_token = Histogram(
            "gen_ai_server_time_to_first_token_seconds", "Time to the first chunk", ["gen_ai_request_model"],
            buckets=_SECONDS, registry=self._registry,
        )  # fmt: skip
        self._errors = Counter(
            "gen_ai_server_errors", "Calls that failed", ["gen_ai_request_model", "error_type"],
            registry=self._registry,
        )  # fmt: skip
        self._service = Counter(
            "bailey_service_level", "Answers that kept what their workload promises, and those that did not",
            ["workload", "objective", "kept"], registry=self._registry,
        )  # fmt: skip
        self._workloads: Mapping[str, WorkloadSpec] = {}
        self._active = Gauge("bailey_calls_active", "Calls being answered", registry=self._registry)
        self.versions = VersionMetrics(self._registry)

    def watch(self, engines: Mapping[str, Engine]) -> None:
        """From now on tell memory and replicas of these engines (by model name), as they are when asked; once."""
        self._registry.register(_EngineMemory(engines))
        self._registry.register(_Replicas(engines))

    def watch_upstreams(self, states: Callable[[], Sequence[UpstreamState]]) -> None:
        """From now on tell how upstreams are doing, as it is when asked; once."""
        self._registry.register(_Upstreams(states))

    def watch_slots(self, slots: Mapping[str, Slots]) -> None:
        """From now on tell who holds these slots and who waits for them, as it is when asked; once."""
        self._registry.register(QueueMetrics(slots))

    def watch_budgets(self, shares: Callable[[], Mapping[str, float]]) -> None:
        """From now on tell how much of their budgets accounts have used, as it is when asked; once."""
        self._registry.register(_Budgets(shares))

    def watch_shadows(self, shadows: Collector) -> None:
        """From now on tell what became of shadows, as it is when asked; once."""
        self._registry.register(shadows)

    def watch_workloads(self, workloads: Mapping[str, WorkloadSpec]) -> None:
        """From now on hold answers against what these workloads promise."""
        self._workloads = workloads

    def served(self, workload: str, first_seconds: float | None, total_seconds: float | None) -> None:
        """An answer of a workload began and ended after so many seconds; None: it failed before."""
        if spec := self._workloads.get(workload):
            for objective, promised, taken in (
                ("first_token", spec.first_token_seconds, first_seconds),
                ("total", spec.total_seconds, total_seconds),
            ):
                if promised is not None:
                    kept = taken is not None and taken <= promised
                    self._service.labels(workload, objective, "true" if kept else "false").inc()

    def http_request(self, method: str, route: str, status: int, seconds: float) -> None:
        """An HTTP request ended; `route` is the route's template, not the path. Invented methods are `other`."""
        self._requests.labels(method if method in _METHODS else "other", route, str(status)).inc()
        self._request_seconds.labels(route).observe(seconds)

    def call_started(self) -> None:
        """A model call began."""
        self._active.inc()

    def call_ended(self) -> None:
        """A model call ended, however."""
        self._active.dec()

    def first_chunk(self, model: str, seconds: float) -> None:
        """The first chunk of an answer came."""
        self._first_token.labels(model).observe(seconds)

    def usage(self, model: str, tenant: str, usage: Usage) -> None:
        """A call was counted and priced."""
        self._tokens.labels(model, "input").inc(usage.prompt_tokens)
        self._tokens.labels(model, "output").inc(usage.completion_tokens)
        self._cost.labels(model, tenant).inc(float(usage.cost_usd))

    def call_failed(self, model: str, error: EngineError) -> None:
        """A call ended with an error."""
        self._errors.labels(model, error.code).inc()

    def exposition(self) -> bytes:
        """Everything, in Prometheus' text format."""
        return generate_latest(self._registry)


class VersionMetrics:
    """What is observed of each version of each model, by the names that a canary is judged by."""

    def __init__(self, registry: CollectorRegistry) -> None:
        names = ["model", "version"]
        self._calls = Counter(
            "bailey_version_calls", "Calls a version answered or failed", [*names, "outcome"], registry=registry
        )
        self._first_token = Histogram(
            "bailey_version_time_to_first_token_seconds", "From the slot to the first chunk", names,
            buckets=_SECONDS, registry=registry,
        )  # fmt: skip
        self._per_token = Histogram(
            "bailey_version_seconds_per_token", "After the first chunk", names,
            buckets=_SECONDS_PER_TOKEN, registry=registry,
        )  # fmt: skip
        self._checks = Counter(
            "bailey_version_checks", "Answers that were verified", [*names, "outcome"], registry=registry
        )

    def answered(self, model: str, version: str, answer: Answered) -> None:
        """A version finished a call, or failed."""
        self._calls.labels(model, version, "failed" if answer.failed else "finished").inc()
        if answer.timing is None:
            return
        self._first_token.labels(model, version).observe(answer.timing.first_chunk)
        if answer.timing.per_token is not None:
            self._per_token.labels(model, version).observe(answer.timing.per_token)

    def checked(self, model: str, version: str, passed: bool) -> None:
        """An answer of a version passed verification, or failed it."""
        self._checks.labels(model, version, "passed" if passed else "failed").inc()


class _EngineMemory(Collector):
    """Asks engines when metrics are read, and only those that answer at once."""

    def __init__(self, engines: Mapping[str, Engine]) -> None:
        self._engines = engines

    def collect(self) -> Iterable[Metric]:
        """One gauge."""
        gauge = GaugeMetricFamily("bailey_engine_memory_mebibytes", "Memory of an engine", labels=["model", "part"])
        for model, parts in memory_of(self._engines).items():
            for part, mib in parts.items():
                gauge.add_metric([model, part], mib)
        yield gauge


class _Replicas(Collector):
    """Asks engines that have replicas on a cluster."""

    def __init__(self, engines: Mapping[str, Engine]) -> None:
        self._engines = engines

    def collect(self) -> Iterable[Metric]:
        """One gauge."""
        gauge = GaugeMetricFamily("bailey_replicas", "Replicas of a model on the cluster", labels=["model", "state"])
        for model, engine in self._engines.items():
            for state, count in (engine.replica_counts() if isinstance(engine, KnowsReplicas) else {}).items():
                gauge.add_metric([model, state], count)
        yield gauge


class _Budgets(Collector):
    """Asks the router."""

    def __init__(self, shares: Callable[[], Mapping[str, float]]) -> None:
        self._shares = shares

    def collect(self) -> Iterable[Metric]:
        """One gauge."""
        gauge = GaugeMetricFamily(
            "bailey_budget_used_ratio", "Share of a budget that is spent or held in its window", labels=["account"]
        )
        for account, share in self._shares().items():
            gauge.add_metric([account], share)
        yield gauge


class _Upstreams(Collector):
    """Asks the router's guards."""

    def __init__(self, states: Callable[[], Sequence[UpstreamState]]) -> None:
        self._states = states

    def collect(self) -> Iterable[Metric]:
        """The state of each circuit, how often it opened, and retries."""
        circuit = GaugeMetricFamily("bailey_upstream_circuit", "1: the state it is in", labels=["model", "state"])
        opens = CounterMetricFamily("bailey_upstream_opens", "Times that a circuit opened", labels=["model"])
        retries = CounterMetricFamily("bailey_upstream_retries", "Calls tried again", labels=["model", "outcome"])
        for upstream in self._states():
            for state in get_args(State):
                circuit.add_metric([upstream.name, state], float(state == upstream.circuit))
            opens.add_metric([upstream.name], upstream.opens)
            retries.add_metric([upstream.name, "made"], upstream.retries)
            retries.add_metric([upstream.name, "over_budget"], upstream.retries_refused)
        return [circuit, opens, retries]


def memory_of(engines: Mapping[str, Engine]) -> dict[str, Mapping[str, float]]:
    """The memory (MiB by part) of each engine that knows it."""
    return {name: engine.memory_mib() for name, engine in engines.items() if isinstance(engine, KnowsMemory)}


class MeteredEngine:
    """An Engine that counts what passes through it."""

    def __init__(self, engine: Engine, telemetry: Telemetry) -> None:
        self._engine = engine
        self._telemetry = telemetry

    def models(self) -> Sequence[ModelCard]:
        """The engine's models."""
        return self._engine.models()

    async def stream(self, request: ChatRequest) -> AsyncGenerator[Chunk, None]:
        """The engine's answer, counted."""
        started, model, first = time.monotonic(), "", None
        self._telemetry.call_started()
        try:
            async with aclosing(self._engine.stream(request)) as chunks:
                async for chunk in chunks:
                    if not model:
                        model = chunk.model or request.model
                        first = time.monotonic() - started
                        self._telemetry.first_chunk(model, first)
                    if chunk.usage:
                        self._telemetry.usage(model, request.caller.tenant, chunk.usage)
                    yield chunk
            self._telemetry.served(request.caller.workload, first, time.monotonic() - started)
        except EngineError as error:
            self._telemetry.call_failed(model or "none", error)
            self._telemetry.served(request.caller.workload, first, None)
            raise
        finally:
            self._telemetry.call_ended()

    async def embed(self, request: EmbedRequest) -> Embeddings:
        """The engine's vectors, counted."""
        self._telemetry.call_started()
        try:
            embeddings = await self._engine.embed(request)
        except EngineError as error:
            self._telemetry.call_failed("none", error)
            raise
        finally:
            self._telemetry.call_ended()
        self._telemetry.usage(embeddings.model, request.caller.tenant, embeddings.usage)
        return embeddings

    async def tokenize(self, request: ChatRequest) -> Tokens:
        """The engine's reading of a prompt; nothing is counted as used."""
        return await self._engine.tokenize(request)

    async def health(self) -> Health:
        """The engine's health."""
        return await self._engine.health()

    async def close(self) -> None:
        """Close the engine."""
        await self._engine.close()
