"""From a vLLM model of models.yaml to the command line and environment of its child. Pure: nothing is started here.

Every argument remembers the key of models.yaml that it comes from, so that what the installed vLLM does not know can
be named by that key (`check.py`).
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from inference.vllm.placement import Lora, Speculative, VllmPlacement

if TYPE_CHECKING:
    from inference.catalog import VllmModel

MODULE = "vllm.entrypoints.openai.api_server"
WORKER_FOLDER = Path(__file__).parent / "worker"
WORKER_EXTENSION = "bailey_worker.Extension"
MAX_CHOICES = 128
"""Answers to one request that our API takes at most; vLLM counts each as a request."""

# Flag -> what says it; `arguments` may repeat none of them.
OURS: Mapping[str, str] = {
    "--model": "source",
    "--served-model-name": "name",
    "--host": "Bailey, which listens on a private socket",
    "--port": "Bailey, which listens on a private socket",
    "--uds": "Bailey, which listens on a private socket",
    "--max-model-len": "context_tokens",
    "--max-num-seqs": "concurrency",
    "--max-num-queued-reqs": "concurrency",
    "--generation-config": "Bailey: sampling is what a request says",
    "--enable-prompt-tokens-details": "Bailey, which counts cached tokens",
    "--runner": "capabilities",
    "--worker-extension-cls": "Bailey, which lets workers use all of a processor",
    "--tensor-parallel-size": "placement.tensor_parallel",
    "-tp": "placement.tensor_parallel",
    "--pipeline-parallel-size": "placement.pipeline_parallel",
    "-pp": "placement.pipeline_parallel",
    "--dtype": "placement.dtype",
    "--quantization": "placement.quantization",
    "-q": "placement.quantization",
    "--gpu-memory-utilization": "placement.gpu_memory_fraction",
    "--kv-cache-memory-bytes": "placement.kv_cache_mib",
    "--enable-prefix-caching": "placement.prefix_caching",
    "--no-enable-prefix-caching": "placement.prefix_caching",
    "--enforce-eager": "placement.eager",
    "--no-enforce-eager": "placement.eager",
    "--speculative-config": "placement.speculative",
    "-sc": "placement.speculative",
    "--spec-method": "placement.speculative.method",
    "--spec-model": "placement.speculative.model",
    "--spec-tokens": "placement.speculative.tokens",
    "--enable-lora": "placement.lora",
    "--lora-modules": "placement.lora.adapters",
    "--max-loras": "placement.lora.max_loaded",
    "--max-lora-rank": "placement.lora.max_rank",
    "--enable-auto-tool-choice": "placement.tool_parser",
    "--tool-call-parser": "placement.tool_parser",
    "--tool-strict-level": "placement.tool_parser",
    "--exclude-tools-when-tool-choice-none": "placement.tool_parser",
    "--reasoning-parser": "placement.reasoning_parser",
}


@dataclass(frozen=True, slots=True)
class Argument:
    """A few words of the command line, and the key of the model that says them."""

    key: str
    words: tuple[str, ...]


def repeated(arguments: Sequence[str]) -> Iterator[str]:
    """A sentence for each word of `arguments` that another key says; underscores and beginnings count, as in vLLM."""
    for word in arguments:
        flag = word.split("=", 1)[0].split(".", 1)[0].replace("_", "-")
        if not flag.startswith("-") or flag == "--":
            continue
        meant = flag if flag in OURS else next((each for each in OURS if _abbreviates(flag, each)), None)
        if meant is not None:
            yield f"{word!r} may not stand in arguments: {OURS[meant]} says it"


def _abbreviates(flag: str, whole: str) -> bool:
    return flag.startswith("--") and len(flag) > len("--x") and whole.startswith(flag)


def server_arguments(model: VllmModel, weights: str, socket: str) -> list[Argument]:
    """All arguments of vLLM's server for one model; `socket` is the path at which it listens."""
    generates = bool({"chat", "completion"} & model.capabilities)
    return [
        Argument("source", ("--model", weights)),
        Argument("name", ("--served-model-name", model.name)),
        Argument("name", ("--uds", socket)),
        Argument("context_tokens", ("--max-model-len", str(model.context_tokens))),
        Argument("concurrency", ("--max-num-seqs", str(model.concurrency))),
        # The last guard: behind our own queue it never refuses what was let through.
        Argument("concurrency", ("--max-num-queued-reqs", str(model.concurrency * MAX_CHOICES))),
        Argument("engine", ("--generation-config", "vllm")),
        Argument("engine", ("--enable-prompt-tokens-details",)),
        *([] if generates else [Argument("capabilities", ("--runner", "pooling"))]),
        *([] if model.placement.gpus else [Argument("placement.gpus", ("--worker-extension-cls", WORKER_EXTENSION))]),
        *_grammar(model.capabilities),
        *_placed(model.placement),
        Argument("arguments", tuple(model.arguments)),
    ]


