"""The versions of all models as they are now: what the router asks on every call, and tells how it ended.

Nothing here waits, writes or decides; `releases` does, and hands over what holds from then on.
"""

from __future__ import annotations

import asyncio
import time
from collections import Counter, OrderedDict
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Protocol

from inference.adapters import digest_with, with_adapter
from inference.catalog import Catalog, ModelBase, ModelSpec
from inference.errors import EngineError
from inference.protocol import ChatRequest
from inference.versions import engine_name, split_address
from router.versions.choice import conversation, takes
from router.versions.pace import Pace, Timing
from router.versions.state import Rollout
from router.versions.trial import Arm, Finding, Trial

_MOST_WITNESSES = 10_000


@dataclass(frozen=True, slots=True)
class Answered:
    """How a version's attempt at a call ended: whether it failed by the engine's fault; its timing if it finished."""

    failed: bool
    timing: Timing | None = None


class Listener(Protocol):
    """Who wants to know of everything that is observed, such as metrics."""

    def answered(self, model: str, version: str, answer: Answered) -> None:
        """A version finished or failed."""
        ...

    def checked(self, model: str, version: str, passed: bool) -> None:
        """An answer of a version was verified."""
        ...


class _Deaf:
    def answered(self, model: str, version: str, answer: Answered) -> None: ...
    def checked(self, model: str, version: str, passed: bool) -> None: ...


@dataclass(slots=True)
class _Live:
    """One model: its versions by name, which of them answer, and the trial if there is a canary."""

    base: ModelSpec
    specs: Mapping[str, ModelSpec]
    rollout: Rollout
    trial: Trial | None = None
    pace: Pace = field(default_factory=Pace)
    witnesses: OrderedDict[bytes, float] = field(default_factory=OrderedDict)

    def is_new_witness(self, talk: bytes, at: float) -> bool:
        """Whether a conversation counts: a client that repeats what failed is still one witness."""
        heard = self.witnesses.get(talk)
        if heard is not None and at - heard < self.base.rollback.forgiven_seconds:
            return False
        self.witnesses[talk] = at
        self.witnesses.move_to_end(talk)
        if len(self.witnesses) > _MOST_WITNESSES:
            self.witnesses.popitem(last=False)
        return True


def counts_against(error: EngineError) -> bool:
    """Whether an error is the engine's fault: a client's mistakes and limits say nothing about a version."""
    return error.retryable or error.status >= 500


