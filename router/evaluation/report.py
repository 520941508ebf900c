"""Calls by workload and model: a row takes them in one at a time and keeps no more than its counts.

A call belongs to the model that gave its answer, or that failed last. One that another model took over counts there as
asked, failed and escalated. Escalated is a call after which another model was asked for the same request: because it
failed, or because what it wrote did not pass.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

from ledger.protocol import Entry, JsonValue
from router.evaluation.proportion import Proportion
from router.evaluation.sketch import Sketch
from router.workloads import WorkloadSpec

MOST_OPEN_REQUESTS = 10_000
"""Requests with several drafts that are remembered until their next one."""


@dataclass(slots=True)
class Row:
    """One workload's calls of one model. `workload` is "" for traffic without a class; `model` is "" for refusals."""

    workload: str
    model: str
    calls: int = 0
    taken_over: int = 0
    failed: int = 0
    cancelled: int = 0
    refused: int = 0
    escalated: int = 0
    cost_usd: Decimal = Decimal(0)
    prompt_tokens: int = 0
    completion_tokens: int = 0
    first_token: Sketch = field(default_factory=Sketch)
    total: Sketch = field(default_factory=Sketch)
    within_level: Proportion = field(default_factory=Proportion)
    tested: Proportion = field(default_factory=Proportion)

    @property
    def asked(self) -> int:
        """How often it was asked."""
        return self.calls + self.taken_over

    def as_json(self) -> Mapping[str, JsonValue]:
        """All of it; None where there is nothing to say."""
        return {
            **{name: getattr(self, name) for name in ("workload", "model", "asked", "failed", "cancelled", "refused")},
            "cost_usd": f"{self.cost_usd:f}",
            "prompt_tokens": self.prompt_tokens,
            "completion_tokens": self.completion_tokens,
            **_quantiles("first_token_seconds", self.first_token),
            **_quantiles("total_seconds", self.total),
            "within_level": self.within_level.share,
            "tested": self.tested.of,
            "tests_passed": self.tested.share,
            "tests_passed_95": self.tested.interval,
            "escalated": self.escalated / self.asked if self.asked else None,
        }


def _quantiles(name: str, sketch: Sketch) -> Mapping[str, JsonValue]:
    found = {f"{name}_p{percent}": sketch.quantile(percent / 100) for percent in (50, 95)}
    return {each: None if value is None else float(f"{value:.4g}") for each, value in found.items()}


class Report:
    """Takes the entries of calls and of verifications, each oldest first."""

    def __init__(self, workloads: Mapping[str, WorkloadSpec], only: str | None = None) -> None:
        """`workloads` say what they promise; with `only`, other workloads are left out."""
        self._workloads = workloads
        self._only = only
        self._rows: dict[tuple[str, str], Row] = {}
        self._drafts: OrderedDict[str, Row] = OrderedDict()
        self.lost, self.lost_usd = 0, Decimal(0)

    def rows(self) -> list[Row]:
        """By workload, the model that was asked most first."""
        return sorted(self._rows.values(), key=lambda row: (row.workload, -row.asked, row.model))

    def call(self, entry: Entry) -> None:
        """An entry of a call. What was lost belongs to no workload that is known, and is counted apart."""
        if entry.type == "call.lost":
            self.lost, self.lost_usd = self.lost + 1, self.lost_usd + entry.cost_usd
            return
        data: Mapping[str, Any] = entry.data
        workload = str(data.get("workload", ""))
        if self._only not in (None, workload):
            return
        row = self._row(workload, str(data.get("model") or ""))
        if entry.type == "call.refused":
            row.refused += 1
            return
        for other in data["taken_over"]:
            self._taken_over(self._row(workload, other["model"]))
        row.calls += 1
        row.failed += entry.type == "call.failed"
        row.cancelled += entry.type == "call.cancelled"
        row.cost_usd += entry.cost_usd
        row.prompt_tokens += data["prompt_tokens"]
        row.completion_tokens += data["completion_tokens"]
        self._timed(row, entry)
        self._draft(str(data["request_id"]), row)

    def verification(self, workload: str, model: str, *, passed: bool) -> None:
        """Tests ran on an answer."""
        if self._only in (None, workload):
            self._row(workload, model).tested.add(counts=passed)

    def _row(self, workload: str, model: str) -> Row:
        return self._rows.setdefault((workload, model), Row(workload, model))

    def _taken_over(self, row: Row) -> None:
        row.taken_over += 1
        row.failed += 1
        row.escalated += 1

    def _timed(self, row: Row, entry: Entry) -> None:
        """Seconds of what was answered to the end; whether the service level was kept, which a failure never does."""
        data: Mapping[str, Any] = entry.data
        first, total = data["first_chunk_seconds"], data["total_seconds"]
        finished = entry.type == "call.finished"
        if finished:
            row.total.add(total)
            if first is not None:
                row.first_token.add(first)
        spec = self._workloads.get(row.workload)
        if spec is None or entry.type == "call.cancelled" or data["kind"] != "generate":
            return
        promised = [(spec.first_token_seconds, first), (spec.total_seconds, total)]
        kept = [taken is not None and taken <= most for most, taken in promised if most is not None]
        if kept:
            row.within_level.add(counts=finished and all(kept))

    def _draft(self, request_id: str, row: Row) -> None:
        """Drafts of one request have its id in common; one by another model follows what did not pass."""
        request, is_draft, _ = request_id.partition(".draft-")
        if not is_draft:
            return
        before = self._drafts.pop(request, row)
        before.escalated += before is not row
        self._drafts[request] = row
        if len(self._drafts) > MOST_OPEN_REQUESTS:
            self._drafts.popitem(last=False)
