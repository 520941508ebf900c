"""The decision: which candidates, in which order, and why. Pure; a record that a person can read."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal

from inference.adapters import with_adapter
from inference.catalog import Catalog, ModelBase, Price
from inference.errors import NoStrongerModel
from inference.protocol import ChatRequest, Usage
from router.difficulty import Difficulty
from router.errors import CostLimitExceeded
from router.plans import Plan
from router.policy import Feasible, PassedOver, prompt_bytes
from router.privacy.assessment import NOTHING_FOUND, Assessment
from router.spec import RouteSpec


@dataclass(frozen=True, slots=True)
class Route:
    """The chosen model first, then those that may take over before the first token.

    `stands_in` names candidates that are there only for another model: fallback -> model. `adapter` is the adapter of
    the model that was asked for, if one was. `budget_price` is what a dollar counted for (router/standing.py).
    `propensity` is the chance with which this decision came out as it did: below 1 where versions share a model.
    `found` is what of the request is not for everybody's eyes, `plan` why a checked request starts where it does.
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

    def of(self, candidates: tuple[ModelBase, ...], gone: Sequence[PassedOver], request: ChatRequest) -> Route:
        """The route of fewer candidates; those that are gone stand in for nobody."""
        names = {model.name for model in candidates}
        return replace(
            self,
            candidates=candidates,
            passed_over=(*self.passed_over, *gone),
            stands_in={fallback: model for fallback, model in self.stands_in.items() if fallback in names},
            expected_cost_usd=expected_cost(candidates[0].price, request),
        )

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
    """The cheapest candidate at or above the tier that difficulty and failed attempts ask for.

    Raises `NoStrongerModel` when verification has failed at the highest tier that may answer.
    """
    ranked = sorted(feasible.models, key=lambda model: (catalog.tier_rank(model), _price_rank(model.price)))
    tiers = sorted({catalog.tier_rank(model) for model in ranked})
    floor, reason = _floor(spec, tiers, catalog, difficulty, request.tried)
    stronger = [model for model in ranked if catalog.tier_rank(model) >= floor]
    if not stronger:
        raise NoStrongerModel(f"Verification failed at the strongest tier that may answer ({reason}).")
    weaker = [PassedOver(model.name, f"tier {model.tier}: {reason}") for model in ranked if model not in stronger]
    candidates = stronger if spec.fallback else stronger[:1]
    cost = expected_cost(candidates[0].price, request)
    return Route(spec.name, tuple(candidates), reason, difficulty, (*feasible.passed_over, *weaker), cost)


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


def _price_rank(price: Price) -> Decimal:
    return price.input_usd_per_million + price.output_usd_per_million


def expected_cost(price: Price, request: ChatRequest) -> Decimal:
    """What a typical answer costs."""
    return price.cost_usd(expected_usage(request)).quantize(Decimal("1e-9")).normalize()


def expected_usage(request: ChatRequest) -> Usage:
    """What a typical answer uses: 4 bytes a token in, half of the allowed (or 256) tokens out."""
    output = (request.sampling.max_tokens or 512) // 2
    return Usage(prompt_bytes(request) // 4, output * request.sampling.n)


def worst_cost(model: ModelBase, request: ChatRequest) -> Decimal:
    """The most a call can cost."""
    return model.price.cost_usd(worst_usage(model, request))


def worst_usage(model: ModelBase, request: ChatRequest) -> Usage:
    """The most a call can use: no token is shorter than a byte, no answer longer than allowed or than the context."""
    prompt_tokens = min(prompt_bytes(request) + 16 * (len(request.messages) + 1), model.context_tokens)
    output = min(request.sampling.max_tokens or model.context_tokens, model.context_tokens)
    return Usage(prompt_tokens, output * request.sampling.n)


def worst_embedding_usage(model: ModelBase, texts: Sequence[str]) -> Usage:
    """The most that embedding texts can use; each is read up to the model's context."""
    tokens = sum(min(len(text.encode()) + 16, model.context_tokens) for text in texts)
    return Usage(tokens, 0)
