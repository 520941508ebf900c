"""What became of shadows, for Prometheus: read from the engine that asks them when metrics are read."""

from __future__ import annotations

from collections.abc import Iterable

from prometheus_client.core import CounterMetricFamily, Metric
from prometheus_client.registry import Collector

from router.shadows.engine import ShadowingEngine


class ShadowMetrics(Collector):
    """Counts shadows by route, model and outcome, and what they cost; clients' own calls are counted elsewhere."""

    def __init__(self, shadowing: ShadowingEngine) -> None:
        self._shadowing = shadowing

    def collect(self) -> Iterable[Metric]:
        """Two counters."""
        shadows = CounterMetricFamily(
            "bailey_shadows", "Shadows of answers, and those left out", labels=["route", "model", "outcome", "reason"]
        )
        for fate, times in self._shadowing.fates.items():
            shadows.add_metric([fate.route, fate.model, fate.outcome, fate.reason], times)
        cost = CounterMetricFamily("bailey_shadow_cost_usd", "What finished shadows cost", labels=["route", "model"])
        for (route, model), spent in self._shadowing.spent_usd.items():
            cost.add_metric([route, model], float(spent))
        return [shadows, cost]
