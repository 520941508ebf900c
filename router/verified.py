"""What verification said of an answer: an entry about the call, and a figure of the version that gave it.

Whoever verifies (the ladder of code tasks) reports here, by the request id of the call; saying it again is harmless.
"""

from __future__ import annotations

from ledger.protocol import Draft, Ledger
from router.record import call_key
from router.versions.versions import Versions

VERIFIED_STREAM = "verifications"
TESTED = "tests"
"""Both the level of a verification that had tests, and the check that those which fail their tests failed at."""


def verified_key(request_id: str) -> str:
    """An answer is verified once."""
    return f"verified/{request_id}"


class VerifiedCalls:
    """Takes reports on answers."""

    def __init__(self, ledger: Ledger, versions: Versions) -> None:
        self._ledger = ledger
        self._versions = versions

    async def verified(self, request_id: str, passed: bool, *, tested: bool, failed_at: str = "") -> None:
        """An answer passed, or failed at a check; doubt is not reported. Raises `LedgerError`.

        Only what was `tested` teaches estimates (router/estimates/learning.py).

        It counts in a canary's trial if chance alone chose the version: not one that was asked for by name, and not
        one that took over. What an adapter wrote does not count.
        """
        call = await self._ledger.find(call_key(request_id))
        if call is None or await self._ledger.find(verified_key(request_id)):
            return
        facts = {name: call.data.get(name) for name in ("request_id", "model", "version", "tier")}
        facts["workload"] = call.data.get("workload", "")
        draft = Draft(
            VERIFIED_STREAM,
            "call.verified",
            call.actor,
            call.tenant,
            cause=call.seq,
            data={**facts, "passed": passed, "level": TESTED if tested else "checks", "failed_at": failed_at},
            key=verified_key(request_id),
        )
        await self._ledger.append(draft)
        by_chance = "@" not in str(call.data["asked"]) and not call.data["taken_over"]
        if by_chance and not call.data.get("adapter"):
            self._versions.checked(str(facts["model"]), str(facts["version"]), passed=passed)
