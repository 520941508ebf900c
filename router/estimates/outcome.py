"""What estimates are learnt from: audited outcomes (tests ran on the output); failures of machines never count.

No text: a request is there as its features. Whoever reads the ledger makes these; `train` takes them.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from router.estimates.features import Features


@dataclass(frozen=True, slots=True)
class Context:
    """What is known of a request besides its text; empty where it is not."""

    task_type: str = ""
    tenant: str = ""


NO_CONTEXT = Context()


@dataclass(frozen=True, slots=True)
class Outcome:
    """Tests ran on what `model` made of a request, and passed or failed; the same features are the same request.

    `cost_usd` and `seconds` are those of the model's call, without the tests. `when` has a time zone. `version` is the
    model's; what another version than its newest did counts less. `workload` is the request's class, or empty.
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


@dataclass(frozen=True, slots=True)
class InfrastructureFailure:
    """A machine, a network or a deadline failed: that says nothing of what the model can do."""

    model: str
    when: datetime
    workload: str = ""
