"""A model file that all tests of this folder may read, and an engine that serves it."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from inference.llamacpp.engine import LlamaCppEngine
from tests.inference.llama_engines import engine_of
from tests.inference.tiny_model import write_tiny_model


@pytest.fixture(scope="session")
def tiny_gguf(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_tiny_model(tmp_path_factory.mktemp("tiny") / "tiny.gguf")


@pytest.fixture
async def engine(tiny_gguf: Path) -> AsyncIterator[LlamaCppEngine]:
    async with engine_of(tiny_gguf) as engine:
        yield engine
