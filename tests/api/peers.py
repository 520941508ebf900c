"""Who is asked: our appliance, or another server that says it speaks the same formats."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import anthropic
import httpx
import openai

TEXT, TOOLS, SLOW, QUICK = "pico-coder", "tiny", "slow", "quick"
"""A model that writes code, one with random weights and a template for tools; scripts that take long, and no, time."""

LAMP_SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"room": {"enum": ["kitchen", "bath"]}, "on": {"type": "boolean"}},
    "required": ["room", "on"],
    "additionalProperties": False,
}
"""What the tool `switch_lamp` wants, in whatever format."""

CONFIG = """
version: 1
tiers: [draft]
models:
  - {{name: pico-coder, engine: llama.cpp, tier: draft, source: "bundled:pico-coder", context_tokens: 1024, threads: 1,
     concurrency: 8, queue: 16, capabilities: [chat, completion, infill, embeddings, json_schema, logprobs]}}
  - {{name: tiny, engine: llama.cpp, tier: draft, source: "path:{weights}", context_tokens: 4096, threads: 1,
     capabilities: [chat, tools, json_schema]}}
  - {{name: slow, engine: scripted, tier: draft, context_tokens: 4000, delay_seconds: 0.1, concurrency: 1, queue: 2,
     replies: [{{text: "{reply}"}}]}}
  - {{name: quick, engine: scripted, tier: draft, context_tokens: 4000, replies: [{{text: "yes"}}],
     price: {{input_usd_per_million: 1, output_usd_per_million: 1}},
     capabilities: [chat, completion, infill, embeddings, tools, json_schema, logprobs]}}
tenants:
  - {{name: default, data_class: internal, budget: {{limit_usd: 1}}}}
  - {{name: poor, data_class: internal, budget: {{limit_usd: 0.000001, window: day}}}}
"""


@dataclass(frozen=True)
class Peer:
    """One model of a server, and clients of all kinds for it. They check answers strictly and never ask twice."""

    url: str
    key: str
    model: str
    openai: Any = field(init=False)  # an OpenAI and an Anthropic, whose overloads know other models and fields
    anthropic: Any = field(init=False)
    lenient: Any = field(
        init=False
    )  # an OpenAI for what its own types do not foresee: OpenAI's server breaks them, too
    http: httpx.Client = field(init=False)

    def __post_init__(self) -> None:
        strict: dict[str, Any] = {"max_retries": 0, "timeout": 60.0, "_strict_response_validation": True}
        set_ = object.__setattr__
        set_(self, "openai", openai.OpenAI(base_url=f"{self.url}/v1", api_key=self.key, **strict))
        set_(self, "lenient", openai.OpenAI(base_url=f"{self.url}/v1", api_key=self.key, max_retries=0, timeout=60))
        set_(self, "anthropic", anthropic.Anthropic(base_url=self.url, api_key=self.key, **strict))
        headers = {"authorization": f"Bearer {self.key}"}
        set_(self, "http", httpx.Client(base_url=self.url, headers=headers, timeout=60))

    def close(self) -> None:
        """Close all connections."""
        self.openai.close()
        self.lenient.close()
        self.anthropic.close()
        self.http.close()
