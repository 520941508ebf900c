"""`bailey up --ray` where no cluster runs: it starts one, which ends with it. And `bailey down` where there is none."""

from __future__ import annotations

from pathlib import Path

import httpx

from tests.cluster.machines import below
from tests.cluster.test_ray import body, until
from tests.journeys.appliance import Appliance

CONFIG = """
version: 1
tiers: [draft]
models:
  - name: small
    engine: llama.cpp
    source: bundled:pico-coder
    tier: draft
    context_tokens: 1024
    threads: 1
    placement: {cpus: 0.5}
tenants:
  - {name: default, data_class: internal, budget: {limit_usd: 1}}
"""


def test_up_starts_a_cluster_of_its_own_and_takes_it_along(tmp_path: Path) -> None:
    appliance = Appliance(tmp_path, config=CONFIG, command=("up", "--ray"))
    (tmp_path / "models.yaml").write_text(CONFIG)
    appliance.keys["ada"] = appliance.key("ada")
    appliance.start()
    try:
        headers = {"authorization": f"Bearer {appliance.keys['ada']}"}
        with httpx.Client(base_url=appliance.url, headers=headers, timeout=90) as http:
            answer = http.post("/v1/chat/completions", json=body("small"))
        assert answer.status_code == 200, answer.text
        assert appliance.process
        family = below(appliance.process.pid)
        assert len(family) > 5
    finally:
        appliance.stop()
    until(lambda: not any(Path(f"/proc/{pid}").exists() for pid in family), 30)
    assert (tmp_path / "data" / "cluster-token").stat().st_mode & 0o777 == 0o600
    refused = appliance.bailey("down")
    assert refused.returncode == 1
    assert "The Ray cluster at auto cannot be reached" in refused.stderr
