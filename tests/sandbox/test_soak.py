"""A short soak in each tier; `soak.py` runs as many jobs as one likes (docs/sandbox.md says how)."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from sandbox.spec import Tier

ROOT = Path(__file__).parents[2]
JOBS, MOST_GROWN_KIB = 60, 16_384


def test_nothing_is_left_of_many_jobs(tier: Tier) -> None:
    run = subprocess.run(
        [sys.executable, "-m", "tests.sandbox.soak", tier, str(JOBS)], cwd=ROOT, capture_output=True, text=True
    )
    found = json.loads(run.stdout)
    if found["tier"] != tier:
        pytest.skip(f"this host offers no tier {tier} to this user")
    assert found["failures"] == []
    assert {kind: left for kind, left in found["leaked"].items() if left} == {}
    assert found["grown_kib"] < MOST_GROWN_KIB
    assert sum(found["jobs"].values()) == JOBS
    assert run.returncode == 0, run.stderr
