"""The decision: which candidates, in which order, and why. Pure; a record that a person can read."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from inference.adapters import with_adapter
from inference.catalog import Catalog, ModelBase
from inference.errors import NoStrongerModel
from inference.price import Price
from inference.protocol import ChatRequest, Usage
from router.difficulty import Difficulty
from router.errors import CostLimitExceeded
from router.plans import Plan
from router.policy import Feasible, PassedOver, prompt_bytes
from router.privacy.assessment import NOTHING_FOUND, Assessment
from router.spec import RouteSpec

WarmTokens = Callable[[ModelBase], int]
"""How many tokens of the prompt a version is expected to find in its cache."""


@dataclass(frozen=True, slots=True)
class Route:
    """The chosen model first, then those that may take over before the first token.

    `stands_in` names candidates that are there only for another model: fallback -> model. `adapter` is the adapter of
    the model that was asked for, if one was. `budget_price` is what a dollar counted for (router/standing.py).
    `propensity` is the chance with which this decision came out as it did: below 1 where versions share a model.
    `found` is what of the request is not for everybody's eyes, `plan` why a checked request starts where it does.
    `warm` is how many tokens of the prompt a version is expected to find in its cache: (model, version) -> tokens.
    """

    asked: str
    candidates: tuple[ModelBase, ...]
    reason: str
    difficulty: Difficulty
    passed_over: tuple[PassedOver, ...]
    expected_cost_usd: Decimal
    stands_in: Mapping[str, str] = field(default_factory=dict)
    adapter: str = ""
    budget_price: float = 1.0
    propensity: float = 1.0
    found: Assessment = NOTHING_FOUND
    plan: Plan | None = None
    warm: Mapping[tuple[str, str], int] = field(default_factory=dict)

    def of(self, candidates: tuple[ModelBase, ...], gone: Sequence[PassedOver], request: ChatRequest) -> Route:
        """The route of fewer candidates; those that are gone stand in for nobody."""
        names = {model.name for model in candidates}
        return replace(
            self,
            candidates=candidates,
            passed_over=(*self.passed_over, *gone),
            stands_in={fallback: model for fallback, model in self.stands_in.items() if fallback in names},
            expected_cost_usd=self.expected_usd(candidates[0], request),
        )

    def warm_tokens(self, model: ModelBase) -> int:
        """How many tokens of the prompt a candidate is expected to find in its cache."""
        return self.warm.get((model.name, model.version), 0)

    def expected_usd(self, model: ModelBase, request: ChatRequest) -> Decimal:
        """What a typical answer of a candidate costs."""
        return expected_cost(model.price, request, self.warm_tokens(model))

    def answers_as(self, model: ModelBase) -> str:
        """What a candidate is called when it answers."""
        return with_adapter(model.name, self.adapter)

    def line(self, model: ModelBase) -> str:
        """The value of `X-Bailey-Route`: one line of ASCII."""
        return (
            f'model={self.answers_as(model)}; tier={model.tier}; reason="{self.reason}"; '
            f"difficulty={self.difficulty.score}; expected_usd={self.expected_cost_usd:f}; version={model.version}"
        )


def direct(model: ModelBase, difficulty: Difficulty, request: ChatRequest) -> Route:
    """The client named a model: that one or none."""
    return Route(request.model, (model,), "named by the client", difficulty, (), expected_cost(model.price, request))


def choose(
    spec: RouteSpec, feasible: Feasible, catalog: Catalog, difficulty: Difficulty, request: ChatRequest
) -> Route:
    """The first candidate at or above the tier that difficulty and failed attempts ask for.

    Within a tier the order is that of `feasible` (`cheapest_first`).
    Raises `NoStrongerModel` when verification has failed at the highest tier that may answer.
    """
    ranked = sorted(feasible.models, key=catalog.tier_rank)
    tiers = sorted({catalog.tier_rank(model) for model in ranked})
    floor, reason = _floor(spec, tiers, catalog, difficulty, request.tried)
    stronger = [model for model in ranked if catalog.tier_rank(model) >= floor]
    if not stronger:
        raise NoStrongerModel(f"Verification failed at the strongest tier that may answer ({reason}).")
    weaker = [PassedOver(model.name, f"tier {model.tier}: {reason}") for model in ranked if model not in stronger]
    candidates = stronger if spec.fallback else stronger[:1]
    cost = expected_cost(candidates[0].price, request)
    return Route(spec.name, tuple(candidates), reason, difficulty, (*feasible.passed_over, *weaker), cost)


def cheapest_first(
    feasible: Feasible, answering: Mapping[str, ModelBase], request: ChatRequest, warm: WarmTokens
) -> Feasible:
    """The candidates by what an answer is expected to cost, with what each has warm; at equal cost the warmer first.

    `answering` is the version of each model that would answer.
    """

    usage = expected_usage(request)

    def rank(model: ModelBase) -> tuple[Decimal, int]:
        version = answering[model.name]
        tokens = warm(version)
        return version.price.cost_usd(_with_warm(usage, tokens)), -tokens

    return replace(feasible, models=tuple(sorted(feasible.models, key=rank)))


def warmed(route: Route, request: ChatRequest, warm: WarmTokens) -> Route:
    """The route with what its candidates have warm, which is said in its reason and taken into its expected cost."""
    tokens = {(model.name, model.version): warm(model) for model in route.candidates}
    found = [(model, tokens[model.name, model.version]) for model in route.candidates]
    told = [f"; a prefix of {count} tokens is warm at {route.answers_as(model)}" for model, count in found if count]
    route = replace(route, warm=tokens, reason=route.reason + "".join(told))
    return replace(route, expected_cost_usd=route.expected_usd(route.candidates[0], request))


def affordable(route: Route, request: ChatRequest) -> Route:
    """The route without the models whose worst case costs more than the request allows.

    Raises `CostLimitExceeded` when none is left.
    """
    if request.max_cost_usd is None:
        return route
    limit, worst = request.max_cost_usd, [(model, worst_cost(model, request)) for model in route.candidates]
    dear = [PassedOver(model.name, f"it may cost up to {cost:f} USD") for model, cost in worst if cost > limit]
    candidates = tuple(model for model, cost in worst if cost <= limit)
    if not candidates:
        reasons = "; ".join(f"{passed.model}: {passed.reason}" for passed in dear)
        raise CostLimitExceeded(f"No model may answer for the {limit:f} USD that this call may cost ({reasons}).")
    return route.of(candidates, dear, request)


def _floor(
    spec: RouteSpec, tiers: Sequence[int], catalog: Catalog, difficulty: Difficulty, tried: tuple[str, ...]
) -> tuple[int, str]:
    """The lowest tier rank to consider, and why."""
    failed = [catalog.tier_rank(model) for name in tried if (model := catalog.get(name))]
    if failed:
        return max(failed) + 1, f"{' and '.join(tried)} failed verification"
    skipped = sum(difficulty.score >= threshold for threshold in spec.thresholds)
    position = min(skipped, len(tiers) - 1)
    if position:
        return tiers[position], f"difficulty {difficulty.score} is at least {spec.thresholds[position - 1]}"
    return tiers[0], f"cheapest tier for difficulty {difficulty.score}"


def expected_cost(price: Price, request: ChatRequest, warm_tokens: int = 0) -> Decimal:
    """What a typical answer costs where so much of the prompt is cached."""
    usage = _with_warm(expected_usage(request), warm_tokens)
    return price.cost_usd(usage).quantize(Decimal("1e-9")).normalize()


def expected_usage(request: ChatRequest) -> Usage:
    """What a typical answer uses: 4 bytes a token in, half of the allowed (or 256) tokens out."""
    output = (request.sampling.max_tokens or 512) // 2
    return Usage(prompt_bytes(request) // 4, output * request.sampling.n)


def _with_warm(usage: Usage, tokens: int) -> Usage:
    """What is not cached is put into the cache; it costs as usual unless the price says otherwise."""
    return replace(usage, cached_tokens=tokens, written_tokens=usage.prompt_tokens - tokens)


def worst_cost(model: ModelBase, request: ChatRequest) -> Decimal:
    """The most a call can cost."""
    return model.price.most_usd(worst_usage(model, request))


def worst_usage(model: ModelBase, request: ChatRequest) -> Usage:
    """The most a call can use: no token is shorter than a byte, no answer longer than allowed or than the context."""
    prompt_tokens = min(prompt_bytes(request) + 16 * (len(request.messages) + 1), model.context_tokens)
    output = min(request.sampling.max_tokens or model.context_tokens, model.context_tokens)
    return Usage(prompt_tokens, output * request.sampling.n)


def worst_embedding_usage(model: ModelBase, texts: Sequence[str]) -> Usage:
    """The most that embedding texts can use; each is read up to the model's context."""
    tokens = sum(min(len(text.encode()) + 16, model.context_tokens) for text in texts)
    return Usage(tokens, 0)
