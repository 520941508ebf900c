"""`python -m tests.api.differences`: the same cases on llama.cpp's own server, to see where it and we differ.

A case that fails there is a finding about it or about us; docs/api.md says which. The first run compiles the server.
"""

from __future__ import annotations

import asyncio
import subprocess
import sys
import tempfile
from pathlib import Path

from bench.cpu.servers import Served, llama_server
from tests.api.peers import TEXT, TOOLS
from tests.inference.tiny_model import write_tiny_model
from tests.inference.tool_models import CONTEXT, SHAPES
from tests.journeys.appliance import ROOT

CASES = (
    "test_chat.py",
    "test_sampling.py",
    "test_tools.py",
    "test_completions.py",
    "test_responses.py",
    "test_messages.py",
)


async def main() -> int:
    """Exit code 0 when there is no difference."""
    bundled = ROOT / "inference" / "bundled" / TEXT / f"{TEXT}.Q8_0.gguf"
    with tempfile.TemporaryDirectory() as folder:
        tiny = write_tiny_model(Path(folder) / "tiny.gguf", SHAPES["hermes"])
        text = Served(TEXT, bundled, context_tokens=1024, slots=8, flash_attention=False)
        tools = Served(TOOLS, tiny, context_tokens=CONTEXT, slots=4, flash_attention=False)
        async with llama_server(text, 1) as one, llama_server(tools, 1) as other:
            urls = [f"http://127.0.0.1:{server.address.port}" for server in (one, other)]
            options = ["--peer-text", urls[0], "--peer-tools", urls[1], "--tb", "line", "-rf"]
            command = [sys.executable, "-m", "pytest", *(f"tests/api/{name}" for name in CASES), *options]
            done = await asyncio.to_thread(subprocess.run, command, cwd=ROOT, check=False)
    return done.returncode


if __name__ == "__main__":
    sys.exit(asyncio.run(main()))
