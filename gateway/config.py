"""models.yaml: read, validated, explained. Errors name the line, the key, and the valid ones.

The sections belong to their packages; here they become one `Config`, and are checked against each other.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator
from yaml.nodes import Node

from codegen.labels import PathLabel, PathLabels
from codegen.spec import CodegenSpec
from gateway.config_document import Unreadable, read_document
from gateway.config_errors import ConfigError, Problem, explain, repeated_keys
from inference.adapters import adapters_of, split_adapter, with_adapter
from inference.catalog import Catalog, LocalModel, ModelBase, Ranking, VllmModel
from inference.spec import Name
from inference.versions import VersionProblem, declared, engine_name
from ledger.spec import LedgerSpec
from retrieval.spec import RetrievalSpec
from router.privacy.spec import PrivacySpec
from router.spec import BudgetSpec, RouteSpec, TenantSpec
from router.workloads import WorkloadSpec
from sandbox.spec import SandboxSpec


class Config(Catalog):
    """Everything that models.yaml declares."""

    version: Literal[1]
    air_gapped: bool = Field(default=False, description="True: nothing outside the walls is ever built or called.")
    data_classes: Ranking = Field(
        default=("public", "internal", "confidential"), description="Least to most sensitive."
    )
    path_labels: tuple[PathLabel, ...] = Field(
        default=(), description="Data classes of files; a request that shows one is of its class, or a stricter one."
    )
    routes: tuple[RouteSpec, ...] = ()
    tenants: Annotated[tuple[TenantSpec, ...], Field(min_length=1)]
    model_budgets: Mapping[Name, BudgetSpec] = Field(
        default_factory=dict, description="What all tenants together may spend on single models."
    )
    privacy: PrivacySpec = Field(
        default=PrivacySpec(), description="What happens to requests in which secrets or personal data are found."
    )
    workloads: tuple[WorkloadSpec, ...] = Field(
        default=(), description="Classes of traffic with models, slots and service levels of their own."
    )
    ledger: LedgerSpec = LedgerSpec()
    sandbox: SandboxSpec = SandboxSpec()
    retrieval: RetrievalSpec = RetrievalSpec()
    codegen: CodegenSpec = CodegenSpec()

    @model_validator(mode="after")
    def _sections_agree(self) -> Config:
        if problems := list(self._disagreements()):
            raise ValueError("; ".join(problems))
        return self

    def _disagreements(self) -> Iterator[str]:
        models = {model.name: model for model in self.models}
        names = [*models, *(route.name for route in self.routes)]
        yield from (f"{name!r} is declared twice among models and routes" for name in _repeated(names))
        yield from (f"tenant {name!r} is declared twice" for name in _repeated([t.name for t in self.tenants]))
        for route in self.routes:
            for name in set(route.models) - set(models):
                yield f"route {route.name!r} names model {name!r}; declared: {', '.join(models)}"
        for model in self.models:
            for data_class in set(model.data_classes or ()) - set(self.data_classes):
                yield f"model {model.name!r} names data class {data_class!r}; valid: {', '.join(self.data_classes)}"
        for label in self.path_labels:
            if label.data_class not in self.data_classes:
                valid = ", ".join(self.data_classes)
                yield f"path_labels name data class {label.data_class!r}; valid: {valid}"
        yield from self._disagreeing_shadows(models)
        yield from self._disagreeing_fallbacks(models)
        yield from self._impossible_versions(names)
        yield from self._disagreeing_tenants(names)
        yield from self._disagreeing_workloads(models)
        yield from self._unknown_in_budgets("model_budgets", self.model_budgets)
        for tenant in self.tenants:
            yield from self._unknown_in_budgets(f"model_budgets of tenant {tenant.name!r}", tenant.model_budgets)
        embedder = models.get(self.retrieval.embedder or "")
        if self.retrieval.embedder and (embedder is None or "embeddings" not in embedder.capabilities):
            yield f"retrieval.embedder {self.retrieval.embedder!r} is no declared model with capability embeddings"

    def _disagreeing_shadows(self, models: Mapping[str, ModelBase]) -> Iterator[str]:
        for route in self.routes:
            if route.shadow is None:
                continue
            model = models.get(route.shadow.model)
            if model is None:
                yield f"route {route.name!r} has shadow model {route.shadow.model!r}; declared: {', '.join(models)}"
            elif model.remote and self.air_gapped:
                yield f"route {route.name!r} has shadow model {model.name!r}, which is outside the walls of an air gap"

    def _disagreeing_fallbacks(self, models: Mapping[str, ModelBase]) -> Iterator[str]:
        for model in models.values():
            if not isinstance(model, LocalModel) or model.cpu_fallback is None:
                continue
            fallback = models.get(model.cpu_fallback)
            if not isinstance(fallback, LocalModel) or fallback is model:
                local = ", ".join(name for name, other in models.items() if isinstance(other, LocalModel))
                yield f"model {model.name!r} has cpu_fallback {model.cpu_fallback!r}, which must be another of: {local}"
            elif fallback.placement.gpus or fallback.cpu_fallback:
                yield f"model {model.name!r} has cpu_fallback {fallback.name!r}, which needs a GPU or falls back itself"

    def _impossible_versions(self, names: list[str]) -> Iterator[str]:
        for model in self.models:
            try:
                versions = declared(model)
            except VersionProblem as error:
                yield str(error)
                continue
            for version, spec in versions.items():
                for name in {with_adapter(model.name, adapter) for adapter in adapters_of(spec)} & {*names}:
                    yield f"an adapter of model {model.name!r} takes the name {name!r}, which is declared too"
                if (taken := engine_name(f"{model.name}@{version}")) in names:
                    yield f"version {version!r} of model {model.name!r} takes the name {taken!r}, which is declared too"
            if len(versions) > 1 and model.name == self.retrieval.embedder:
                yield f"retrieval.embedder {model.name!r} has versions; vectors of two versions cannot be compared"

    def _disagreeing_tenants(self, names: list[str]) -> Iterator[str]:
        embedder = self.retrieval.embedder
        takes_adapters = {model.name for model in self.models if isinstance(model, VllmModel)}
        for tenant in self.tenants:
            if tenant.data_class not in self.data_classes:
                valid = ", ".join(self.data_classes)
                yield f"tenant {tenant.name!r} has data class {tenant.data_class!r}; valid: {valid}"
            for name in set(tenant.models) - {"*", *names}:
                if split_adapter(name)[0] in takes_adapters:
                    continue
                yield f"tenant {tenant.name!r} names model {name!r}; declared: {', '.join(names)}"
            if tenant.repositories and embedder and not tenant.may_use(embedder):
                yield f"tenant {tenant.name!r} has repositories but may not use retrieval.embedder {embedder!r}"

    def _disagreeing_workloads(self, models: Mapping[str, ModelBase]) -> Iterator[str]:
        names = [workload.name for workload in self.workloads]
        yield from (f"workload {name!r} is declared twice" for name in _repeated(names))
        for workload in self.workloads:
            for name in set(workload.models) - {"*", *models}:
                yield f"workload {workload.name!r} names model {name!r}; declared: {', '.join(models)}"
            for name in set(workload.informs) - {"*", *names}:
                yield f"workload {workload.name!r} informs {name!r}; declared: {', '.join(names)}"
        for tenant in self.tenants:
            for name in set(tenant.workloads) - {*names}:
                yield f"tenant {tenant.name!r} names workload {name!r}; declared: {', '.join(names) or 'none'}"
        if sum(workload.slots_share or 0 for workload in self.workloads) >= 1:
            yield "the workloads' slots_share leave no slots for all others; their sum must be below 1"

    def _unknown_in_budgets(self, where: str, budgets: Mapping[str, BudgetSpec]) -> Iterator[str]:
        declared = [model.name for model in self.models]
        for name in sorted(set(budgets) - {*declared}):
            yield f"{where} names model {name!r}; declared: {', '.join(declared)}"

    @property
    def labels(self) -> PathLabels:
        """The labels on paths, for who shows files to models."""
        return PathLabels(self.data_classes, self.path_labels)

    def stricter(self, first: str, second: str) -> str:
        """The more sensitive of two data classes."""
        return max(first, second, key=self.data_classes.index)


def _repeated(names: list[str]) -> list[str]:
    return sorted({name for name in names if names.count(name) > 1})


class SandboxHost(BaseModel):
    """A models.yaml of a host that only runs commands: it declares no model and names no key."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    version: Literal[1]
    sandbox: SandboxSpec = SandboxSpec()


