"""The cases of the API (tests/api), held by an appliance whose model runs on real vLLM.

What is otherwise there stands in differences.py.
"""

from __future__ import annotations

import importlib

from tests.vllm.differences import LEFT_OUT

CASES = ("chat", "sampling", "tools", "completions", "responses", "messages")

for _case in CASES:
    for _name, _test in vars(importlib.import_module(f"tests.api.test_{_case}")).items():
        if _name.startswith("test_") and _name not in LEFT_OUT:
            globals()[f"test_{_case}_{_name.removeprefix('test_')}"] = _test
