"""Which workload learns from which: itself, traffic without a class, and whatever says that it informs it.

The class whose outcomes they are declares it (`informs`): what it is asked is its own to give. One that says nothing
informs nobody else, and a class that is no longer declared informs nobody at all. Called by whoever trains, and by the
appliance when it takes up what was learnt.
"""

from __future__ import annotations

from collections.abc import Mapping

from router.workloads import WorkloadSpec

Sources = tuple[str, ...]
"""Workloads in order; "" is traffic without a class."""
EVERYBODY = "*"


def informed_by(workloads: Mapping[str, WorkloadSpec]) -> dict[str, Sources]:
    """By workload, and for traffic without a class (""), whose outcomes it learns from."""
    return {
        name: tuple(sorted({"", name, *(other for other, spec in workloads.items() if _informs(spec, name))}))
        for name in ("", *workloads)
    }


def _informs(spec: WorkloadSpec, name: str) -> bool:
    return EVERYBODY in spec.informs or name in spec.informs
