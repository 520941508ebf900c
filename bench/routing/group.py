"""The group `routing`: which prompts deserve the stronger model, told by our estimates, by LiteLLM, and as published.

All is learnt and chosen inside the prompts that a fold leaves over; a fold is opened once per seed, to be scored.
"""

from __future__ import annotations

import json
import os
import statistics
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path

import numpy as np

from bench.overhead.servers import LITELLM, LITELLM_VERSION, make_litellm
from bench.report import ROOT, Row, keep, put_into
from bench.routing import data, ours
from bench.routing.curve import Figures, Right, Scores, bootstrapped, figures
from bench.routing.data import Item
from bench.routing.ours import DIFFICULTY, GAIN, RESCUE
from bench.routing.splits import grouped
from router.estimates.features import featurize

SEEDS = 5
LABELS = 1500
_TIMED, _WARM = 2000, 50
_MOST_MS = 5.0
# RouteLLM's best figures for these two models (Ong et al. 2024, arXiv 2406.18665v4), on all subjects and prompts: MMLU
# with about 1,500 labels of its validation set (similarity-weighted ranking; CPT80 the causal LLM), GSM8K with labels
# that a judge gave to other prompts (causal LLM).
PUBLISHED = {"mmlu": Figures(0.603, 35.40, 70.31), "gsm8k": Figures(0.622, 33.64, 63.26)}
UNSEEN, LENGTH = "ours, subjects never seen", "length"


@dataclass(frozen=True, slots=True)
class Result:
    """One method on one benchmark; `low` and `high` bound APGR with 95 %, None where nothing was drawn."""

    benchmark: str
    method: str
    figures: Figures
    low: float | None = None
    high: float | None = None


async def measure() -> list[Row]:
    """Writes bench/results/routing.json and the table in bench/README.md; nothing where the outcomes are not there."""
    if (source := data.source()) is None:
        looked = " nor ".join(str(each.mmlu) for each in data.SOURCES)
        print(f"The group routing was skipped: RouteLLM's outcomes are neither in {looked}.")
        return []
    mmlu, gsm8k = data.mmlu(source), data.gsm8k(source)
    results = [*_peers("mmlu", mmlu), *_peers("gsm8k", gsm8k), *_of_ours(mmlu, gsm8k)]
    rows = [*_rows(results), *_times(mmlu)]
    notes = {
        "prompts": {"mmlu": len(mmlu), "gsm8k": len(gsm8k)},
        "subjects": len({item.subject for item in mmlu}),
        "labels": {"mmlu": LABELS, "gsm8k": _labels_of_gsm8k(gsm8k)},
        "seeds": SEEDS,
        "litellm": LITELLM_VERSION,
        "results": [asdict(result) for result in results],
    }
    keep("routing", rows, notes)
    put_into(ROOT / "bench" / "README.md", "bench routing", table(results))
    return rows


def _labels_of_gsm8k(items: Sequence[Item]) -> int:
    groups = [item.prompt for item in items]
    return max(len(learnt) for learnt, _ in grouped(groups, len(items), 0))


def _peers(benchmark: str, items: Sequence[Item]) -> Iterator[Result]:
    """What needs no labels: bounds, what was published, the length of the prompt, and LiteLLM's heuristics."""
    weak, strong = _right(items)
    yield Result(benchmark, "random", figures(np.zeros(len(items)), weak, strong))
    yield Result(benchmark, "oracle", figures(strong.astype(np.float64) - weak, weak, strong))
    yield Result(benchmark, "RouteLLM, published", PUBLISHED[benchmark])
    scores = {LENGTH: np.array([len(item.prompt) for item in items], dtype=np.float64), **_litellm(items)}
    for method, found in scores.items():
        yield Result(benchmark, method, figures(found, weak, strong), *bootstrapped([found], weak, strong))


