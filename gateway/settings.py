"""The one place that reads the environment. Everything else is handed what it needs."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path

from pydantic import Field
from pydantic_settings import BaseSettings, SettingsConfigDict


class Settings(BaseSettings):
    """Where things are and how to reach them; each field is an environment variable BAILEY_<NAME>."""

    model_config = SettingsConfigDict(env_prefix="BAILEY_", frozen=True)

    config: Path = Field(default=Path("models.yaml"), description="The file that declares everything.")
    data: Path = Field(default=Path(".bailey"), description="Ledger, mirrors, indexes and downloaded weights.")
    database_url: str | None = Field(default=None, description="postgresql://…; unset: SQLite in the data folder.")
    host: str = "127.0.0.1"
    port: int = 8400
    url: str = Field(default="http://127.0.0.1:8400", description="The appliance that the command line talks to.")
    api_key: str | None = Field(default=None, description="The key that the command line presents.")
    sandbox_site: Path | None = Field(default=None, description="Tools for generated code; unset: .sandbox-site.")
    log_level: str = "INFO"


def secrets(names: Iterable[str]) -> Mapping[str, str]:
    """The values of the environment variables that models.yaml names for keys; unset ones are left out."""
    return {name: value for name in names if (value := os.environ.get(name))}
