"""`bailey models add, canary, promote, rollback`: decisions about versions, taken by a running appliance."""

from __future__ import annotations

import json
from typing import Annotated, Any

import typer

from gateway.cli.connection import connected
from gateway.cli.output import err, escape, out, table
from gateway.client import ApplianceError
from gateway.settings import Settings

Address = Annotated[str, typer.Argument(metavar="MODEL@VERSION", help="Such as coder@v2.")]


def add(
    address: Address,
    source: Annotated[str | None, typer.Option(help="Where its weights are, as in models.yaml.")] = None,
    sha256: Annotated[str | None, typer.Option(help="Their digest.")] = None,
    change: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="KEY=VALUE", help="A key in which it differs; JSON or text; may be given again."),
    ] = None,
) -> None:
    """Make a version of a model known; it answers nobody yet."""
    model, version = _split(address)
    changes = dict(_change(item) for item in change or [])
    changes |= {key: value for key, value in {"source": source, "sha256": sha256}.items() if value is not None}
    with connected() as client:
        show_models([client.post(f"/v1/models/{model}/versions", {"version": version, "changes": changes})])


def canary(
    address: Address,
    share: Annotated[str, typer.Argument(metavar="PERCENT", help="Of conversations: 10%. With 0% only by name.")],
) -> None:
    """Let a version answer a share of the conversations; waits until it is loaded."""
    model, version = _split(address)
    with connected() as client, err.status(f"{address} is being loaded"):
        body = client.post(f"/v1/models/{model}/canary", {"version": version, "percent": _percent(share)})
    show_models([body])


def promote(address: Address) -> None:
    """Let a version answer all conversations; waits until it is loaded."""
    model, version = _split(address)
    with connected() as client, err.status(f"{address} is being loaded"):
        body = client.post(f"/v1/models/{model}/promote", {"version": version})
    show_models([body])


def rollback(
    model: Annotated[str, typer.Argument(help="A model, such as coder.")],
    reason: Annotated[str, typer.Option(help="Kept in the ledger.")] = "",
) -> None:
    """End a model's canary; without one, go back to the version before this one."""
    with connected() as client, err.status(f"{model} is being rolled back"):
        body = client.post(f"/v1/models/{model}/rollback", {"reason": reason})
    show_models([body])


def show_versions() -> None:
    """The versions that the running appliance has, where a model has several; without a key, a word on that."""
    if not Settings().api_key:
        return
    try:
        with connected() as client:
            models = client.get("/v1/versions")
    except ApplianceError as error:
        err.print(f"[dim]Versions are shown by the running appliance: {escape(str(error))}[/]")
        return
    if several := [model for model in models if _is_telling(model)]:
        out.print()
        show_models(several)


def _is_telling(model: dict[str, Any]) -> bool:
    versions = model["versions"]
    return len(versions) > 1 or bool(model["disagreements"]) or any(version["adapters"] for version in versions)


def show_models(models: list[dict[str, Any]]) -> None:
    """The versions of these models and their adapters, as the appliance tells them."""
    rows = [
        (
            f"{model['model']}@{item['version']}",
            item["role"],
            f"{item['percent']:g}%",
            item["origin"],
            (item["weights"] or "")[:12],
            ", ".join(f"{kind} {share}" for kind, share in item["figures"].items()),
            "; ".join(filter(None, [item["said"], item["suggestion"]])),
        )
        for model in models
        for item in model["versions"]
    ]
    out.print(table(["version", "role", "answers", "declared in", "weights", "bad answers", ""], rows))
    adapters = [
        (
            f"{model['model']}@{item['version']}:{adapter['adapter']}",
            adapter["source"],
            adapter["origin"],
            (adapter["weights"] or "")[:12],
            adapter["problem"] or "loaded",
        )
        for model in models
        for item in model["versions"]
        for adapter in item["adapters"]
    ]
    if adapters:
        out.print(table(["adapter", "source", "declared in", "weights", ""], adapters))
    for model in models:
        for sentence in model["disagreements"]:
            out.print(escape(sentence))


def _split(address: str) -> tuple[str, str]:
    model, at, version = address.partition("@")
    if not (model and at and version):
        raise typer.BadParameter(f"{address!r} names no version of a model; write it as MODEL@VERSION, like coder@v2.")
    return model, version


def _percent(share: str) -> float:
    try:
        return float(share.removesuffix("%"))
    except ValueError:
        raise typer.BadParameter(f"{share!r} is no share; write it like 10%.") from None


def _change(item: str) -> tuple[str, Any]:
    key, equals, value = item.partition("=")
    if not equals:
        raise typer.BadParameter(f"{item!r} is not of the form KEY=VALUE.")
    try:
        return key, json.loads(value)
    except ValueError:
        return key, value
