"""Where the weights of models are kept, as settings and models.yaml say."""

from __future__ import annotations

from pathlib import Path

from gateway.config import Config
from gateway.settings import Settings
from inference.catalog import LlamaCppModel, ModelSpec, VllmModel
from inference.errors import WeightsError
from inference.weights import WeightsStore
from inference.weights.remote import Access
from inference.weights.selection import kind_for


def weights_store(
    config: Config, settings: Settings, root: Path | None = None, *, online: bool = False
) -> WeightsStore:
    """Where weights are kept, here or in another folder `root`. In an air gap nothing is fetched unless `online`."""
    token = settings.hf_token.get_secret_value() if settings.hf_token else None
    hub = settings.hf_endpoint.rstrip("/") if settings.hf_endpoint else None
    return WeightsStore(
        root or settings.weights or settings.data / "weights",
        cache=settings.data / "weights",
        offline=config.air_gapped and not online,
        access=Access(hub, token, settings.registry_keys),
    )


def weights_state(model: ModelSpec, config: Config, settings: Settings) -> str:
    """A word on a model's weights, without fetching anything."""
    if not isinstance(model, LlamaCppModel | VllmModel):
        return "elsewhere"
    try:
        found = weights_store(config, settings).here(model.source, kind_for(model.engine), model.sha256)
    except WeightsError as error:
        return str(error)
    return "here" if found else f"not pulled: bailey models pull {model.name}"
