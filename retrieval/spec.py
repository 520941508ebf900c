"""The `retrieval:` section of models.yaml: what is indexed, how it is cut, what counts how much.

Pure data with validation; nothing is opened here.
"""

from __future__ import annotations

from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Positive = Annotated[int, Field(ge=1, le=1_000_000)]
Weight = Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)]

GENERATED_AND_VENDORED = (
    ".hg", ".svn", ".venv", "venv", "node_modules", "vendor", "third_party", "site-packages", "__pycache__", ".*_cache",
    ".tox", ".nox", ".hypothesis", ".idea", "*.egg-info", "*.lock", "package-lock.json", "pnpm-lock.yaml", "go.sum",
    "*.min.js", "*.min.css", "*.map", "*_pb2.py", "*_pb2_grpc.py", "*.pb.go", "*.svg", "*.po",
)  # fmt: skip


class RetrievalWeights(BaseModel):
    """How much each signal counts."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    path: Weight = Field(default=2.0, description="A word of the path counts as so many words of the text.")
    symbols: Weight = Field(default=2.0, description="A word of a defined name counts as so many words of the text.")
    lexical: Weight = Field(default=2.0, description="Share of the ranking by words in the result; 0 leaves it out.")
    dense: Weight = Field(default=1.0, description="Share of the ranking by embeddings; 0 leaves it out.")


class RetrievalSpec(BaseModel):
    """Every setting of the retrieval package; the defaults suit source code."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    embedder: str | None = Field(
        default=None, description="Name of a model with the capability `embeddings`; null searches by words alone."
    )
    passage_lines: Annotated[int, Field(ge=5, le=1000)] = Field(
        default=60, description="Longest passage; a longer function or class is cut into several."
    )
    limit: Positive = Field(default=20, description="Passages that one search brings back.")
    context_tokens: Positive = Field(default=8000, description="Room for passages in a prompt.")
    passages_per_file: Positive = Field(default=5, description="Most passages of one file in a prompt.")
    weights: RetrievalWeights = RetrievalWeights()
    skip: tuple[str, ...] = Field(
        default=GENERATED_AND_VENDORED,
        description="Globs of what is not indexed: with a slash against the whole path, without against each part.",
    )
    max_file_kib: Positive = Field(default=512, description="Larger files are not indexed.")
    max_line_characters: Positive = Field(default=5000, description="Files with a longer line are not indexed.")
    embed_batch: Positive = Field(default=32, description="Passages sent to the embedder at once.")
    embed_characters: Annotated[int, Field(ge=64, le=1_000_000)] = Field(
        default=2000, description="How much of a passage the embedder reads; halved where its context is shorter."
    )
