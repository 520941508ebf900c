"""Errors that reach the gateway itself, in the format of the path they were met on."""

from __future__ import annotations

import json

import pytest

from gateway.errors import http_error
from inference.errors import EngineUnavailable, RateLimited
from ledger.protocol import LedgerError


@pytest.mark.parametrize(
    ("error", "path", "status", "kind", "seconds"),
    [
        (RateLimited("Full.", retry_after_seconds=70.2), "/v1/tasks", 429, "rate_limit_error", "71"),
        (RateLimited("Full.", retry_after_seconds=70.2), "/v1/messages", 429, "rate_limit_error", "71"),
        (EngineUnavailable("Gone.", retry_after_seconds=9), "/v1/tasks", 503, "server_error", "9"),
        (EngineUnavailable("Gone.", retry_after_seconds=9), "/v1/messages", 529, "overloaded_error", "9"),
        (LedgerError("Full."), "/v1/tasks", 503, "server_error", "5"),
        (LedgerError("Full."), "/v1/messages/count_tokens", 529, "overloaded_error", "5"),
    ],
)
def test_an_error_says_what_it_is_and_when_to_come_back(
    error: Exception, path: str, status: int, kind: str, seconds: str
) -> None:
    answer = http_error(error, path, "req_1")
    assert answer is not None
    assert (answer.status_code, answer.headers["retry-after"]) == (status, seconds)
    body = json.loads(bytes(answer.body))
    assert (body["error"]["type"], body["error"]["message"]) == (kind, str(error))
