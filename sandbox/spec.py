"""The `sandbox:` section of models.yaml: what the operator may decide.

Values only; it reads no environment and starts nothing. `gateway` parses it, `nsjail.py` obeys it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator

from sandbox.catalogue import load, profile_names
from sandbox.validate import UnsafeProfile

Tier = Literal["A", "B", "C", "D"]


class LimitsSpec(BaseModel):
    """The operator's ceilings for one profile; what is not named keeps the profile's own value."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    wall_seconds: float | None = Field(
        default=None, gt=0, le=86_400, description="Longest run, by the clock on the wall."
    )
    cpu_seconds: float | None = Field(
        default=None, gt=0, le=86_400, description="Processor time of all processes together."
    )
    memory_mib: int | None = Field(
        default=None, ge=32, le=1_048_576, description="Memory of all processes and their files."
    )
    processes: int | None = Field(default=None, ge=1, le=32_768, description="Processes and threads at one time.")
    open_files: int | None = Field(default=None, ge=16, le=1_048_576, description="Open files per process.")
    output_bytes: int | None = Field(
        default=None, ge=1, le=1_073_741_824, description="Standard output and standard error, each."
    )
    disk_mib: int | None = Field(default=None, ge=1, le=1_048_576, description="Workspace and /tmp, each, in memory.")
    disk_files: int | None = Field(default=None, ge=16, le=10_000_000, description="Files and folders in each of them.")


class RemoteSpec(BaseModel):
    """Where another process or host runs the commands."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    url: str = Field(pattern=r"^(unix:/|https://).", description="`unix:/path/to/socket`, or `https://host:port`.")
    authority: Path | None = Field(default=None, description="PEM file of the authority that both ends trust.")
    certificate: Path | None = Field(default=None, description="PEM file of this end's certificate.")
    key: Path | None = Field(default=None, description="PEM file of the certificate's key.")

    @property
    def socket(self) -> str | None:
        """The path of the Unix socket, if it is one."""
        return self.url.removeprefix("unix:") if self.url.startswith("unix:") else None

    @property
    def tls_files(self) -> tuple[Path, Path, Path] | None:
        """Authority, certificate and key, unless the sandbox is behind a Unix socket."""
        if self.authority is None or self.certificate is None or self.key is None:
            return None
        return self.authority, self.certificate, self.key

    @model_validator(mode="after")
    def _has_certificates(self) -> RemoteSpec:
        given = sum(file is not None for file in (self.authority, self.certificate, self.key))
        if given != (0 if self.socket else 3):
            raise ValueError("An https:// sandbox needs authority, certificate and key; one at a unix: path has none.")
        return self


class SandboxSpec(BaseModel):
    """How many jails run at once, how strict the host must be, and what one jail may use."""

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)

    slots: int = Field(default=4, ge=1, le=256, description="Commands that run at the same time.")
    wait_timeout_seconds: float = Field(
        default=60.0,
        ge=0,
        le=86_400,
        description="How long a command waits for a slot before it is refused as overloaded.",
    )
    most_waiting: int = Field(
        default=256,
        ge=0,
        le=100_000,
        description="How many commands may wait; beyond it the tenant with the most waiting is refused.",
    )
    request_mib: int = Field(
        default=1024, ge=1, le=1_048_576, description="Memory that a server gives to commands that wait or run."
    )
    most_workspaces: int = Field(
        default=16,
        ge=0,
        le=10_000,
        description="How many workspaces of several commands may be open; between commands each keeps up to "
        "`disk_mib` of memory.",
    )
    remote: RemoteSpec | None = Field(
        default=None, description="Run commands there instead of on this machine (docs/sandbox.md)."
    )
    minimum_tier: Tier = Field(
        default="B",
        description="Refuse to start below it. A: user namespaces and cgroups. B: user namespaces alone, memory "
        "watched by polling. C: also where the kernel forbids user namespaces, as root and with cgroups. D: also where "
        "no jail can be made at all; only linters run then, under Landlock, and nothing that was generated.",
    )
    interpreter: Path | None = Field(
        default=None, description="Python that runs generated code; by default the appliance's own base interpreter."
    )
    first_uid: int = Field(
        default=100_000,
        ge=1_000,
        le=2_000_000_000,
        description="As root, jail n runs as this user id plus n outside; `slots` unused ids must follow it.",
    )
    warm: dict[str, int] = Field(
        default_factory=dict,
        description="How many jails of `python` and `pytest` stand ready with a booted interpreter (docs/sandbox.md); "
        "each takes about 6 MB, and as root one more unused user id.",
    )
    collect_files: int = Field(default=256, ge=1, le=1_000_000, description="Files that one command may hand out.")
    collect_mib: int = Field(default=16, ge=1, le=65_536, description="Their size together.")
    profiles: dict[str, LimitsSpec] = Field(default_factory=dict, description="Ceilings by profile name.")
    profile_folder: Path | None = Field(
        default=None,
        description="A folder with profiles of your own: a profiles.toml and .cfg files (docs/sandbox.md).",
    )
    toolchains: dict[str, Path] = Field(
        default_factory=dict,
        description="By profile name, a folder with `bin/` whose programs the profile uses before the host's.",
    )

    @field_validator("warm")
    @classmethod
    def _can_be_warm(cls, warm: dict[str, int]) -> dict[str, int]:
        for name, count in warm.items():
            if name not in ("python", "pytest") or not 0 <= count <= 64:
                raise ValueError(f"warm.{name} is {count}; only python and pytest can be warm, 0 to 64 of each.")
        return warm

    @property
    def user_ids(self) -> int:
        """User ids that jails need at most: one per slot and warm jail, which is replaced only when it is down."""
        return self.slots + sum(self.warm.values())

    @model_validator(mode="after")
    def _known_profiles(self) -> SandboxSpec:
        try:
            known = profile_names(self.profile_folder)
            for name in known[len(profile_names()) :]:  # tests hold what is built in
                load(name, {}, self.profile_folder)
        except UnsafeProfile as error:
            raise ValueError(str(error)) from None
        unknown = sorted({*self.profiles, *self.toolchains} - set(known))
        if unknown:
            raise ValueError(f"Unknown profile {', '.join(unknown)}; known are {', '.join(known)}.")
        return self
