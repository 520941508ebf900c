"""The one place that reads the environment. Everything else is handed what it needs."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, SecretStr, ValidationError
from pydantic_core import ErrorDetails
from pydantic_settings import BaseSettings, SettingsConfigDict

from gateway.problems import SettingsProblem

SOURCE_KEYS = (
    "BAILEY_HF_TOKEN",
    "HF_TOKEN",
    "AWS_ACCESS_KEY_ID",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
)
"""Variables with keys to sources of weights, which no engine's process needs."""

LogLevel = Annotated[Literal["DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL"], BeforeValidator(str.upper)]


class Settings(BaseSettings):
    """Where things are and how to reach them; each field is an environment variable BAILEY_<NAME>."""

    model_config = SettingsConfigDict(env_prefix="BAILEY_", frozen=True)

    config: Path = Field(default=Path("models.yaml"), description="The file that declares everything.")
    data: Path = Field(default=Path(".bailey"), description="Ledger, mirrors, indexes and pulled weights.")
    weights: Path | None = Field(default=None, description="Store of pulled weights; unset: in the data folder.")
    hf_endpoint: str | None = Field(
        default=None, pattern=r"^https?://", description="A hub or mirror of one's own; unset: Hugging Face's."
    )
    hf_token: SecretStr | None = Field(default=None, description="Key for private repositories of the hub.")
    registry_keys: Path = Field(default=Path("~/.docker/config.json"), description="Where `docker login` keeps keys.")
    database_url: str | None = Field(default=None, description="postgresql://…; unset: SQLite in the data folder.")
    ray_address: str | None = Field(default=None, description="The Ray cluster that models are placed on; unset: none.")
    host: str = Field(default="127.0.0.1", min_length=1)
    port: int = Field(default=8400, ge=0, le=65_535)
    url: str = Field(default="http://127.0.0.1:8400", description="The appliance that the command line talks to.")
    api_key: str | None = Field(default=None, description="The key that the command line presents.")
    sandbox_site: Path | None = Field(default=None, description="Tools for generated code; unset: .sandbox-site.")
    log_level: LogLevel = "INFO"

    def __init__(self, **instead: Any) -> None:
        """Read them; `instead` of what the environment says, where given. Raises `SettingsProblem`."""
        try:
            super().__init__(**instead)
        except ValidationError as error:
            raise SettingsProblem("\n".join(_sentence(problem) for problem in error.errors())) from None


def _sentence(problem: ErrorDetails) -> str:
    return f"BAILEY_{str(problem['loc'][0]).upper()} is {problem['input']!r}: {problem['msg']}."


def secrets(names: Iterable[str]) -> Mapping[str, str]:
    """The values of the environment variables that models.yaml names for keys; unset ones are left out."""
    return {name: value for name in names if (value := os.environ.get(name))}
