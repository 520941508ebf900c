"""`bailey chat`: talk to the appliance from a terminal."""

from __future__ import annotations

from typing import Annotated

import typer

from gateway.cli.output import err, out, visible
from gateway.client import Client
from gateway.settings import Settings


def chat(
    prompt: Annotated[str | None, typer.Argument(help="One question; without it, a conversation.")] = None,
    model: Annotated[str, typer.Option(help="A model or a route.")] = "auto",
    max_tokens: Annotated[int, typer.Option(min=1, help="Longest answer.")] = 400,
) -> None:
    """Ask and see the answer as it is written."""
    settings = Settings()
    client = Client(settings.url, settings.api_key)
    history: list[dict[str, str]] = []
    try:
        while True:
            question = prompt or typer.prompt("you", prompt_suffix="> ")
            history.append({"role": "user", "content": question})
            history.append({"role": "assistant", "content": _answer(client, history, model, max_tokens)})
            if prompt:
                return
    except (EOFError, typer.Abort):
        err.print()
    finally:
        client.close()


def _answer(client: Client, history: list[dict[str, str]], model: str, max_tokens: int) -> str:
    body = {"model": model, "messages": history, "max_tokens": max_tokens, "stream": True, "temperature": 0}
    pieces: list[str] = []
    for event in client.events("/v1/chat/completions", body):
        for choice in event["choices"]:
            pieces.append(choice["delta"].get("content") or "")
            out.print(visible(pieces[-1]), end="", markup=False)
    out.print()
    return "".join(pieces)
