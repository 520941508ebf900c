"""/v1/routes: why a request went where it went, and where one would go; the latter sends and records nothing."""

# FastAPI evaluates the annotations of nested functions, so they must not be strings in this file.

from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi import Path as PathParameter

from codegen.verifying import by_name, drafted
from gateway.access import CallerOf
from gateway.errors import UnknownRoute
from inference.openai.requests import ChatBody
from inference.openai.routes import ERRORS
from inference.protocol import Caller, new_request_id
from router.explain import Records, decision, recorded
from router.router import Router

RequestId = Annotated[str, PathParameter(pattern=r"^[\w.:-]{1,100}$")]


def routes_router(router: Router, ledger: Records, developer: CallerOf) -> APIRouter:
    """The routes."""
    api = APIRouter(prefix="/v1/routes", tags=["routes"], responses=ERRORS)

    @api.post("/explain")
    async def explain(body: ChatBody, caller: Annotated[Caller, Depends(developer)]) -> dict[str, object]:
        """The models that would be asked for this chat, in order, those that would not, and why.

        Of an answer that is to be verified: for its first draft.
        """
        request = drafted(by_name(body.read(caller, new_request_id())))
        return {"object": "route.decision", **decision(router.decide(request), request)}

    @api.get("/{request_id}")
    async def show(request_id: RequestId, caller: Annotated[Caller, Depends(developer)]) -> dict[str, object]:
        """What was chosen for a request of the caller's tenant (`x-request-id` names it), why, and what came of it."""
        calls = await recorded(ledger, request_id, caller.tenant)
        if not calls:
            raise UnknownRoute(f"There is no record of a request {request_id!r} of this tenant.")
        return {"object": "route", "id": request_id, "calls": calls}

    return api
