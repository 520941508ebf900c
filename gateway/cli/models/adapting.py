"""`bailey models load-adapter, unload-adapter`: LoRA adapters of a model, in a running appliance."""

from __future__ import annotations

from typing import Annotated, Any

import typer

from gateway.cli.connection import connected
from gateway.cli.models.releasing import show_models
from gateway.cli.output import err

Address = Annotated[str, typer.Argument(metavar="MODEL:ADAPTER", help="Such as coder:sql, or coder@v2:sql.")]


def load_adapter(
    address: Address,
    source: Annotated[str, typer.Argument(metavar="path:FOLDER", help="A folder in PEFT's layout.")],
) -> None:
    """Load an adapter into a model; from then on it is asked for as MODEL:ADAPTER, also after a restart."""
    model, body = _split(address)
    with connected() as client, err.status(f"{address} is being loaded"):
        shown = client.post(f"/v1/models/{model}/load-adapter", {**body, "source": source})
    show_models([shown])


def unload_adapter(address: Address) -> None:
    """Unload an adapter; answers that are under way go on."""
    model, body = _split(address)
    with connected() as client:
        show_models([client.post(f"/v1/models/{model}/unload-adapter", body)])


def _split(address: str) -> tuple[str, dict[str, Any]]:
    from inference.adapters import split_adapter
    from inference.versions import split_address

    base, adapter = split_adapter(address)
    if not adapter:
        raise typer.BadParameter(f"{address!r} names no adapter of a model; write it as MODEL:ADAPTER, like coder:sql.")
    model, version = split_address(base)
    return model, {"adapter": adapter, "version": version}
