"""Asks an artefact what a request will come to at each model. numpy only; a request takes a few milliseconds at most.

It estimates and does not choose: whoever plans weighs passing against cost and time.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from router.estimates.artefact import Artefact, Quantiles
from router.estimates.features import Features, Floats
from router.estimates.outcome import NO_CONTEXT, Context
from router.estimates.prior import Head
from router.estimates.representation import Reading


@dataclass(frozen=True, slots=True)
class Estimate:
    """`pass_probability` that tests pass on the model's output.

    `outcomes` is the decayed number of outcomes behind it, `parts` what the regression, the neighbours and the prior
    said each (the prior alone where there are too few). Cost and seconds are of one call, None before the first one.
    """

    pass_probability: float
    outcomes: float
    parts: Mapping[str, float]
    cost_usd: Quantiles | None
    seconds: Quantiles | None


class Estimates(Mapping[str, Estimate]):
    """The estimates of one request, by model; `rescue` and `gain` compare two of them."""

    def __init__(self, models: Mapping[str, Estimate], asked: _Asked) -> None:
        self._models, self._asked = models, asked

    def __getitem__(self, model: str) -> Estimate:
        return self._models[model]

    def __iter__(self) -> Iterator[str]:
        return iter(self._models)

    def __len__(self) -> int:
        return len(self._models)

    def rescue(self, weak: str, strong: str) -> float:
        """P(strong passes | weak failed). Far below P(strong passes): what one fails, the other tends to fail too."""
        return self._asked.probability((weak, strong))[0]

    def second_draw(self, model: str) -> float:
        """P(its second draw for this request passes | its first failed)."""
        return self._models[model].pass_probability * self._asked.again(model)

    def accepted_wrong(self, model: str, declared: float) -> float:
        """P(checks without tests accept its answer | it is wrong)."""
        return self._asked.accepted_wrong(model, declared)

    def gain(self, weak: str, strong: str) -> float:
        """How much likelier `strong` passes than `weak`: what asking it instead is worth, before anything ran."""
        return self._models[strong].pass_probability - self._models[weak].pass_probability


class Estimator:
    """Answers for one artefact, which its `digest` names."""

    def __init__(self, artefact: Artefact) -> None:
        self._artefact = artefact
        self.digest = artefact.digest

    def estimate(self, features: Features, models: Iterable[str], context: Context = NO_CONTEXT) -> Estimates:
        """What a request comes to at each of the models, known or not."""
        asked = _Asked(self._artefact, features, context)
        return Estimates({model: asked.estimate(model) for model in models}, asked)


class _Asked:
    """One request, read and compared with those of the past once for all heads."""

    def __init__(self, artefact: Artefact, features: Features, context: Context) -> None:
        self._artefact, self._context = artefact, context
        self._read: tuple[Reading, Floats] | None = None
        if artefact.representation is not None:
            reading = artefact.representation.read(features)
            self._read = reading, artefact.readings @ reading.dense

    def estimate(self, model: str) -> Estimate:
        """The estimate of a model."""
        likely, parts = self.probability(("", model))
        costs, seconds = self._artefact.cost_usd.get(model), self._artefact.seconds.get(model)
        return Estimate(likely, self._artefact.prior.seen(("", model)), parts, costs, seconds)

    def again(self, model: str) -> float:
        """What is left of a model's chance after a draw that failed."""
        return self._artefact.prior.again(model, self._context)

    def accepted_wrong(self, model: str, declared: float) -> float:
        """What checks without tests accept of a model's wrong answers."""
        return self._artefact.prior.accepted_wrong(model, declared)

    def probability(self, head: Head) -> tuple[float, Mapping[str, float]]:
        """Of a head, and what its parts said."""
        prior = self._artefact.prior.mean(head, self._context)
        model = self._artefact.heads.get(head)
        if model is None or self._read is None:
            return prior, {"prior": prior}
        parts = model.parts(*self._read, prior)
        names = ("regression", "neighbours", "prior")
        return float(model.mix.probability(parts)), dict(zip(names, parts.tolist(), strict=True))
