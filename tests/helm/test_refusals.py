"""What cannot be right the chart refuses before anything reaches a cluster, and says why."""

from __future__ import annotations

import pytest

from tests.helm.chart import template

REFUSED = {
    "--set=sandbox.replicas=0": "replicas",
    "--set=sandbox.tier=C": "tier",
    "--set=sandbox.teir=A": "additional properties 'teir' not allowed",
    "--set=sandbox.userId=0": "userId",
    "--set=sandbox.seccompProfile.type=RuntimeDefault": "value must be one of 'Unconfined', 'Localhost'",
    "--set=sandbox.seccompProfile.type=Localhost": "missing property 'localhostProfile'",
    "--set=sandbox.certificate.issuer.kind=Issuer": "'name' required, if 'kind' exists",
    "--set=sandbox.privileged=true": "additional properties 'privileged' not allowed",
    "--set=sandbox.port=443": "port",
    "--set=sandbox.healthPort=8443": "sandbox.port and sandbox.healthPort must differ.",
    "--set-json=sandbox.networkPolicy.from=[{}]": "minProperties",
    "--set-json=sandbox.resources={\"requests\": {\"cpu\": 1}}": "missing property 'limits'",
    "--set=image.digest=sha256:12": "digest",
    "--set=sandbox.ownUserNamespace=false": "whoever leaves a jail would be a user of the node",
    "--set=sandbox.ownUserNamespace=false,sandbox.runtimeClassName=kata,sandbox.tier=A": "root of the pod's own user",
    "--set=models=models: [": "models.yaml cannot be read (give it with --set-file models=models.yaml)",
    "--set=models=sandbox: 4": "The section sandbox: of models.yaml must be a mapping",
    "--set=models=sandbox: \\{minimum_tier: A\\}": "models.yaml demands sandbox.minimum_tier A",
    "--kube-version=1.32": "kubeVersion: >=1.33.0-0",
}  # fmt: skip


@pytest.mark.parametrize("option", REFUSED)
def test_what_cannot_be_right_is_refused(option: str) -> None:
    refused = template(option)
    assert refused.returncode == 1
    assert refused.stdout == ""
    assert REFUSED[option] in refused.stderr
