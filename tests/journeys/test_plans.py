"""A plan with several draws, from the front door: each is checked, and the evidence shows them all."""

from __future__ import annotations

import json
import time
from pathlib import Path
from typing import Any

import openai

from tests.journeys.appliance import SCRIPTED, Appliance
from tests.journeys.conftest import with_people

WRONG = "```python\\ndef whisper(text):\\n    return text\\n```"
RIGHT = "```python\\ndef whisper(text):\\n    return text.lower()\\n```"
REPLIES = f"""
      - {{when: "The checks failed", text: "A draw is asked the same again, so nobody asks for this."}}
      - {{when: "at once", text: "{RIGHT}"}}
      - {{when: whisper, text: "{WRONG}", times: 2}}
      - {{text: "{RIGHT}"}}
"""
VERIFY = {"tests": "assert whisper('A') == 'a'"}


def draws_config() -> str:
    """small is right at once or at the third draw; wrong answers seem to be accepted often, so draws are worth it."""
    head, _, rest = SCRIPTED.partition("    replies:\n")
    _, _, tail = rest.partition("  - name: strong")
    plan = "models: [small, strong], plan: {least_outcomes: 1, false_accept: 0.5, most_samples: 3}"
    config = f"{head}    replies:{REPLIES}  - name: strong{tail}"
    return config.replace("models: [small, strong]", plan)


def answered(client: openai.OpenAI, question: str) -> tuple[str, dict[str, Any]]:
    raw = client.chat.completions.with_raw_response.create(
        model="auto", messages=[{"role": "user", "content": question}], extra_body={"verify": VERIFY}
    )
    return raw.headers["x-request-id"], json.loads(raw.text)


def until_planned(appliance: Appliance, question: str) -> dict[str, Any]:
    """What was learnt is taken up a moment after it was stored."""
    ends = time.monotonic() + 60
    body = {"model": "auto", "messages": [{"role": "user", "content": question}], "verify": VERIFY}
    while time.monotonic() < ends:
        decision: dict[str, Any] = appliance.client("ada").post("/v1/routes/explain", body)
        if decision["plan"]:
            return decision
    raise AssertionError("what was learnt was not taken up")


def test_the_evidence_shows_the_draws_of_a_plan(people: tuple[Path, dict[str, str]], tmp_path: Path) -> None:
    appliance = with_people(tmp_path, people, draws_config()).start()
    client = openai.OpenAI(base_url=f"{appliance.url}/v1", api_key=appliance.keys["ada"], max_retries=0)
    try:
        with client:
            answered(client, "Write whisper(text) at once.")
            assert appliance.bailey("route", "train").returncode == 0
            decision = until_planned(appliance, "Write whisper(text).")
            assert (decision["plan"]["start"], decision["plan"]["samples"]) == ("small", 3)
            request_id, answer = answered(client, "Write whisper(text).")
        attempts = answer["verification"]["attempts"]
        assert [(each["model"], each["outcome"]) for each in attempts] == [
            ("small", "fail"),
            ("small", "fail"),
            ("small", "pass"),
        ]
        first, *further = appliance.client("ada").get(f"/v1/routes/{request_id}")["calls"]
        assert first["plan"] == decision["plan"]
        assert first["reason"].startswith("small before strong: accepted 0.")
        assert first["reason"].endswith("so up to 3 draws")
        assert [call["reason"] for call in further] == [f"draw {n} from small, as planned" for n in (2, 3)]
        told = appliance.bailey("route", "show", request_id, key=appliance.keys["ada"]).stdout
        assert "draw 3 from small, as planned" in told
        assert "of small, checks accept 0.95 of right and 0.5 of wrong answers; strong passes" in told
    finally:
        appliance.stop()
