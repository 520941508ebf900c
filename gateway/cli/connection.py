"""The running appliance that commands speak with."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from gateway.client import Client
from gateway.settings import Settings


@contextmanager
def connected() -> Iterator[Client]:
    """The appliance that the settings name."""
    settings = Settings()
    client = Client(settings.url, settings.api_key)
    try:
        yield client
    finally:
        client.close()
