"""The contract of engines, held by real vLLM. What it cannot do stands in differences.py."""

from __future__ import annotations

import pytest

from tests.contracts import test_engine
from tests.vllm.differences import LEFT_OUT

pytestmark = pytest.mark.asyncio(loop_scope="session")

globals().update(
    {name: test for name, test in vars(test_engine).items() if name.startswith("test_") and name not in LEFT_OUT}
)
