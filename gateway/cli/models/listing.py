"""`bailey models list`."""

from __future__ import annotations

from gateway.cli.models.releasing import show_versions
from gateway.cli.output import out, table
from gateway.settings import Settings


def list_models() -> None:
    """Show the declared models, their prices, whether their weights are here, and which versions answer."""
    from gateway.config import load_config
    from gateway.weights import weights_state
    from inference.versions import addressed

    settings = Settings()
    config = load_config(settings.config)
    rows = [
        (
            name,
            model.engine,
            model.tier,
            model.context_tokens,
            f"{model.price.input_usd_per_million} / {model.price.output_usd_per_million}",
            weights_state(model, config, settings),
        )
        for name, model in addressed(config.models).items()
    ]
    out.print(table(["name", "engine", "tier", "context", "usd per million in / out", "weights"], rows))
    show_versions()