def environment(model: VllmModel, folder: str) -> dict[str, str]:
    """What the child is told beside its arguments; its own sockets lie in `folder`.

    It must neither report usage nor look for files on the network. Adapters are loaded through routes that vLLM only
    has when told so, because where anybody may reach the server anybody could load one; ours listens in private.
    """
    return {
        "VLLM_NO_USAGE_STATS": "1",
        "DO_NOT_TRACK": "1",
        "HF_HUB_OFFLINE": "1",
        "VLLM_RPC_BASE_PATH": folder,
        # Otherwise it finds its own address by opening a socket to 8.8.8.8; only other machines need to know it.
        **({"VLLM_HOST_IP": "127.0.0.1"} if model.placement.machines == 1 else {}),
        **({} if model.placement.gpus else {"PYTHONPATH": str(WORKER_FOLDER)}),
        **({"VLLM_ALLOW_RUNTIME_LORA_UPDATING": "1"} if model.placement.lora else {}),
        # vLLM's own argument leaves out some functions, such as the one for log probabilities (20 s on a processor).
        **({"TORCH_COMPILE_DISABLE": "1"} if model.placement.eager else {}),
    }


def command(model: VllmModel, weights: Path, folder: Path, hidden: Sequence[str] = ()) -> list[str]:
    """The child's whole command; it listens in `folder`, and does not get the variables named in `hidden`."""
    words = [
        word for argument in server_arguments(model, str(weights), str(socket_in(folder))) for word in argument.words
    ]
    return [
        "env",
        *(word for name in hidden for word in ("-u", name)),
        *(f"{name}={value}" for name, value in environment(model, str(folder)).items()),
        *(model.python, "-m", MODULE),
        *words,
    ]


def socket_in(folder: Path) -> Path:
    """Where the server of this folder listens."""
    return folder / "vllm.sock"


def _grammar(capabilities: Collection[str]) -> Iterator[Argument]:
    """Objects of a schema are written without blanks: models that like them would write nothing else.

    Of the two backends that can do so, guidance follows more of JSON Schema, and only xgrammar knows calls of tools.
    `arguments` may choose otherwise.
    """
    if {"json_schema", "tools"} & {*capabilities}:
        backend = "xgrammar" if "tools" in capabilities else "guidance"
        config = json.dumps({"backend": backend, "disable_any_whitespace": True})
        yield Argument("capabilities", ("--structured-outputs-config", config))


def _placed(placement: VllmPlacement) -> Iterator[Argument]:
    values: dict[str, tuple[str, object]] = {
        "tensor_parallel": ("--tensor-parallel-size", placement.tensor_parallel),
        "pipeline_parallel": ("--pipeline-parallel-size", placement.pipeline_parallel),
        "dtype": ("--dtype", placement.dtype),
        "quantization": ("--quantization", placement.quantization),
        "gpu_memory_fraction": ("--gpu-memory-utilization", placement.memory_fraction),
        "kv_cache_mib": ("--kv-cache-memory-bytes", placement.kv_cache_mib and placement.kv_cache_mib * 2**20),
        "reasoning_parser": ("--reasoning-parser", placement.reasoning_parser),
    }
    for key, (flag, value) in values.items():
        if value is not None and not (value == 1 and key.endswith("_parallel")):
            yield Argument(f"placement.{key}", (flag, str(value)))
    if placement.prefix_caching is not None:
        flag = "--enable-prefix-caching" if placement.prefix_caching else "--no-enable-prefix-caching"
        yield Argument("placement.prefix_caching", (flag,))
    if placement.eager:
        yield Argument("placement.eager", ("--enforce-eager",))
    if placement.speculative:
        yield Argument("placement.speculative", ("--speculative-config", _guesses(placement.speculative)))
    if placement.lora:
        yield from _adapters(placement.lora)
    if placement.tool_parser:
        # Arguments of calls always fit their schemas here, whichever engine writes them.
        words = ("--enable-auto-tool-choice", "--tool-call-parser", placement.tool_parser)
        always = ("--tool-strict-level", "parameter", "--exclude-tools-when-tool-choice-none")
        yield Argument("placement.tool_parser", (*words, *always))


def _guesses(speculative: Speculative) -> str:
    model = {"model": speculative.model.removeprefix("path:")} if speculative.model else {}
    return json.dumps({"method": speculative.method, "num_speculative_tokens": speculative.tokens, **model})


def _adapters(lora: Lora) -> Iterator[Argument]:
    """Adapters themselves are not named here: they are all loaded in one way, once the server is up."""
    yield Argument("placement.lora", ("--enable-lora",))
    yield Argument("placement.lora.max_loaded", ("--max-loras", str(lora.max_loaded)))
    yield Argument("placement.lora.max_rank", ("--max-lora-rank", str(lora.max_rank)))
