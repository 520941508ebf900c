"""The way to a decision: the tenant's rights, the models that may answer, the order, the versions of each. Pure.

Nothing is sent and nobody waits. The router asks on every call. What may be sent where is `policy`'s, and the order
`route`'s.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace

from inference.adapters import TakesAdapters, adapters_of, split_adapter, with_adapter
from inference.catalog import Catalog, ModelBase
from inference.errors import ModelNotFound
from inference.protocol import Caller, Capability, ChatRequest, EmbedRequest, Engine, ModelCard
from inference.versions import split_address
from router.difficulty import estimate
from router.errors import PolicyRefused
from router.fallback import with_fallbacks
from router.policy import Needs, feasible, needs
from router.route import Route, affordable, choose, direct, expected_cost
from router.spec import RouteSpec, TenantSpec
from router.versions.versions import Versions


@dataclass(frozen=True, slots=True)
class Rules:
    """What models.yaml says about routing; `tenants` and `routes` by name. `placed`: models are on a Ray cluster."""

    catalog: Catalog
    routes: Mapping[str, RouteSpec]
    tenants: Mapping[str, TenantSpec]
    air_gapped: bool
    placed: bool = False


class Decider:
    """Decides by rules, among the versions that there are now."""

    def __init__(self, rules: Rules, versions: Versions) -> None:
        self._rules = rules
        self._versions = versions

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
        self._check_tenant(request.caller, request.model)
        difficulty, wanted = estimate(request), needs(request)
        if spec := self._rules.routes.get(request.model):
            allowed = feasible(self._members(spec), wanted, air_gapped=self._rules.air_gapped)
            route = choose(spec, allowed, self._rules.catalog, difficulty, request)
        else:
            model, adapter = self._named(request.model)
            # A named model judges the length itself, with its own tokenizer.
            feasible([model], replace(wanted, least_tokens=0), air_gapped=self._rules.air_gapped)
            route = replace(direct(model, difficulty, request), adapter=adapter)
        if not route.adapter:  # no other model has it
            route = with_fallbacks(route, self._rules.catalog, wanted, air_gapped=self._rules.air_gapped)
        return affordable(self._with_versions(route, request), request)

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
        return replace(route, candidates=candidates, expected_cost_usd=expected_cost(candidates[0].price, request))

    def embedder(self, request: EmbedRequest) -> ModelBase:
        """The model that embeds, in its stable version: vectors of two versions cannot be compared.

        Raises `EngineError`.
        """
        self._check_tenant(request.caller, request.model)
        wanted = Needs({"embeddings": "model"}, request.caller.data_class)
        spec = self._rules.routes.get(request.model)
        candidates = self._members(spec) if spec else [self._model(request.model)]
        model = feasible(candidates, wanted, air_gapped=self._rules.air_gapped).models[0]
        return model if split_address(request.model)[1] else self._versions.stable(model.name)

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
