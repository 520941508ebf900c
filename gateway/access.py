"""Who is calling: from an API key and headers to a `Caller`, and which roles may do what.

The key is found before anything else of a request is read (`admit`, called by the envelope); roles and data
classes belong to the routes, which depend on `caller`.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable

from fastapi import Request

from gateway.config import Config
from gateway.errors import UnknownDataClass
from gateway.keys import InvalidKey, Key, Keys, Role, RoleTooLow
from inference.protocol import Caller

_RANK: dict[Role, int] = {"developer": 0, "approver": 1}
_NEEDS_A_KEY = "/v1/"
DATA_CLASS_HEADER = "x-bailey-data-class"

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

        `x-bailey-data-class` may make the request's data class stricter than the tenant's, never laxer.
        """

        async def caller(request: Request) -> Caller:
            key: Key = request.state.key
            if _RANK[key.role] < _RANK[role]:
                raise RoleTooLow(f"This needs the role {role}; the key of {key.actor} has {key.role}.")
            return Caller(key.tenant, key.actor, _data_class(request, key, self._config))

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
