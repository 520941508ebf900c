"""Why the router refused. Each is an engine error, so it reaches the client in OpenAI's shape."""

from __future__ import annotations

from inference.errors import EngineError, EngineUnavailable, NoStrongerModel


class PolicyRefused(EngineError):
    """No model may answer this request: data class, air gap or tenant rules leave none."""

    status = 403
    type = "invalid_request_error"
    code = "policy_violation"


class QuotaExceeded(EngineError):
    """The call's worst case does not fit a budget of its tenant, key or task; nothing was sent."""

    status = 429
    type = "insufficient_quota"
    code = "insufficient_quota"


class ModelQuotaExceeded(QuotaExceeded):
    """It does not fit the budget of this model; another one may answer."""

    retryable = True


class CostLimitExceeded(NoStrongerModel):
    """Every model that may still answer could cost more than the request allows (`max_cost_usd`); nothing was sent."""

    code = "cost_limit_exceeded"


class NotNow(EngineUnavailable):
    """A shadow waits for nothing: its model has no free slot, or is left alone just now; nothing was sent."""

    code = "not_now"
