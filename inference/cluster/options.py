"""From a model of models.yaml to what Ray Serve is told of it. Pure; Ray itself is not needed here."""

from __future__ import annotations

import hashlib
import json
import re
from importlib.metadata import version
from typing import Any

from inference.adapters import with_adapters
from inference.catalog import VllmModel
from inference.cluster.messages import Placed, Surroundings
from inference.vllm.placement import VllmPlacement

APP_PREFIX = "bailey-"
MIB = 2**20
LEAVE_SECONDS = 30.0
"""Beyond draining: for an engine to end."""

# What the gateway alone makes use of: a replica need not start anew when one of these changes.
_GATEWAY_KEYS = {"tier", "price", "data_classes", "queue", "replicas", "cpu_fallback"}


def app_name(model: str) -> str:
    """The name of a model's Serve application: readable, and different for different models."""
    digest = hashlib.sha256(model.encode()).hexdigest()[:6]
    return f"{APP_PREFIX}{re.sub(r'[^A-Za-z0-9-]', '-', model)}-{digest}"


def as_placed(model: Placed) -> Placed:
    """The model as a replica is started: which adapters it is to have, it is told while it runs."""
    return with_adapters(model, {}) if isinstance(model, VllmModel) else model


def code_version(model: Placed, surroundings: Surroundings) -> str:
    """Changes when replicas must be replaced: with what a replica is started with, and with our own version."""
    told = [
        as_placed(model).model_dump(mode="json", exclude=_GATEWAY_KEYS),
        surroundings.model_dump(),
        version("bailey"),
    ]
    text = json.dumps(told, sort_keys=True)
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def deployment_options(model: Placed, count: int) -> dict[str, Any]:
    """The options of the model's deployment with `count` replicas.

    Requests do not pass through Serve, so its own limits, queues and metrics of requests mean nothing here.
    """
    return {
        "num_replicas": count,
        "max_ongoing_requests": 1_000_000,
        "graceful_shutdown_timeout_s": model.replicas.drain_seconds + LEAVE_SECONDS,
        "health_check_period_s": 2.0,
        "health_check_timeout_s": 10.0,
        "max_surge_percent": 1 if model.replicas.surge else 0,  # rounded up to one replica
        "ray_actor_options": actor_options(model),
        **_several_machines(model),
    }


def machines(model: Placed) -> int:
    """How many machines one replica is spread over."""
    return model.placement.machines if isinstance(model.placement, VllmPlacement) else 1


def actor_options(model: Placed) -> dict[str, Any]:
    """What one replica takes on each of its machines, as Ray counts it; `cpus`, `memory_mib` and so on are for each."""
    placement = model.placement
    gpus = placement.gpus / machines(model)
    options: dict[str, Any] = {
        "num_cpus": placement.cpus,
        "num_gpus": gpus,
        "resources": dict(placement.resources),
    }
    if placement.memory_mib is not None:
        options["memory"] = placement.memory_mib * MIB
    if placement.accelerator is not None:
        options["accelerator_type"] = placement.accelerator
    return options


def _several_machines(model: Placed) -> dict[str, Any]:
    """One bundle of resources for each machine; the replica itself is in the first, the others are filled by it."""
    if machines(model) == 1:
        return {}
    placement = model.placement
    bundle = {"CPU": placement.cpus, "GPU": placement.gpus / machines(model), **placement.resources}
    if placement.memory_mib is not None:
        bundle["memory"] = placement.memory_mib * MIB
    if placement.accelerator is not None:
        bundle[f"accelerator_type:{placement.accelerator}"] = 0.001  # how Ray itself marks a kind of accelerator
    present = {name: amount for name, amount in bundle.items() if amount}
    return {
        "placement_group_bundles": [present] * machines(model),
        "placement_group_strategy": "STRICT_SPREAD",
    }
