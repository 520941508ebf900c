"""What Ray Serve is told of a model."""

from __future__ import annotations

from typing import Any

import pytest

from inference.catalog import LlamaCppModel
from inference.cluster.messages import Surroundings
from inference.cluster.options import app_name, code_version, deployment_options

AROUND = Surroundings(weights="/store", logs="/logs", offline=True, token="secret")


def model(**keys: Any) -> LlamaCppModel:
    entry = {"engine": "llama.cpp", "name": "m", "tier": "t", "context_tokens": 512, "source": "bundled:pico-coder"}
    return LlamaCppModel.model_validate(entry | keys)


def test_what_a_replica_takes() -> None:
    placement = {
        "gpus": 0.5, "accelerator": "H100", "cpus": 2, "memory_mib": 4, "resources": {"fast_disk": 1},
    }  # fmt: skip
    options = deployment_options(model(placement=placement, replicas={"drain_seconds": 7, "surge": False}), 3)
    assert options["ray_actor_options"] == {
        "num_cpus": 2, "num_gpus": 0.5, "resources": {"fast_disk": 1}, "memory": 4 * 2**20, "accelerator_type": "H100",
    }  # fmt: skip
    assert (options["num_replicas"], options["max_surge_percent"]) == (3, 0)
    assert options["graceful_shutdown_timeout_s"] > 7


@pytest.mark.parametrize(
    "keys", [{"price": {"input_usd_per_million": 1}}, {"tier": "other"}, {"replicas": {"max": 3}}, {"queue": 1}]
)
def test_what_the_gateway_alone_uses_replaces_no_replica(keys: dict[str, Any]) -> None:
    assert code_version(model(**keys), AROUND) == code_version(model(), AROUND)


@pytest.mark.parametrize("keys", [{"source": "bundled:nano-coder"}, {"threads": 1}, {"concurrency": 2}])
def test_what_an_engine_is_told_replaces_its_replicas(keys: dict[str, Any]) -> None:
    assert code_version(model(**keys), AROUND) != code_version(model(), AROUND)
    assert code_version(model(), AROUND.model_copy(update={"weights": "/other"})) != code_version(model(), AROUND)


def test_names_of_applications_are_readable_and_different() -> None:
    assert app_name("coder:sql@v2").startswith("bailey-coder-sql-v2-")
    assert app_name("a/b") != app_name("a:b")


def test_a_part_of_several_graphics_processors_is_refused() -> None:
    with pytest.raises(ValueError, match=r"gpus must be a whole number or less than one, found 1.5"):
        model(placement={"gpus": 1.5})
