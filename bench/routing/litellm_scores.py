"""Run by LiteLLM's own Python: a JSON list of prompts comes in, for each how hard its two local heuristics find it.

Both are those of its complexity router as installed: the weighted score, and the chance that the lowest tier fails.
"""

from __future__ import annotations

import json
import sys


def main() -> None:
    """Answers with a JSON list of pairs (score of `heuristic`, 1 - P(tier 1 succeeds) of `heuristic_v2`)."""
    from litellm import Router  # type: ignore[import-not-found]
    from litellm.router_strategy.adaptive_router.classifier import classify_prompt  # type: ignore[import-not-found]
    from litellm.router_strategy.complexity_router import (  # type: ignore[import-not-found]
        complexity_router,
        tier_predictor,
    )

    scorer = complexity_router.ComplexityRouter("auto", Router(model_list=[]))
    predictor = tier_predictor.TierSuccessPredictor(tier_predictor.resolve_tier_artifact("ultrafeedback"))
    found = []
    for prompt in json.load(sys.stdin):
        succeeds = predictor.predict(prompt, classify_prompt(prompt)).probabilities[1]
        found.append((scorer.classify(prompt)[1], 1 - succeeds))
    json.dump(found, sys.stdout)


if __name__ == "__main__":
    main()
