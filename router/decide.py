"""The way to a decision: the tenant's rights, the models that may answer, the order, the versions of each. Pure.

Nothing is sent and nobody waits. The router asks on every call. What may be sent where is `policy`'s, and the order
`route`'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace

from inference.adapters import TakesAdapters, adapters_of, split_adapter, with_adapter
from inference.catalog import Catalog, ModelBase
from inference.errors import EngineError, ModelNotFound
from inference.protocol import Caller, Capability, ChatRequest, EmbedRequest, Engine, ModelCard
from inference.versions import split_address
from router.budgets import budgets_of
from router.difficulty import Difficulty, estimate
from router.errors import PolicyRefused
from router.fallback import with_fallbacks
from router.planning import Planner, under
from router.plans import Plan
from router.policy import Feasible, Needs, feasible, needs
from router.prefixes import Memory
from router.privacy.assessment import Assessment, assess
from router.privacy.spec import PrivacySpec
from router.privacy.texts import Asked
from router.resilience.guard import Guard
from router.resilience.guards import Guards
from router.resilience.passing import without_ejected
from router.route import Route, WarmTokens, affordable, cheapest_first, choose, direct, warmed
from router.shadows.spec import shadow_of
from router.spec import BudgetSpec, RouteSpec, TenantSpec
from router.standing import Standing, explained, paced
from router.versions.versions import Versions
from router.workloads import WorkloadSpec


@dataclass(frozen=True, slots=True)
class Rules:
    """What models.yaml says about routing; by name. `placed`: models are on a Ray cluster."""

    catalog: Catalog
    routes: Mapping[str, RouteSpec]
    tenants: Mapping[str, TenantSpec]
    air_gapped: bool
    placed: bool = False
    model_budgets: Mapping[str, BudgetSpec] = field(default_factory=dict)
    workloads: Mapping[str, WorkloadSpec] = field(default_factory=dict)
    privacy: PrivacySpec = field(default_factory=PrivacySpec)

    @property
    def weights(self) -> Mapping[str, float]:
        """Of tenants, where their requests wait."""
        return {tenant.name: tenant.weight for tenant in self.tenants.values()}


class Decider:
    """Decides by rules, among the versions that there are now, and with an eye on what is left to spend."""

    def __init__(
        self,
        rules: Rules,
        versions: Versions,
        standing: Standing,
        guards: Guards | None = None,
        memory: Memory | None = None,
    ) -> None:
        self._rules = rules
        self._guards = guards or Guards()
        self._versions = versions
        self._standing = standing
        self._memory = Memory() if memory is None else memory
        self.planner = Planner(rules.catalog)
        self._remote = any(model.remote for model in rules.catalog.models)

    def models(self, engines: Mapping[str, Engine]) -> Sequence[ModelCard]:
        """Every route, every model that has an engine, versions that may be asked for by name, adapters in use."""
        stable = [self._versions.stable(model.name) for model in self._rules.catalog.models]
        cards = [model.card() for model in stable if self._versions.key(model) in engines]
        named = [replace(model.card(), id=address) for address, model in self._versions.addresses()]
        routes = [self._route_card(spec) for spec in self._rules.routes.values()]
        return [*routes, *cards, *named, *self._adapter_cards(engines)]

    def _adapter_cards(self, engines: Mapping[str, Engine]) -> Iterator[ModelCard]:
        """Of those that an engine has loaded."""
        stable = [(model.name, self._versions.stable(model.name)) for model in self._rules.catalog.models]
        for name, model in [*stable, *self._versions.addresses()]:
            engine = engines.get(self._versions.key(model))
            problems: Mapping[str, str] = engine.adapters() if isinstance(engine, TakesAdapters) else {}
            for adapter in adapters_of(model):
                if problems.get(adapter) == "" and not self._is_whole(with_adapter(name, adapter)):
                    yield replace(model.card(), id=with_adapter(name, adapter))

    def _route_card(self, spec: RouteSpec) -> ModelCard:
        members = self._members(spec)
        capabilities: frozenset[Capability] = frozenset().union(*(model.capabilities for model in members))
        return ModelCard(spec.name, capabilities, max(model.context_tokens for model in members))

    def decide(self, request: ChatRequest) -> Route:
        """Which models may answer, in order, and why. Raises `EngineError`."""
        tenant = self._check_tenant(request.caller, request.model)
        difficulty, found = estimate(request), self._assessed(request)
        warm = self._memory.of(request, self._split(request.model)[1]).warm_tokens
        wanted = replace(needs(request), barred=self._barred(request.caller), found=found)
        shadowed = shadow_of(request.request_id)
        if spec := self._rules.routes.get(request.model):
            spec = spec.as_shadow() if shadowed else spec
            allowed = feasible(self._members(spec), wanted, air_gapped=self._rules.air_gapped)
            pressure = self._standing.pressure(
                budgets_of(tenant, self._rules.model_budgets, request.caller, model=None)
            )
            made = None if pressure.soft_limit_of else self.planner.plan(spec, allowed, request)
            spec, allowed = self.planner.restrict(made, paced(spec, pressure), allowed)
            route = choose(spec, self._ranked(allowed, request, warm, made), self._rules.catalog, difficulty, request)
            route = explained(under(made, route), pressure)
        else:
            model, adapter = self._named(request.model)
            # A named model judges the length itself, with its own tokenizer.
            feasible([model], replace(wanted, least_tokens=0), air_gapped=self._rules.air_gapped)
            route = replace(direct(model, difficulty, request), adapter=adapter)
        if shadowed:
            route = replace(route, reason=f"shadow of {shadowed}")
        elif not route.adapter:  # no other model has it
            route = with_fallbacks(route, self._rules.catalog, wanted, air_gapped=self._rules.air_gapped)
        route = affordable(warmed(self._with_versions(route, request), request, warm), request)
        # A canary that fails is asked on: what it does not answer, the stable version does, and it counts against it.
        canary = route.candidates[0] if self._versions.on_trial(route.candidates[0]) else None
        return replace(without_ejected(route, request, self.guard, canary), found=found)

    def _with_versions(self, route: Route, request: ChatRequest) -> Route:
        """The route with the versions that answer this conversation; who asks for a version gets that.

        A canary without the adapter that is asked for is passed over.
        """
        if split_address(request.model)[1]:
            return route
        candidates = tuple(
            version
            for model in route.candidates
            for version in self._versions.answering(model.name, request)
            if not route.adapter or route.adapter in adapters_of(version)
        )
        chance = self._versions.share(candidates[0]) * route.propensity
        return replace(route, candidates=candidates, propensity=chance)

    def _ranked(self, allowed: Feasible, request: ChatRequest, warm: WarmTokens, made: Plan | None) -> Feasible:
        """The cheapest first; but where a plan was made, it has said whom to start with."""
        answering = {model.name: self._versions.answering(model.name, request)[0] for model in allowed.models}
        ranked = cheapest_first(allowed, answering, request, warm)
        first = [model for model in ranked.models if made and model.name == made.start]
        return replace(ranked, models=(*first, *(model for model in ranked.models if model not in first)))

    def guard(self, model: ModelBase) -> Guard:
        """What stands before a version's engine."""
        return self._guards.of(self._versions.key(model), model.resilience)

    def privacy(self, caller: Caller) -> PrivacySpec:
        """The rules for what is found in a caller's requests."""
        own = self._rules.tenants[caller.tenant].privacy
        return self._rules.privacy.stricter(own) if own else self._rules.privacy

    def _assessed(self, request: Asked) -> Assessment:
        """What is found in a request; where no rule could follow from it, nobody looks."""
        rules = self.privacy(request.caller)
        return assess(request, rules) if self._remote or rules.refuses else Assessment(rules)

    def _barred(self, caller: Caller) -> Mapping[str, EngineError]:
        """The models that the caller's workload may not use."""
        workload = self._rules.workloads.get(caller.workload)
        if workload is None:
            return {}
        stable = [self._versions.stable(model.name) for model in self._rules.catalog.models]
        reasons = {model.name: workload.refuses(model.name, self._versions.weights(model)) for model in stable}
        return {name: PolicyRefused(reason) for name, reason in reasons.items() if reason}

    def embedding(self, request: EmbedRequest) -> Route:
        """The model that embeds, in its stable version: vectors of two versions cannot be compared.

        Raises `EngineError`.
        """
        self._check_tenant(request.caller, request.model)
        barred, found = self._barred(request.caller), self._assessed(request)
        wanted = Needs({"embeddings": "model"}, request.caller.data_class, barred=barred, found=found)
        spec = self._rules.routes.get(request.model)
        candidates = self._members(spec) if spec else [self._model(request.model)]
        model = feasible(candidates, wanted, air_gapped=self._rules.air_gapped).models[0]
        stable = model if split_address(request.model)[1] else self._versions.stable(model.name)
        as_prompt = ChatRequest(model.name, prompt="\n".join(request.texts), caller=request.caller)
        return replace(direct(stable, Difficulty(0.0, {}), as_prompt), found=found)

    def _members(self, spec: RouteSpec) -> list[ModelBase]:
        return [self._model(name) for name in spec.models]

    def _model(self, name: str) -> ModelBase:
        if model := self._found(name):
            return model
        valid = ", ".join([*self._rules.routes, *(model.name for model in self._rules.catalog.models)])
        versions = ", ".join(address for address, _ in self._versions.addresses())
        raise ModelNotFound(
            f"There is no model {name!r}; valid names: {valid}{', ' if versions else ''}{versions}.", param="model"
        )

    def _named(self, name: str) -> tuple[ModelBase, str]:
        """The model, and the adapter of it, that a name means; the adapter is one that the stable version has.

        Raises `ModelNotFound`.
        """
        base, adapter = self._split(name)
        model = self._found(base) if adapter else None
        if model is None:
            return self._model(name), ""
        has = adapters_of(model if split_address(base)[1] else self._versions.stable(model.name))
        if adapter in has:
            return model, adapter
        there = ", ".join(with_adapter(base, each) for each in has) or "none"
        raise ModelNotFound(f"{base} has no adapter {adapter!r}; its adapters: {there}.", param="model")

    def _split(self, name: str) -> tuple[str, str]:
        """The model or version and the adapter that a name means; a name that is declared means just that."""
        return (name, "") if self._is_whole(name) else split_adapter(name)

    def _is_whole(self, name: str) -> bool:
        return name in self._rules.routes or self._found(name) is not None

    def _found(self, name: str) -> ModelBase | None:
        return self._rules.catalog.get(name) or self._versions.named(name)

    def _check_tenant(self, caller: Caller, model: str) -> TenantSpec:
        tenant = self._rules.tenants.get(caller.tenant)
        if tenant is None:
            raise PolicyRefused(f"Tenant {caller.tenant!r} is not declared in models.yaml.")
        base, adapter = self._split(model)
        name = split_address(base)[0]
        if not (tenant.may_use(name) or tenant.may_use(with_adapter(name, adapter))):
            raise ModelNotFound(f"Tenant {caller.tenant!r} may not use model {model!r}.", param="model")
        return tenant
