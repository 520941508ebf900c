"""What shadows say of a route and another model, from the ledger; no model is asked."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from gateway.settings import Settings
from gateway.stores import opened_ledger
from router.shadows.comparison import Comparison, compare
from router.shadows.pairs import ShadowLog, shadow_log


async def compared(settings: Settings, route: str, since: datetime) -> tuple[ShadowLog, Sequence[Comparison]]:
    """The calls since then and, for each model that answered shadows, the comparison. Raises what the ledger raises."""
    async with opened_ledger(settings) as ledger:
        log = await shadow_log(ledger, route, since)
    return log, compare(log)
