"""Where replicas say how they are: small entries in the key-value store of Ray's control service (GCS).

Every replica writes its own entry again and again; the placer reads them all. An entry that has not changed for a while
belongs to a replica that is gone. Needs a process that is connected to Ray; calls block, and raise `ConnectionError`
when the control service is away.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager

from inference.cluster.messages import Replica

NAMESPACE = b"bailey"
PREFIX = b"replica/"
BEAT_SECONDS = 0.5
GONE_SECONDS = 5.0


def announce(replica: Replica, beat: int) -> None:
    """Write a replica's entry; `beat` differs from the last one."""
    from ray.experimental.internal_kv import _internal_kv_put

    value = json.dumps({"beat": beat, "replica": replica.model_dump()})
    with _control_service():
        _internal_kv_put(_key(replica.id), value.encode(), overwrite=True, namespace=NAMESPACE)


def withdraw(replica_id: str) -> None:
    """Remove a replica's entry."""
    from ray.experimental.internal_kv import _internal_kv_del

    with _control_service():
        _internal_kv_del(_key(replica_id), namespace=NAMESPACE)


class Directory:
    """Reads the entries, and knows by its own clock how old each is."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._changed: dict[str, tuple[int, float]] = {}

    def replicas(self) -> Sequence[Replica]:
        """All that have said something lately; the entries of others are removed."""
        with _control_service():
            found = [self._aged(beat, replica) for beat, replica in _entries()]
        for gone in (replica for replica in found if replica.age_seconds > GONE_SECONDS):
            withdraw(gone.id)
        there = [replica for replica in found if replica.age_seconds <= GONE_SECONDS]
        self._changed = {replica.id: self._changed[replica.id] for replica in there}
        return there

    def _aged(self, beat: int, replica: Replica) -> Replica:
        known, now = self._changed.get(replica.id), self._clock()
        if known is None or known[0] != beat:
            self._changed[replica.id] = known = (beat, now)
        return replica.model_copy(update={"age_seconds": now - known[1]})


@contextmanager
def _control_service() -> Iterator[None]:
    from ray.exceptions import RayError

    try:
        yield
    except RayError as error:
        raise ConnectionError(f"Ray's control service cannot be reached: {error}") from error


def _entries() -> Sequence[tuple[int, Replica]]:
    from ray.experimental.internal_kv import _internal_kv_get, _internal_kv_list

    entries = []
    for key in _internal_kv_list(PREFIX, namespace=NAMESPACE):
        value = _internal_kv_get(key, namespace=NAMESPACE)
        if value is not None:  # withdrawn in between
            entry = json.loads(value)
            entries.append((int(entry["beat"]), Replica.model_validate(entry["replica"])))
    return entries


def _key(replica_id: str) -> bytes:
    return PREFIX + replica_id.encode()
