"""/v1/versions and /v1/models/MODEL/...: see the versions of models; add, try, promote and roll back (role approver).

Adapters of versions are loaded and unloaded here, too.

Decisions hold for the whole appliance; who takes one needs a key whose tenant may use the model.
"""

# FastAPI evaluates the annotations of nested functions, so they must not be strings in this file.

from collections.abc import Callable, Mapping
from dataclasses import asdict
from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi import Path as PathParameter
from pydantic import BaseModel, Field

from gateway.access import CallerOf
from gateway.fleet import Fleet
from gateway.task_body import Reason
from inference.openai.routes import ERRORS
from inference.protocol import Caller
from inference.rollout import Percent, VersionName
from inference.vllm.placement import AdapterName
from inference.wire.body import Body, JsonObject
from router.spec import TenantSpec
from router.versions.register import UnknownVersion
from router.versions.views import Role, VersionView, disagreements, views

ModelName = Annotated[str, PathParameter(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,99}$")]


class AddBody(Body):
    """A version, and the keys of models.yaml in which it differs from the model's entry there."""

    version: VersionName
    changes: JsonObject


class CanaryBody(Body):
    """A version, and the share of conversations it answers."""

    version: VersionName
    percent: Percent


class PromoteBody(Body):
    """The version that is to answer all conversations."""

    version: VersionName


class RollBackBody(Body):
    """Why; kept in the ledger."""

    reason: Reason = ""


class UnloadBody(Body):
    """An adapter of a version; of the stable one if none is named."""

    adapter: AdapterName
    version: VersionName | None = None


class LoadBody(UnloadBody):
    """Where its files are: path:FOLDER, in PEFT's layout, on the machine that runs the model."""

    source: Annotated[str, Field(max_length=4096)]


class AdapterBody(BaseModel):
    """An adapter of a version now; `problem` says why it cannot be asked, `weights` is the digest of its files."""

    adapter: str
    source: str
    origin: str
    weights: str | None
    problem: str


class VersionBody(BaseModel):
    """A version now; `figures` are bad answers of all while a canary is on trial."""

    version: str
    role: Role
    percent: float
    origin: str
    weights: str | None
    figures: Mapping[str, str]
    said: str
    suggestion: str
    adapters: list[AdapterBody]


class ModelBody(BaseModel):
    """A model's versions; `disagreements` say where the ledger's decisions and models.yaml differ."""

    model: str
    versions: list[VersionBody]
    disagreements: list[str]


def versions_router(
    fleet: Fleet, tenants: tuple[TenantSpec, ...], developer: CallerOf, approver: CallerOf
) -> APIRouter:
    """The routes. `developer` and `approver` are dependencies that give the caller of that role."""
    router = APIRouter(prefix="/v1", tags=["versions"], responses=ERRORS)
    rights = {tenant.name: tenant for tenant in tenants}

    @router.get("/versions")
    async def all_versions(caller: Annotated[Caller, Depends(developer)]) -> list[ModelBody]:
        """The versions of all models that the caller's tenant may use."""
        return [_body(fleet, name) for name in fleet.register.names if rights[caller.tenant].may_use(name)]

    def may_decide(model: ModelName, caller: Annotated[Caller, Depends(approver)]) -> Caller:
        if not rights[caller.tenant].may_use(model):
            raise UnknownVersion(f"Tenant {caller.tenant!r} may not use model {model!r}.")
        return caller

    _add_decisions(router, fleet, may_decide)
    _add_adapters(router, fleet, may_decide)
    return router


def _add_decisions(router: APIRouter, fleet: Fleet, may_decide: Callable[..., Caller]) -> None:
    @router.post("/models/{model:path}/versions", status_code=201)
    async def add(model: ModelName, body: AddBody, caller: Annotated[Caller, Depends(may_decide)]) -> ModelBody:
        """Make a version known; it answers nobody yet."""
        await fleet.releases.add(model, body.version, body.changes, caller.actor)
        return _body(fleet, model)

    @router.post("/models/{model:path}/canary")
    async def canary(model: ModelName, body: CanaryBody, caller: Annotated[Caller, Depends(may_decide)]) -> ModelBody:
        """Let a version answer a share of the conversations; answered when its engine is up."""
        await fleet.releases.canary(model, body.version, body.percent, caller.actor)
        return _body(fleet, model)

    @router.post("/models/{model:path}/promote")
    async def promote(model: ModelName, body: PromoteBody, caller: Annotated[Caller, Depends(may_decide)]) -> ModelBody:
        """Let a version answer all conversations."""
        await fleet.releases.promote(model, body.version, caller.actor)
        return _body(fleet, model)

    @router.post("/models/{model:path}/rollback")
    async def roll_back(
        model: ModelName, body: RollBackBody, caller: Annotated[Caller, Depends(may_decide)]
    ) -> ModelBody:
        """End the canary; without one, go back to the stable version before this one."""
        await fleet.releases.roll_back(model, caller.actor, body.reason)
        return _body(fleet, model)


def _add_adapters(router: APIRouter, fleet: Fleet, may_decide: Callable[..., Caller]) -> None:
    @router.post("/models/{model:path}/load-adapter", status_code=201)
    async def load(model: ModelName, body: LoadBody, caller: Annotated[Caller, Depends(may_decide)]) -> ModelBody:
        """Load an adapter; answered when it can be asked."""
        await fleet.adapters.load(model, body.version, body.adapter, body.source, caller.actor)
        return _body(fleet, model)

    @router.post("/models/{model:path}/unload-adapter")
    async def unload(model: ModelName, body: UnloadBody, caller: Annotated[Caller, Depends(may_decide)]) -> ModelBody:
        """Unload an adapter; answers that are under way go on."""
        await fleet.adapters.unload(model, body.version, body.adapter, caller.actor)
        return _body(fleet, model)


def _body(fleet: Fleet, model: str) -> ModelBody:
    versions = [_version(fleet, view) for view in views(fleet.register, fleet.versions, model)]
    differences = disagreements(fleet.register, fleet.versions, model)
    return ModelBody(model=model, versions=versions, disagreements=differences)


def _version(fleet: Fleet, view: VersionView) -> VersionBody:
    key = fleet.versions.key(fleet.register.spec(view.model, view.version))
    problems, not_there = fleet.room.adapters(key), "Its version is not loaded."
    adapters = [
        AdapterBody(**asdict(adapter), problem=problems.get(adapter.adapter, not_there)) for adapter in view.adapters
    ]
    return VersionBody.model_validate({**asdict(view), "adapters": adapters})
