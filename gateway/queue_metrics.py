"""What metrics tell of the queues in front of models. Who registers it: telemetry.py.

A tenant has a series of those that wait only while it has any, so there are never more of these than requests that
wait. A queue's name is its model's, `model@version` for an older or newer version, `model for workload` for a share.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from router.limits import Slots


class QueueMetrics(Collector):
    """Asks slots when metrics are read."""

    def __init__(self, slots: Mapping[str, Slots]) -> None:
        """`slots` by the names of their queues; there may be more of them later."""
        self._slots = slots

    def collect(self) -> Iterable[Metric]:
        """Slots held and waited for, by whom they are waited for, and who was turned away."""
        states = GaugeMetricFamily("bailey_slots", "Requests with a slot, and without", labels=["queue", "state"])
        waiting = GaugeMetricFamily("bailey_requests_waiting", "Requests in a queue", labels=["queue", "tenant"])
        turned_away = CounterMetricFamily(
            "bailey_requests_turned_away", "Requests for which a queue was full", labels=["queue", "tenant"]
        )
        for queue, slots in self._slots.items():
            states.add_metric([queue, "held"], slots.running)
            states.add_metric([queue, "waiting"], slots.waiting)
            for tenant, count in slots.waiting_by_tenant.items():
                waiting.add_metric([queue, tenant], count)
            for tenant, count in slots.turned_away.items():
                turned_away.add_metric([queue, tenant], count)
        return [states, waiting, turned_away]
