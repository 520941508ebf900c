"""/v1/budgets: what the caller may still spend."""

# FastAPI evaluates the annotations of nested functions, so they must not be strings in this file.

from typing import Annotated

from fastapi import APIRouter, Depends

from gateway.access import CallerOf
from gateway.budgets import of_caller, viewed
from gateway.config import Config
from inference.openai.routes import ERRORS
from inference.protocol import Caller
from ledger.protocol import Accounts


def budgets_router(config: Config, accounts: Accounts, developer: CallerOf) -> APIRouter:
    """The route."""
    router = APIRouter(tags=["budgets"], responses=ERRORS)

    @router.get("/v1/budgets")
    async def budgets(caller: Annotated[Caller, Depends(developer)]) -> dict[str, object]:
        """The budgets of the tenant, of this key, of its models, and of the task that `x-bailey-task` names."""
        views = await viewed(accounts, of_caller(config, caller))
        return {"object": "list", "data": [view.as_json() for view in views]}

    return router
