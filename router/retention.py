"""How long the bodies of each workload class are kept: the declared days, read off the entries that name them.

An entry's class stands in its data (`workload`); one without a class, or of a class that is no longer declared, is kept
as `ledger.retention_days` says. What belongs to nobody in particular goes with the shortest period: cached evidence of
checks, which is found again by checking again, and what was asked by calls that were lost. What estimates learnt is no
text (hashed n-grams), is in use, and stays. Who calls it: `gateway`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ledger.protocol import Entry, JsonValue
from router.workloads import WorkloadSpec

_STAYS = "estimates.trained"
_OF_NOBODY = ("evidence.recorded", "call.lost")


class WorkloadRetention:
    """`RetentionRules` as models.yaml declares them."""

    def __init__(self, workloads: Sequence[WorkloadSpec], usual_days: int | None) -> None:
        """`usual_days` is for whatever declares none of its own; None keeps it for good."""
        self._usual = usual_days
        self._days = {spec.name: spec.retention_days or usual_days for spec in workloads}
        self.periods: Sequence[int] = sorted({days for days in (*self._days.values(), usual_days) if days})

    def days(self, entry: Entry) -> int | None:
        """As `RetentionRules.days`."""
        if entry.type == _STAYS:
            return None
        if entry.type in _OF_NOBODY:
            return self.periods[0] if self.periods else None
        return self._days.get(str(entry.data.get("workload", "")), self._usual)

    def told(self) -> Mapping[str, JsonValue]:
        """As `RetentionRules.told`."""
        return {"usual_days": self._usual, "workload_days": dict(self._days)}
