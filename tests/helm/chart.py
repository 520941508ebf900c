"""The chart rendered by Helm, as objects, and Kubernetes's own schema of them."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from functools import cache
from pathlib import Path
from typing import Any

import jsonschema_rs
import yaml

ROOT = Path(__file__).parents[2]
CHART = ROOT / "helm"
TOOLS = ROOT / ".setup" / "helm"
RELEASES = ("1.33", "1.37")

Object = dict[str, Any]


def helm(*arguments: str) -> subprocess.CompletedProcess[str]:
    """Run Helm in the root of the project, away from this machine's clusters and settings."""
    program = TOOLS / "helm"
    assert program.exists(), f"{program} is missing; `make setup-vllm` brings it"
    with tempfile.TemporaryDirectory() as folder:
        environment = {"PATH": os.environ["PATH"], "HOME": folder, "KUBECONFIG": f"{folder}/none"}
        return subprocess.run(
            [str(program), *arguments], cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60
        )


@cache
def template(*options: str, models: str | None = None) -> subprocess.CompletedProcess[str]:
    """`helm template bailey ./helm` with these options, and with a models.yaml of this text."""
    if models is None:
        return helm("template", "bailey", str(CHART), *options)
    with tempfile.NamedTemporaryFile("w", suffix=".yaml") as file:
        file.write(models)
        file.flush()
        return helm("template", "bailey", str(CHART), f"--set-file=models={file.name}", *options)


def objects(*options: str, models: str | None = None) -> dict[str, Object]:
    """What the chart makes, by kind and name."""
    rendered = template(*options, models=models)
    assert rendered.returncode == 0, rendered.stderr
    found = [each for each in yaml.safe_load_all(rendered.stdout) if each]
    made = {f"{each['kind']}/{each['metadata']['name']}": each for each in found}
    assert len(made) == len(found), "two objects of one name"
    return made


def pod(*options: str, models: str | None = None) -> Object:
    """The specification of the sandbox's pod."""
    spec: Object = objects(*options, models=models)["Deployment/bailey-sandbox"]["spec"]["template"]["spec"]
    return spec


@cache
def schema(release: str, kind: str, version: str) -> jsonschema_rs.Validator:
    """What a release of Kubernetes takes as an object of that kind; unknown fields are refused."""
    definitions = json.loads((TOOLS / f"kubernetes-{release}.json").read_text())["$defs"]
    wanted = {"group": version.rpartition("/")[0], "kind": kind, "version": version.rpartition("/")[2]}
    name = next(name for name, each in definitions.items() if wanted in each.get("x-kubernetes-group-version-kind", []))
    return jsonschema_rs.validator_for({"$defs": definitions, "$ref": f"#/$defs/{name}"})
