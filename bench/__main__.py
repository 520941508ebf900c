"""`python -m bench [GROUP]`: run one group of measurements, or all of them."""

from __future__ import annotations

import asyncio
import sys

from bench import ledger, models
from bench.api import group as api
from bench.control import group as control
from bench.cpu import group as cpu
from bench.overhead import group as overhead
from bench.ray import group as ray
from bench.routing import group as routing
from bench.sandbox import group as sandbox
from bench.sandbox import mbpp
from bench.vllm import group as vllm

GROUPS = {
    "models": models.measure,
    "ledger": ledger.measure,
    "api": api.measure,
    "cpu": cpu.measure,
    "vllm": vllm.measure,
    "vllm-gpu": vllm.measure_on_gpu,
    "ray": ray.measure,
    "overhead": overhead.measure,
    "control": control.measure,
    "routing": routing.measure,
    "sandbox": sandbox.measure,
    "sandbox-mbpp": mbpp.measure,
}


def main() -> int:
    """Exit code 0 when every bar holds."""
    wanted = sys.argv[1] if len(sys.argv) > 1 else "all"
    if wanted not in {"all", *GROUPS}:
        print(f"There is no group {wanted!r}; valid: all, {', '.join(GROUPS)}.", file=sys.stderr)
        return 2
    rows = [row for name, measure in GROUPS.items() if wanted in ("all", name) for row in asyncio.run(measure())]
    missed = [row.what for row in rows if row.holds is False]
    if missed:
        print(f"Bars missed: {'; '.join(missed)}", file=sys.stderr)
    return 1 if missed else 0


if __name__ == "__main__":
    sys.exit(main())
