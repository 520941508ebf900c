"""What editors and agents send: the calls of each tool that docs/ide.md names, as they put them on the wire."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any

import httpx
import pytest

from tests.api.peers import Peer

READ_FILE: dict[str, Any] = {
    "$schema": "http://json-schema.org/draft-07/schema#",
    "type": "object",
    "properties": {"path": {"type": "string", "maxLength": 20}, "limit": {"type": "integer", "minimum": 1}},
    "required": ["path"],
    "additionalProperties": False,
}


def events(answer: httpx.Response) -> list[dict[str, Any]]:
    assert answer.status_code == 200, answer.text
    assert answer.headers["content-type"].startswith("text/event-stream")
    data = [line[6:] for line in answer.text.splitlines() if line.startswith("data: ")]
    return [json.loads(line) for line in data if line != "[DONE]"]


def test_claude_code(tools: Peer) -> None:
    """A turn of the agent: blocks with cache marks, thinking, tools with whole JSON schemas, and its betas."""
    cached = {"type": "ephemeral"}
    body = {
        "model": tools.model,
        "max_tokens": 200,
        "temperature": 1,
        "stream": True,
        "metadata": {"user_id": "user_1_account__session_2"},
        "thinking": {"type": "adaptive"},
        "context_management": {"edits": [{"type": "clear_thinking_20251015", "keep": "all"}]},
        "output_config": {"effort": "medium"},
        "system": [
            {"type": "text", "text": "You are an agent."},
            {"type": "text", "text": "Be brief.", "cache_control": {**cached, "ttl": "1h"}},
        ],
        "tools": [{"name": "Read", "description": "Reads a file.", "input_schema": READ_FILE}],
        "messages": [
            {"role": "user", "content": [{"type": "text", "text": "Read it."}]},
            {
                "role": "assistant",
                "content": [
                    {"type": "thinking", "thinking": "Hm.", "signature": "c2ln"},
                    {"type": "text", "text": "I read."},
                    {"type": "tool_use", "id": "toolu_1", "name": "Read", "input": {"path": "a.py"}},
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "toolu_1", "content": "1\tx = 1", "is_error": False},
                    {"type": "text", "text": "<system-reminder>Go on.</system-reminder>", "cache_control": cached},
                ],
            },
        ],
    }
    headers = {
        "anthropic-version": "2023-06-01",
        "anthropic-beta": "claude-code-20250219,interleaved-thinking-2025-05-14",
        "x-app": "cli",
    }
    kinds = [event["type"] for event in events(tools.http.post("/v1/messages?beta=true", json=body, headers=headers))]
    assert kinds[0] == "message_start"
    assert kinds[-1] == "message_stop"
    counted = {name: body[name] for name in ("model", "messages", "tools", "system")}
    count = tools.http.post("/v1/messages/count_tokens?beta=true", json=counted, headers=headers)
    assert count.json()["input_tokens"] > 50


def test_continue_chats(text: Peer) -> None:
    body = {
        "model": text.model,
        "messages": [
            {"role": "system", "content": "You are helpful."},
            {"role": "user", "content": [{"type": "text", "text": "What is this?"}]},
            {"role": "assistant", "content": "Code.", "tool_calls": None},
            {"role": "user", "content": "And this?"},
        ],
        "max_tokens": 20,
        "stream": True,
        "stream_options": {"include_usage": True},
    }
    assert events(text.http.post("/v1/chat/completions", json=body))[-1]["usage"]["completion_tokens"] <= 20


def test_continue_completes_at_the_cursor(text: Peer) -> None:
    """It writes the model's own tokens into the prompt, and ends at any of dozens of words."""
    body = {
        "model": text.model,
        "prompt": "<|fim_prefix|>def add(a, b):\n    <|fim_suffix|>\n\nprint(add(1, 2))\n<|fim_middle|>",
        "max_tokens": 20,
        "temperature": 0.01,
        "stop": ["<|fim_prefix|>", "<|fim_suffix|>", "<|fim_middle|>", "/src/", "#- coding: utf-8", "```", "\ndef",
                 "\nclass", "\nimport", "\nfrom"],
        "stream": True,
    }  # fmt: skip
    assert "".join(event["choices"][0]["text"] for event in events(text.http.post("/v1/completions", json=body)))


