"""What other rules would have meant for cost, quality and latency, from calls on record. Pure.

The estimate is doubly robust: for each call what its new model is expected to do, from that model's own calls of like
difficulty; and where chance (a canary) or agreement let the new model answer already, the expectation is corrected by
what was seen, weighted by one over the chance. So a call whose decision does not change counts as it was. Shadows
(router/shadows) are no decisions: they count in what is expected of their models and nowhere else. Intervals are
percentiles of a (Poisson) bootstrap over calls and shadows that makes the expectations anew each time.

M. Dudik, J. Langford, L. Li, Doubly robust policy evaluation and learning, ICML 2011. Effective sample size: L. Kish,
Survey Sampling (1965), the square of the sum of weights over the sum of their squares.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from inference.errors import EngineError
from inference.price import Price
from inference.protocol import Usage
from router.replay.logged import LoggedCall
from router.route import Route

Floats = npt.NDArray[np.float64]
Indices = npt.NDArray[np.int64]
_BINS = 4
"""Of difficulty, for expectations."""
_PRIOR = 5.0
"""Calls' worth of a model's average in each bin, and of everybody's in each model's average."""
_RESAMPLES = 400


@dataclass(frozen=True, slots=True)
class Figure:
    """Something as it was and as it would have been, and the 95 % interval of the difference."""

    name: str
    was: float
    would_be: float
    low: float
    high: float


@dataclass(frozen=True, slots=True)
class Comparison:
    """`changed` counts calls that another version would have answered, (before, after) -> calls.

    `refused` counts calls that would not be answered, by reason. `without_record` counts those whose new version never
    answered: they count in the cost, at the declared price, and not in the other figures.
    """

    calls: int
    changed: Mapping[tuple[str, str], int]
    refused: Mapping[str, int]
    without_record: Mapping[str, int]
    effective: float
    figures: tuple[Figure, ...]


def compare(
    calls: Sequence[LoggedCall],
    decide: Callable[[LoggedCall], Route],
    seed: int = 0,
    shadows: Sequence[LoggedCall] = (),
) -> Comparison:
    """Decide all calls again. A call that would be refused costs nothing and counts in no other figure."""
    refused: Counter[str] = Counter()
    answered: list[tuple[LoggedCall, Route]] = []
    for call in calls:
        try:
            answered.append((call, decide(call)))
        except EngineError as error:
            refused[error.code] += 1
    table = _Table(answered, shadows)
    changed = Counter((call.version, _first(route)) for call, route in answered if call.version != _first(route))
    return Comparison(
        calls=len(calls),
        changed=changed,
        refused=refused,
        without_record=Counter(_first(route) for _, route in answered if _first(route) not in table.known),
        effective=table.effective,
        figures=tuple(_figures(table, sum(call.cost_usd for call in calls), seed)) if answered else (),
    )


def _first(route: Route) -> str:
    model = route.candidates[0]
    return f"{route.answers_as(model)}@{model.version}"


class _Table:
    """The answered calls as columns. Those of outcomes go on with the shadows, behind the first `calls` rows."""

    def __init__(self, answered: Sequence[tuple[LoggedCall, Route]], shadows: Sequence[LoggedCall]) -> None:
        calls, routes = [call for call, _ in answered], [route for _, route in answered]
        seen = [*calls, *shadows]
        names = list({*(call.version for call in seen), *map(_first, routes)})
        index = {name: number for number, name in enumerate(names)}
        self.known = {call.version for call in seen}
        self.models, self.calls, self.rows = len(names), len(calls), len(seen)
        self.version: Indices = np.array([index[call.version] for call in seen], dtype=np.int64)
        self.after: Indices = np.array([index[_first(route)] for route in routes], dtype=np.int64)
        self.bins: Indices = np.array([min(int(call.difficulty * _BINS), _BINS - 1) for call in seen], dtype=np.int64)
        unchanged = self.version[: self.calls] == self.after
        self.weights: Floats = unchanged / np.array([call.propensity for call in calls])
        self.tokens: Floats = np.array([call.completion_tokens for call in seen], dtype=float)
        self.seconds: Floats = np.array([call.seconds for call in seen])
        self.passed: Floats = np.array([np.nan if call.passed is None else call.passed for call in seen], dtype=float)
        self.on_record = np.array([_first(route) in self.known for route in routes], dtype=bool)
        self.spent: Floats = np.array([call.cost_usd for call in calls])
        prices = [route.candidates[0].price for route in routes]
        self.prompt_usd: Floats = np.array([_prompt_usd(*each) for each in zip(calls, prices, strict=True)])
        self.per_answer: Floats = np.array([float(price.output_usd_per_million) / 1e6 for price in prices])

    @property
    def effective(self) -> float:
        """The effective sample size: calls that say something of the new decisions, less the more they weigh apart."""
        squares = float(np.sum(self.weights**2))
        return float(np.sum(self.weights)) ** 2 / squares if squares else 0.0


def _prompt_usd(call: LoggedCall, price: Price) -> float:
    """What was cached is taken to be cached elsewhere, too: conversations move as a whole."""
    usage = Usage(call.prompt_tokens, cached_tokens=call.cached_tokens, written_tokens=call.written_tokens)
    return float(price.cost_usd(usage))


def _figures(table: _Table, spent_in_all: float, seed: int) -> list[Figure]:
    cost = _Measure(table, table.tokens, np.ones_like(table.on_record))
    seconds = _Measure(table, table.seconds, table.on_record)
    passed = _Measure(table, table.passed, table.on_record & ~np.isnan(table.passed[: table.calls]))

    def dollars(counts: Floats) -> tuple[float, float]:
        would_be = table.prompt_usd + cost.estimates(counts) * table.per_answer
        of_calls = counts[: table.calls]
        return float(of_calls @ table.spent), float(of_calls @ would_be)

    figures = [_figure("cost, USD", dollars, table, seed, spent_in_all - float(table.spent.sum()))]
    figures += [_figure("seconds a call", seconds.means, table, seed)] if seconds.any else []
    figures += [_figure("share of checked answers that pass", passed.means, table, seed)] if passed.any else []
    return figures


def _figure(
    name: str, measure: Callable[[Floats], tuple[float, float]], table: _Table, seed: int, only_before: float = 0.0
) -> Figure:
    """`only_before` is what calls cost that would be refused."""
    random = np.random.default_rng(seed)
    was, would_be = measure(np.ones(table.rows))
    resampled = (measure(random.poisson(1.0, table.rows).astype(float)) for _ in range(_RESAMPLES))
    low, high = np.nanpercentile([after - before - only_before for before, after in resampled], [2.5, 97.5])
    return Figure(name, was + only_before, would_be, float(low), float(high))


class _Measure:
    """One outcome of calls and shadows: its expectation by version and difficulty, corrected by what was seen."""

    def __init__(self, table: _Table, outcome: Floats, counts_in: npt.NDArray[np.bool_]) -> None:
        self._table = table
        self._outcome = np.nan_to_num(outcome)
        self._seen = ~np.isnan(outcome)
        self._counts_in = counts_in

    @property
    def any(self) -> bool:
        """Whether there is anything to measure."""
        return bool(self._counts_in.any())

    def means(self, counts: Floats) -> tuple[float, float]:
        """Its mean as it was and as it would be, calls and shadows counted so many times."""
        calls = self._table.calls
        weights = counts[:calls] * self._counts_in
        total = float(weights.sum())
        if not total:
            return float("nan"), float("nan")
        was, would_be = self._outcome[:calls], self.estimates(counts)
        return float(weights @ was) / total, float(weights @ would_be) / total

    def estimates(self, counts: Floats) -> Floats:
        """What each call would have come to."""
        table, expected = self._table, self._expected(counts * self._seen)
        predicted = expected[table.after, table.bins[: table.calls]]
        seen, outcome = self._seen[: table.calls], self._outcome[: table.calls]
        return predicted + table.weights * seen * (outcome - predicted)

    def _expected(self, counts: Floats) -> Floats:
        """By version and bin: averages, drawn towards the version's own, and that towards everybody's."""
        table = self._table
        cells = table.version * _BINS + table.bins
        shape = (table.models, _BINS)
        seen = np.bincount(cells, counts, minlength=table.models * _BINS).reshape(shape)
        sums = np.bincount(cells, counts * self._outcome, minlength=table.models * _BINS).reshape(shape)
        everybody = sums.sum() / max(seen.sum(), 1e-12)
        of_model = (sums.sum(axis=1) + _PRIOR * everybody) / (seen.sum(axis=1) + _PRIOR)
        found: Floats = (sums + _PRIOR * of_model[:, None]) / (seen + _PRIOR)
        return found