class Versions:
    """Which versions there are, which answers, and what is observed of them."""

    def __init__(
        self, catalog: Catalog, listener: Listener | None = None, clock: Callable[[], float] = time.time
    ) -> None:
        """At first every model answers as its entry in models.yaml is."""
        self._listener = listener or _Deaf()
        self._clock = clock
        self._live = {
            model.name: _Live(model, {model.version: model}, Rollout(model.name, model.version))
            for model in catalog.models
        }
        self._weights: dict[str, str | None] = {}
        self._in_use: Counter[str] = Counter()
        self._idle: dict[str, asyncio.Event] = {}
        self.on_finding: Callable[[str, Finding], None] = lambda model, finding: None

    # -- who answers --------------------------------------------------------------------------------------------

    def key(self, model: ModelBase) -> str:
        """The name of a version's engine: the model's own for the version that its entry is, else coder@v2."""
        base = self._live[model.name].base
        return model.name if model.version == base.version else f"{model.name}@{model.version}"

    def stable(self, model: str) -> ModelSpec:
        """The version that answers unless a canary does."""
        live = self._live[model]
        return live.specs[live.rollout.stable]

    def answering(self, model: str, request: ChatRequest) -> tuple[ModelSpec, ...]:
        """The version that answers this conversation; behind a canary the stable one, to take over from it."""
        live, stable = self._live[model], self.stable(model)
        canary = live.rollout.canary
        if canary is None or not takes(model, canary.version, canary.percent, conversation(request)):
            return (stable,)
        return (live.specs[canary.version], stable)

    def on_trial(self, version: ModelBase) -> bool:
        """Whether a version is a canary, whose failures are to be seen."""
        canary = self._live[version.name].rollout.canary
        return canary is not None and canary.version == version.version

    def share(self, version: ModelBase) -> float:
        """The share of conversations that a version answers: the chance with which it was chosen."""
        canary = self._live[version.name].rollout.canary
        if canary is None:
            return 1.0
        return (canary.percent if canary.version == version.version else 100 - canary.percent) / 100

    def named(self, address: str) -> ModelSpec | None:
        """The version that a name such as coder@v2 asks for, if it has an engine now."""
        name, version = split_address(address)
        live = self._live.get(name)
        return live.specs[version] if live and version in live.rollout.serving else None

    def addresses(self) -> Sequence[tuple[str, ModelSpec]]:
        """Names of single versions that may be asked for: those of models of which two have engines."""
        return [
            (f"{name}@{version}", live.specs[version])
            for name, live in self._live.items()
            if live.rollout.canary
            for version in live.rollout.serving
        ]

    def sent_as(self, model: ModelBase, adapter: str = "") -> str:
        """The name that a version's engine answers to, as an adapter of it if one is given."""
        return with_adapter(engine_name(self.key(model)), adapter)

    def shown_as(self, model: ModelBase, name: str) -> str:
        """What a client is told of who answered: the model, whichever version that was."""
        sent = self.sent_as(model)
        return model.name + name[len(sent) :] if name.startswith(sent) else name or model.name

    # -- what is in use -----------------------------------------------------------------------------------------

    @contextmanager
    def in_use(self, models: Sequence[ModelBase]) -> Iterator[None]:
        """While a request is on its way through one of these versions; their engines stay until it has ended."""
        keys = [self.key(model) for model in models]
        self._in_use.update(keys)
        try:
            yield
        finally:
            self._in_use.subtract(keys)
            for key in keys:
                if not self._in_use[key]:
                    del self._in_use[key]
                    self._idle.pop(key, asyncio.Event()).set()

    async def idle(self, key: str, within_seconds: float) -> bool:
        """Wait until no request uses a version any more; False when the time is over before."""
        try:
            async with asyncio.timeout(within_seconds):
                while self._in_use[key]:
                    await self._idle.setdefault(key, asyncio.Event()).wait()
        except TimeoutError:
            return False
        return True

    # -- what is observed ---------------------------------------------------------------------------------------

    def observed(self, model: ModelBase, request: object, answer: Answered, adapter: str = "") -> None:
        """An attempt ended by the version's doing; what the client broke off is not reported.

        Only what the dice decided counts in the trial: not who asked for a version by name, not a stable version that
        took over from the canary, and no embeddings, which always come from the stable one. Nor does an adapter's
        answer: it says little of the version under it.
        """
        self._listener.answered(model.name, model.version, answer)
        live = self._live[model.name]
        if live.trial is None or adapter or not isinstance(request, ChatRequest) or split_address(request.model)[1]:
            return
        now, talk = self._clock(), conversation(request)
        if self.answering(model.name, request)[0].version != model.version or not live.is_new_witness(talk, now):
            return
        arm = _arm(live.rollout, model.version)
        finding = live.trial.add(arm, "errors", bad=answer.failed, at=now)
        slow = live.pace.slow(arm, answer.timing, live.trial.rules.slow_factor) if answer.timing else None
        if slow is not None:
            finding = live.trial.add(arm, "slow", bad=slow, at=now) or finding
        if finding:
            self.on_finding(model.name, finding)

    def checked(self, model: str, version: str, *, passed: bool) -> None:
        """An answer that the dice gave to this version was verified."""
        self._listener.checked(model, version, passed)
        live = self._live.get(model)
        if live is None or live.trial is None or version not in live.rollout.serving:
            return
        finding = live.trial.add(_arm(live.rollout, version), "failed_checks", bad=not passed, at=self._clock())
        if finding:
            self.on_finding(model, finding)

    # -- what holds from now on ---------------------------------------------------------------------------------

    def adopt(self, rollout: Rollout, specs: Mapping[str, ModelSpec]) -> None:
        """From now on this holds for a model. A trial goes on unless the canary is another one."""
        live = self._live[rollout.model]
        before = live.rollout.canary
        live.rollout, live.specs = rollout, specs
        if rollout.canary is None:
            live.trial = None
        elif live.trial is None or before is None or before.since != rollout.canary.since:
            rules = live.base.rollback
            live.trial = Trial.restored(rules, rollout.counts) if rollout.counts else Trial(rules)
            live.pace = Pace()
            live.witnesses.clear()

    def trial(self, model: str) -> Trial | None:
        """The figures of a model's canary, if there is one."""
        return self._live[model].trial

    def weigh(self, key: str, digest: str | None) -> None:
        """Take note of the digest of the weights that an engine, or an adapter of it (`key:adapter`), has loaded."""
        self._weights[key] = digest

    def weights(self, model: ModelBase, adapter: str = "") -> str | None:
        """The digest of what answers in a version's name; None where it is not ours to know."""
        digest = self._weights.get(self.key(model))
        if not adapter:
            return digest
        added = self.adapter_weights(model, adapter)
        return digest_with(digest, added) if digest and added else None

    def adapter_weights(self, model: ModelBase, adapter: str) -> str | None:
        """The digest of an adapter's own files; None where they are not ours to know."""
        return self._weights.get(with_adapter(self.key(model), adapter))


def _arm(rollout: Rollout, version: str) -> Arm:
    return "canary" if rollout.canary and rollout.canary.version == version else "stable"
