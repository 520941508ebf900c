"""`python -m bench.cpu`: some cells of the group `cpu`, printed but not kept.

Example: `python -m bench.cpu --models nano --cells chat@8,shared@16 --runs 3 --others ""`.
"""

from __future__ import annotations

import argparse
import asyncio

from bench.cpu.cells import SUBJECTS
from bench.cpu.group import OTHER_PEERS, RUNS, Choice, measure_chosen


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]


def main() -> None:
    """Measure what was chosen."""
    parser = argparse.ArgumentParser(prog="python -m bench.cpu", description=__doc__)
    parser.add_argument("--models", type=_names, default=list(SUBJECTS), help=f"of {', '.join(SUBJECTS)}")
    parser.add_argument("--cells", type=_names, default=[], help="such as chat@8,shared@16; unset: all")
    parser.add_argument("--others", type=_names, default=[], help=f"further rows: {', '.join(OTHER_PEERS)}")
    parser.add_argument("--runs", type=int, default=RUNS)
    chosen = parser.parse_args()
    found = asyncio.run(measure_chosen(Choice(chosen.models, chosen.cells, chosen.others, chosen.runs)))
    print("\n".join(found.table()))
    print(found.notes(0))


if __name__ == "__main__":
    main()