Document = TypeVar("Document", bound=BaseModel)


def load_config(path: Path) -> Config:
    """Read and validate a models.yaml. Raises `ConfigError` with one line per problem."""
    return parse_config(_text(path), path)


def parse_config(text: str, path: Path) -> Config:
    """Validate the text of a models.yaml; `path` is only for messages. Raises `ConfigError`."""
    return _validated(Config, *_mapping(text, path), path)


def load_sandbox(path: Path) -> SandboxSpec:
    """The section `sandbox:` of a models.yaml that has all sections, or no other one. Raises `ConfigError`."""
    node, document = _mapping(_text(path), path)
    if document.keys() <= SandboxHost.model_fields.keys():
        return _validated(SandboxHost, node, document, path).sandbox
    return _validated(Config, node, document, path).sandbox


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(path, [Problem(None, "", f"the file cannot be read: {error.strerror}")]) from None
    except UnicodeDecodeError:
        raise ConfigError(path, [Problem(None, "", "the file is not UTF-8 text")]) from None


def _mapping(text: str, path: Path) -> tuple[Node, dict[str, Any]]:
    try:
        node, document = read_document(text)
    except Unreadable as error:
        raise ConfigError(path, [error.problem]) from None
    if node is None or not isinstance(document, dict):
        raise ConfigError(path, [Problem(1, "", "the file must be a mapping of sections such as `models:`")])
    if twice := list(repeated_keys(node)):
        raise ConfigError(path, twice)
    return node, document


def _validated(kind: type[Document], node: Node, document: dict[str, Any], path: Path) -> Document:
    try:
        return kind.model_validate(document)
    except ValidationError as error:
        raise ConfigError(path, explain(error, node, kind.model_json_schema())) from None
