"""vLLM's own benchmark client, run once: so many requests at a time, streamed, of random texts, greedily."""

from __future__ import annotations

import asyncio
import json
import statistics
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from bench.vllm.servers import PYTHON, Server

BURST_SECONDS = 0.001
# What `vllm bench serve` runs; that command does not find its own version in the build for processors. With random
# texts the client asks for `ignore_eos`, a word of vLLM's own that Bailey refuses: here neither side is asked for it.
PROGRAM = """
from vllm.benchmarks.lib import endpoint_request_func
from vllm.benchmarks.serve import add_cli_args, main
from vllm.utils.argparse_utils import FlexibleArgumentParser

endpoint_request_func._update_payload_common = lambda payload, asked: payload.update(asked.extra_body or {})
parser = FlexibleArgumentParser()
add_cli_args(parser)
main(parser.parse_args())
"""


@dataclass(frozen=True, slots=True)
class Load:
    """What is asked: `clients` at a time, each prompt and answer of so many tokens."""

    clients: int
    requests: int
    prompt_tokens: int
    answer_tokens: int


@dataclass(frozen=True, slots=True)
class Figures:
    """What one run came to: output tokens a second, and milliseconds."""

    tokens_per_second: float
    first_p50: float
    gap_p50: float
    gap_p95: float
    gap_p99: float
    bursts: float
    """Share of chunks that came within a millisecond of the one before."""


async def run(server: Server, name: str, tokenizer: Path, load: Load, seed: int) -> Figures:
    """Raises `RuntimeError` if any request failed."""
    with tempfile.TemporaryDirectory(prefix="bailey-bench-") as folder:
        options = {
            "backend": "openai", "base-url": f"http://127.0.0.1:{server.port}", "endpoint": "/v1/completions",
            "model": name, "tokenizer": tokenizer, "seed": seed, "temperature": 0,
            "dataset-name": "random", "random-input-len": load.prompt_tokens,
            "random-output-len": load.answer_tokens,
            "num-prompts": load.requests, "max-concurrency": load.clients, "num-warmups": load.clients,
            "result-dir": folder, "result-filename": "result.json",
        }  # fmt: skip
        words = [word for option, value in options.items() for word in (f"--{option}", str(value))]
        process = await asyncio.create_subprocess_exec(
            *("env", "HF_HUB_OFFLINE=1", "VLLM_NO_USAGE_STATS=1", f"OPENAI_API_KEY={server.key}", str(PYTHON)),
            *("-c", PROGRAM, *words, "--save-result", "--save-detailed", "--disable-tqdm"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        output, _ = await process.communicate()
        if process.returncode:
            raise RuntimeError(f"vLLM's client failed: {output.decode()[-2000:]}")
        return figures(json.loads((Path(folder) / "result.json").read_text()), load.requests)


def figures(result: dict[str, object], requests: int) -> Figures:
    """The figures in a result file of the client."""
    if result["completed"] != requests:
        raise RuntimeError(f"Only {result['completed']} of {requests} requests were answered: {result.get('errors')}")
    itls: Sequence[Sequence[float]] = result["itls"]  # type: ignore[assignment]  # seconds between chunks, by request
    ttfts: Sequence[float] = result["ttfts"]  # type: ignore[assignment]
    gaps = sorted(gap for each in itls for gap in each)
    return Figures(
        tokens_per_second=float(str(result["output_throughput"])),
        first_p50=1e3 * statistics.median(ttfts),
        gap_p50=1e3 * _quantile(gaps, 0.5),
        gap_p95=1e3 * _quantile(gaps, 0.95),
        gap_p99=1e3 * _quantile(gaps, 0.99),
        bursts=sum(gap < BURST_SECONDS for gap in gaps) / max(1, len(gaps)),
    )


def _quantile(ordered: Sequence[float], part: float) -> float:
    return ordered[min(len(ordered) - 1, int(part * len(ordered)))] if ordered else 0.0
