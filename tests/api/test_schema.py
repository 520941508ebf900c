"""Whatever schemathesis makes of our OpenAPI document: no server error, and no answer that it does not have."""

from __future__ import annotations

from typing import Any

import pytest
import schemathesis
from hypothesis import HealthCheck, given, settings
from schemathesis.specs.openapi.checks import positive_data_acceptance

from tests.api.peers import QUICK, Peer

EXAMPLES = settings(max_examples=20, deadline=None, suppress_health_check=list(HealthCheck), database=None)


def test_no_request_is_too_strange(text: Peer, subtests: pytest.Subtests) -> None:
    document = schemathesis.openapi.from_url(f"{text.url}/openapi.json")
    for found in document.get_all_operations():
        operation: Any = found.ok()  # type: ignore[union-attr]  # our document has no errors

        @EXAMPLES
        @given(case=operation.as_strategy())
        def check(case: Any) -> None:
            if isinstance(case.body, dict) and "model" in case.body and hash(str(case.body)) % 4:
                case.body["model"] = QUICK  # most names lead nowhere
            # What a model cannot do, and which fields go together, no schema says: such requests may be refused.
            case.call_and_validate(
                headers={"authorization": f"Bearer {text.key}"},
                timeout=60,
                excluded_checks=[positive_data_acceptance],
            )

        with subtests.test(operation.label):
            check()
