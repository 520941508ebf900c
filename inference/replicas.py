"""What others may ask of an engine that is made of replicas, which come and go; the cluster's engine is one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Protocol, runtime_checkable


@runtime_checkable
class MayBeCold(Protocol):
    """An engine that may have nothing running, and starts it when somebody asks; the answer takes as long as that."""

    def warm(self) -> bool:
        """Whether a request would be answered without a start; if not, one is begun, as if somebody had asked."""
        ...


@runtime_checkable
class KnowsReplicas(Protocol):
    """An engine that can tell how many replicas it has."""

    def replica_counts(self) -> Mapping[str, int]:
        """How many are wanted, ready, starting and leaving, by these words."""
        ...
