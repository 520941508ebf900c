"""What another models.yaml would have meant for the calls in the ledger; nothing is built that could answer."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path

from gateway.assemble import rules_of
from gateway.config import load_config
from gateway.settings import Settings
from gateway.stores import opened_ledger
from router.decide import Decider
from router.errors import PolicyRefused
from router.replay.logged import LoggedCall, logged_calls
from router.replay.whatif import Comparison, compare
from router.route import Route
from router.standing import Standing
from router.versions.versions import Versions


async def replayed(settings: Settings, other: Path, since: datetime) -> tuple[Comparison, Mapping[str, int]]:
    """The comparison, and what was left out of it. Every model answers in the version that its entry is.

    Budgets are taken as untouched. Raises `ConfigError` and what the ledger raises.
    """
    config = load_config(other)
    decider = Decider(rules_of(config), Versions(config), Standing(lambda: datetime.now(UTC)))

    def decide(call: LoggedCall) -> Route:
        if call.request.caller.data_class not in config.data_classes:
            raise PolicyRefused(f"There is no data class {call.request.caller.data_class!r}.")
        return decider.decide(call.request)

    async with opened_ledger(settings) as ledger:
        log = await logged_calls(ledger, since)
    return compare(log.calls, decide, shadows=log.shadows), log.left_out