def _litellm(items: Sequence[Item]) -> dict[str, Scores]:
    make_litellm()
    prompts = json.dumps([item.prompt for item in items])
    program = Path(__file__).with_name("litellm_scores.py")
    command = ("env", "LITELLM_LOG=ERROR", "LITELLM_LOCAL_MODEL_COST_MAP=True", LITELLM / "bin" / "python", program)
    answered = subprocess.run(command, input=prompts, capture_output=True, text=True, check=True)
    first, second = np.array(json.loads(answered.stdout), dtype=np.float64).T
    return {"LiteLLM heuristic": first, "LiteLLM heuristic_v2": second}


def _of_ours(mmlu: Sequence[Item], gsm8k: Sequence[Item]) -> Iterator[Result]:
    for benchmark, items, groups, names in (
        ("mmlu", mmlu, _openings(mmlu), {name: name for name in (GAIN, DIFFICULTY, RESCUE)}),
        ("mmlu", mmlu, [item.subject for item in mmlu], {GAIN: UNSEEN}),
        ("gsm8k", gsm8k, _openings(gsm8k), {name: name for name in (GAIN, DIFFICULTY, RESCUE)}),
    ):
        weak, strong = _right(items)
        with ProcessPoolExecutor(os.cpu_count()) as pool:
            of_seeds = list(pool.map(partial(ours.scored, items, groups, LABELS), range(SEEDS)))
        for name, shown in names.items():
            scores = [each[name] for each in of_seeds]
            found = [figures(each, weak, strong) for each in scores]
            mean = Figures(*(statistics.mean(getattr(each, field) for each in found) for field in Figures.__slots__))
            yield Result(benchmark, shown, mean, *bootstrapped(scores, weak, strong))


def _openings(items: Sequence[Item]) -> list[str]:
    """Prompts that open alike, with the same passage, are on one side of a split."""
    return [featurize(item.prompt).group for item in items]


def _right(items: Sequence[Item]) -> tuple[Right, Right]:
    return np.array([item.weak for item in items]), np.array([item.strong for item in items])


def _rows(results: Sequence[Result]) -> Iterator[Row]:
    found = {(result.benchmark, result.method): result.figures for result in results}
    mmlu, gsm8k, unseen = found["mmlu", GAIN], found["gsm8k", GAIN], found["mmlu", UNSEEN]
    published = PUBLISHED["mmlu"]
    for what, value, peer, bar in (
        ("MMLU, APGR (peer: RouteLLM, published)", mmlu.apgr, published.apgr, 0.65),
        ("GSM8K, APGR (peer: RouteLLM, published)", gsm8k.apgr, PUBLISHED["gsm8k"].apgr, 0.63),
        ("MMLU, subjects never seen, APGR", unseen.apgr, None, 0.61),
    ):
        yield Row(what, round(value, 4), peer, f"at least {bar:g}", value >= bar, SEEDS)
    bar, value = 62.0, mmlu.cpt80
    yield Row("MMLU, CPT80 in %", round(value, 2), published.cpt80, f"at most {bar:g}", value <= bar, SEEDS)


def _times(items: Sequence[Item]) -> Iterator[Row]:
    """Of an artefact that has as many requests as one may have of these prompts."""
    artefact = ours.trained(items, [featurize(item.prompt) for item in items])
    taken = sorted(ours.timed(artefact, [item.prompt for item in items[:: max(1, len(items) // _TIMED)]])[_WARM:])
    for percent in (50, 99):
        value = taken[int(len(taken) * percent / 100)]
        bar, holds = (f"under {_MOST_MS:g} ms", value < _MOST_MS) if percent == 99 else ("", None)
        yield Row(f"ms a request with {len(items)} known, p{percent}", round(value, 3), None, bar, holds)


def table(results: Sequence[Result]) -> list[str]:
    """Every method on both benchmarks."""
    lines = ["| benchmark | method | APGR (95 %) | CPT50 | CPT80 |", "|---|---|---|---|---|"]
    names: Mapping[str, str] = {"mmlu": "MMLU", "gsm8k": "GSM8K"}
    for each in results:
        bounds = "" if each.low is None else f" ({each.low:.3f}-{each.high:.3f})"
        found = each.figures
        lines.append(
            f"| {names[each.benchmark]} | {each.method} | {found.apgr:.3f}{bounds} "
            f"| {found.cpt50:.1f} | {found.cpt80:.1f} |"
        )
    return lines
