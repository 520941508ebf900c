"""What a test needs to have tasks worked on by a real appliance's parts in its own process."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from codegen.protocol import TaskRequest
from codegen.state import TaskState, stream_of
from gateway.assemble import Appliance
from inference.protocol import Caller
from ledger.protocol import Entry

CONFIG = """
version: 1
tiers: [draft]
models:
  - name: small
    engine: scripted
    tier: draft
    context_tokens: 4000
    price: {input_usd_per_million: 1, output_usd_per_million: 2}
    capabilities: [chat, embeddings]
    replies: [{text: "```python\\ndef whisper(text):\\n    return text.lower()\\n```"}]
routes:
  - {name: auto, models: [small]}
tenants:
  - {name: first, data_class: internal, budget: {limit_usd: 1}, repositories: ["/**"]}
  - {name: second, data_class: internal, budget: {limit_usd: 1}, repositories: ["/**"]}
retrieval: {embedder: small, context_tokens: 2000}
codegen:
  rules:
    - {paths: ["textkit/**"], decision: apply, reason: anybody may}
"""
PATIENCE_SECONDS = 60
ADA, GRACE, HOPPER = (Caller("second", name) for name in ("ada", "grace", "hopper"))
INSTRUCTION = "Write a function `whisper(text)` in textkit/words.py that returns text in lower case."
TESTS = {
    "tests/test_whisper.py": "from textkit.words import whisper\n\n\ndef test_it():\n    assert whisper('A') == 'a'\n"
}


async def submit(appliance: Appliance, source: Path, **asked: Any) -> str:
    request = TaskRequest(**{"repository": str(source), "instruction": INSTRUCTION, "tests": TESTS, **asked})
    return (await appliance.tasks.submit(request, ADA)).id


async def until(appliance: Appliance, task_id: str, *types: str) -> list[Entry]:
    """The task's entries up to the first of these types."""
    seen = []
    async with asyncio.timeout(PATIENCE_SECONDS):
        async for entry in appliance.ledger.follow(stream_of(task_id)):
            seen.append(entry)
            if entry.type in types:
                break
    return seen


async def waiting(appliance: Appliance, source: Path) -> str:
    task_id = await submit(appliance, source)
    await until(appliance, task_id, "task.waiting")
    return task_id


async def ended(appliance: Appliance, task_id: str) -> TaskState:
    """The task when nothing goes on with it any more."""
    async with asyncio.timeout(PATIENCE_SECONDS):
        async for _ in appliance.tasks.events(task_id, ADA.tenant):
            pass
    return await appliance.tasks.state(task_id)


async def types(appliance: Appliance, task_id: str) -> list[str]:
    return [entry.type for entry in await appliance.ledger.read(stream=stream_of(task_id))]