def test_cline(text: Peer) -> None:
    """It tells its tools in the system prompt and wants the usage at the end of every stream."""
    body = {
        "model": text.model,
        "messages": [
            {"role": "system", "content": "Tools are formatted with XML tags. <read_file><path>...</path></read_file>"},
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "<task>\nAdd a test.\n</task>"},
                    {"type": "text", "text": "# Files"},
                ],
            },
        ],
        "temperature": 0,
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": 20,
    }
    headers = {"HTTP-Referer": "https://cline.bot", "X-Title": "Cline"}
    assert events(text.http.post("/v1/chat/completions", json=body, headers=headers))[-1]["usage"]


def test_cline_with_tools_of_its_own(tools: Peer) -> None:
    function = {"name": "read_file", "description": "Reads.", "strict": False, "parameters": READ_FILE}
    body = {
        "model": tools.model,
        "messages": [{"role": "user", "content": "Read a.py"}],
        "tools": [{"type": "function", "function": function}],
        "tool_choice": "auto",
        "parallel_tool_calls": False,
        "stream": True,
        "stream_options": {"include_usage": True},
        "max_tokens": 100,
    }
    assert events(tools.http.post("/v1/chat/completions", json=body))[-1]["usage"]


def test_aider(text: Peer) -> None:
    body = {
        "model": text.model,
        "messages": [
            {"role": "system", "content": "Act as an expert software developer."},
            {"role": "user", "content": "Change it."},
            {"role": "assistant", "content": "Ok."},
            {"role": "user", "content": "Add a function."},
        ],
        "temperature": 0,
        "stream": True,
        "max_tokens": 20,
    }
    assert events(text.http.post("/v1/chat/completions", json=body))[-1]["choices"][0]["finish_reason"]


def test_codex(tools: Peer) -> None:
    """Responses that are not kept: the whole conversation comes with every request."""
    function = {"type": "function", "name": "shell", "description": "Runs.", "strict": False, "parameters": READ_FILE}
    said = {"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": "Reading."}]}
    body = {
        "model": tools.model,
        "instructions": "You are a coding agent.",
        "input": [
            {"type": "message", "role": "developer", "content": [{"type": "input_text", "text": "Be brief."}]},
            {"type": "message", "role": "user", "content": [{"type": "input_text", "text": "Read a.py"}]},
            said,
            {"type": "function_call", "name": "shell", "arguments": '{"path": "a.py"}', "call_id": "call_1"},
            {"type": "function_call_output", "call_id": "call_1", "output": "x = 1"},
        ],
        "tools": [function],
        "tool_choice": "auto",
        "parallel_tool_calls": False,
        "reasoning": {"effort": "medium", "summary": "auto"},
        "store": False,
        "stream": True,
        "include": ["reasoning.encrypted_content"],
        "prompt_cache_key": "0199",
        "max_output_tokens": 60,
    }
    kinds = [event["type"] for event in events(tools.http.post("/v1/responses", json=body))]
    assert kinds[0] == "response.created"
    assert kinds[-1] in ("response.completed", "response.incomplete")


@pytest.mark.parametrize(
    ("code", "variables"),
    [
        (
            "import openai; c = openai.OpenAI();"
            "print(c.chat.completions.create(model='pico-coder', messages=[{'role': 'user', 'content': 'hi'}],"
            " max_tokens=3).usage.completion_tokens)",
            {"OPENAI_BASE_URL": "{url}/v1", "OPENAI_API_KEY": "{key}"},
        ),
        (
            "import anthropic; c = anthropic.Anthropic();"
            "print(c.messages.create(model='pico-coder', messages=[{'role': 'user', 'content': 'hi'}],"
            " max_tokens=3).usage.output_tokens)",
            {"ANTHROPIC_BASE_URL": "{url}", "ANTHROPIC_AUTH_TOKEN": "{key}"},
        ),
    ],
    ids=["openai", "anthropic"],
)
def test_clients_that_are_told_by_their_environment(text: Peer, code: str, variables: dict[str, str]) -> None:
    told = {name: value.format(url=text.url, key=text.key) for name, value in variables.items()}
    environment = {"PATH": os.environ["PATH"], "HOME": os.environ.get("HOME", "/"), **told}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout.strip()) == (0, "3"), done.stderr
