"""Who is calling: from an API key and headers to a `Caller`, and which roles may do what.

The key is found before anything else of a request is read (`admit`, called by the envelope); roles and data
classes belong to the routes, which depend on `caller`.
"""

from __future__ import annotations

import re
from collections.abc import Awaitable, Callable, Iterator
from urllib.parse import unquote

from fastapi import Request

from gateway.config import Config
from gateway.errors import UnknownDataClass, UnknownWorkload, UnusableTaskName
from gateway.keys import InvalidKey, Key, Keys, Role, RoleTooLow
from inference.protocol import Caller
from router.spec import TenantSpec

_RANK: dict[Role, int] = {"developer": 0, "approver": 1}
_NEEDS_A_KEY = "/v1/"
DATA_CLASS_HEADER = "x-bailey-data-class"
TASK_HEADER = "x-bailey-task"
WORKLOAD_HEADER = "x-bailey-workload"
PATHS_HEADER = "x-bailey-paths"
_TASK = re.compile(r"[\w.:-]{1,100}", re.ASCII)

CallerOf = Callable[[Request], Awaitable[Caller]]


class Access:
    """Keys come as `Authorization: Bearer …` or `x-api-key`."""

    def __init__(self, keys: Keys, config: Config) -> None:
        self._keys = keys
        self._config = config

    async def admit(self, request: Request) -> None:
        """Find the key of a request that needs one. Raises `InvalidKey` or `ExpiredKey`."""
        if request.scope["path"].startswith(_NEEDS_A_KEY):
            key = await self._keys.authenticate(_token(request))
            request.state.key, request.state.actor, request.state.tenant = key, key.actor, key.tenant

    def caller(self, role: Role = "developer") -> CallerOf:
        """A FastAPI dependency: the caller of an admitted request, if their key has at least this role.

        `x-bailey-data-class` may make the request's data class stricter than the key's and the tenant's, never laxer,
        and so may `x-bailey-paths`, the files that a prompt shows (separated by commas, percent-encoded);
        `x-bailey-task` names a task of the tenant's whose calls share a budget, `x-bailey-workload` a class of traffic.
        """

        async def caller(request: Request) -> Caller:
            key: Key = request.state.key
            if _RANK[key.role] < _RANK[role]:
                raise RoleTooLow(f"This needs the role {role}; the key of {key.actor} has {key.role}.")
            tenant = _tenant(key, self._config)
            data_class, workload = _data_class(request, key, tenant, self._config), _workload(request, tenant)
            who = Caller(tenant.name, key.actor, data_class, key.id, _task(request), workload)
            return self._config.labels.raised(who, _paths(request))

        return caller


def _token(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    if token := request.headers.get("x-api-key", "").strip():
        return token
    raise InvalidKey("No API key came with the request; send `Authorization: Bearer <key>`.")


def _task(request: Request) -> str:
    task = request.headers.get(TASK_HEADER, "")
    if task and not _TASK.fullmatch(task):
        raise UnusableTaskName(f"{TASK_HEADER} is at most 100 letters, digits, dots, colons and hyphens, not {task!r}.")
    return task


def _tenant(key: Key, config: Config) -> TenantSpec:
    for tenant in config.tenants:
        if tenant.name == key.tenant:
            return tenant
    raise InvalidKey(f"The key's tenant {key.tenant!r} is not declared in models.yaml.")


def _data_class(request: Request, key: Key, tenant: TenantSpec, config: Config) -> str:
    """The strictest of the header's, the key's and the tenant's."""
    asked = request.headers.get(DATA_CLASS_HEADER, tenant.data_class)
    of_key = key.data_class or tenant.data_class
    for data_class in (asked, of_key):
        if data_class not in config.data_classes:
            valid = ", ".join(config.data_classes)
            raise UnknownDataClass(f"There is no data class {data_class!r}; valid classes: {valid}.")
    return config.stricter(config.stricter(asked, of_key), tenant.data_class)


def _paths(request: Request) -> Iterator[str]:
    """Without what begins a path in an editor: labels are written as paths within a repository."""
    for path in request.headers.get(PATHS_HEADER, "").split(","):
        yield unquote(path.strip()).removeprefix("./")


def _workload(request: Request, tenant: TenantSpec) -> str:
    asked = request.headers.get(WORKLOAD_HEADER, tenant.usual_workload)
    if asked and asked not in tenant.workloads:
        valid = ", ".join(tenant.workloads) or "none"
        raise UnknownWorkload(f"Tenant {tenant.name!r} has no workload {asked!r}; valid: {valid}.")
    return asked
