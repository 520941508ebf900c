"""Who is calling: from an API key and headers to a `Caller`, and which roles may do what."""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import Request

from gateway.config import Config
from gateway.errors import UnknownDataClass
from gateway.keys import InvalidKey, Key, Keys, Role, RoleTooLow
from inference.protocol import Caller

_RANK: dict[Role, int] = {"developer": 0, "approver": 1, "admin": 2}
DATA_CLASS_HEADER = "x-bailey-data-class"

CallerOf = Callable[[Request], Awaitable[Caller]]


def caller_with_role(keys: Keys, config: Config, role: Role = "developer") -> CallerOf:
    """A FastAPI dependency: the caller of a request, if their key has at least this role.

    Keys come as `Authorization: Bearer …` or `x-api-key`. `x-bailey-data-class` may make the request's
    data class stricter than the tenant's, never laxer.
    """

    async def caller(request: Request) -> Caller:
        key = await keys.authenticate(_token(request))
        if _RANK[key.role] < _RANK[role]:
            raise RoleTooLow(f"This needs the role {role}; the key of {key.actor} has {key.role}.")
        request.state.actor, request.state.tenant = key.actor, key.tenant
        return Caller(key.tenant, key.actor, _data_class(request, key, config))

    return caller


def _token(request: Request) -> str:
    scheme, _, token = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() == "bearer" and token.strip():
        return token.strip()
    if token := request.headers.get("x-api-key", "").strip():
        return token
    raise InvalidKey("No API key came with the request; send `Authorization: Bearer <key>`.")


def _data_class(request: Request, key: Key, config: Config) -> str:
    tenant = next((tenant for tenant in config.tenants if tenant.name == key.tenant), None)
    if tenant is None:
        raise InvalidKey(f"The key's tenant {key.tenant!r} is not declared in models.yaml.")
    asked = request.headers.get(DATA_CLASS_HEADER, tenant.data_class)
    if asked not in config.data_classes:
        valid = ", ".join(config.data_classes)
        raise UnknownDataClass(f"There is no data class {asked!r}; valid classes: {valid}.")
    return config.stricter(asked, tenant.data_class)
