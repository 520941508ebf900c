"""What estimates are learnt from: audited outcomes (tests ran on the output); failures of machines never count.

No text: a request is there as its features. Whoever reads the ledger makes these; `train` takes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from inference.protocol import ChatRequest
from router.estimates.features import Features


@dataclass(frozen=True, slots=True)
class Context:
    """What is known of a request besides its text; empty where it is not. `task_type` says what checks the answer."""

    task_type: str = ""
    tenant: str = ""

    @classmethod
    def of(cls, request: ChatRequest) -> Context:
        """Read when it is decided and again, from the record, when its outcome is learnt."""
        return cls(request.checking.kind if request.checking else "", request.caller.tenant)


NO_CONTEXT = Context()


@dataclass(frozen=True, slots=True)
class Outcome:
    """Tests ran on what `model` made of a request, and passed or failed; the same features are the same request.

    `cost_usd` and `seconds` are those of the model's call, without the tests. `when` has a time zone. `version` is the
    model's; what another version than its newest did counts less. `workload` is the request's class, or empty. `draw`
    counts a plan's draws from the model; `failed_at` is the check that a failure failed at (empty: not known).
    """

    features: Features
    model: str
    passed: bool
    cost_usd: float
    seconds: float
    when: datetime
    context: Context = NO_CONTEXT
    version: str = ""
    workload: str = ""
    draw: int = 1
    failed_at: str = ""


@dataclass(frozen=True, slots=True)
class InfrastructureFailure:
    """A machine, a network or a deadline failed: that says nothing of what the model can do."""

    model: str
    when: datetime
    workload: str = ""
