"""The sandbox's pod has what jails need and nothing else: no token, no key but its own, no way out."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
import yaml

from gateway.config import load_config, load_sandbox
from sandbox.catalogue import load, profile_names
from sandbox.spec import SandboxSpec
from tests.helm.chart import CHART, RELEASES, ROOT, helm, objects, pod, schema, template

NAME = "bailey-sandbox"
ISSUER = "--set=sandbox.certificate.issuer.name=ours,sandbox.certificate.issuer.kind=Issuer"
MANY = "--set=sandbox.replicas=3"
TIER_A = "--set=sandbox.tier=A"
EVERYTHING = (ISSUER, MANY, TIER_A, "--set=sandbox.priorityClassName=low,image.pullSecrets={ours}")
OPTIONS: dict[str, tuple[str, ...]] = {
    "by default": (),
    "everything": EVERYTHING,
    "a kernel of its own": ("--set=sandbox.ownUserNamespace=false,sandbox.runtimeClassName=kata",),
    "profiles on the nodes": (
        "--set=sandbox.seccompProfile.type=Localhost,sandbox.seccompProfile.localhostProfile=bailey.json",
        "--set=sandbox.appArmorProfile.type=Localhost,sandbox.appArmorProfile.localhostProfile=bailey",
        "--set=sandbox.seLinuxOptions.type=container_engine_t",
    ),
    "nodes of its own": (
        "--set-string=sandbox.nodeSelector.pool=jails",
        "--set-json=sandbox.tolerations=[{\"key\": \"jails\", \"operator\": \"Exists\", \"effect\": \"NoSchedule\"}]",
        "--set-json=sandbox.networkPolicy.from=[{\"namespaceSelector\": {\"matchLabels\": {\"team\": \"ours\"}}}]",
        "--set-json=sandbox.resources={\"limits\": {\"memory\": \"2Gi\"}}",
    ),
}  # fmt: skip

SECRETIVE = """
version: 1
tiers: [draft, premium]
models:
  - name: small
    engine: scripted
    tier: draft
    context_tokens: 4000
    replies: [{text: "an answer nobody else may see"}]
  - name: cloud-strong
    engine: http
    url: https://llm.example.com/v1
    model: strong-large
    api_key_env: STRONG_API_KEY
    tier: premium
    context_tokens: 128000
    data_classes: [public]
tenants:
  - {name: hush, data_class: internal, budget: {limit_usd: 17, window: month}}
sandbox:
  slots: 6
  remote: {url: "https://sandbox.example.com:8443", authority: /keys/ca, certificate: /keys/crt, key: /keys/private}
  wait_timeout_seconds: 1.5
  collect_mib: 65536
  warm: {python: 2, pytest: 1}
  profiles:
    "c++": {memory_mib: 2048, output_bytes: 1073741824, wall_seconds: 0.25, disk_files: 10000000}
"""
NOT_ITS_OWN = ("cloud-strong", "llm.example.com", "STRONG_API_KEY", "hush", "nobody else", "/keys", "sandbox.example")


def section(tmp_path: Path, *options: str, models: str | None = None) -> SandboxSpec:
    """What the pod's own file says, read as the service reads it."""
    data = objects(*options, models=models)[f"ConfigMap/{NAME}"]["data"]
    assert list(data) == ["models.yaml"]
    assert set(yaml.safe_load(data["models.yaml"])) == {"version", "sandbox"}
    (tmp_path / "models.yaml").write_text(data["models.yaml"])
    return load_sandbox(tmp_path / "models.yaml")


def test_helm_finds_nothing_to_say() -> None:
    said = helm("lint", "--strict", str(CHART), "--set-file=models=models.yaml")
    assert said.returncode == 0, said.stdout


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
@pytest.mark.parametrize("release", RELEASES)
def test_kubernetes_knows_every_field(release: str, options: tuple[str, ...]) -> None:
    for name, each in objects(*options, models=SECRETIVE).items():
        if each["apiVersion"] != "cert-manager.io/v1":
            found = [str(error) for error in schema(release, each["kind"], each["apiVersion"]).iter_errors(each)]
            assert not found, f"{name}: {found}"


def test_kubernetes_would_mind_a_field_that_it_does_not_know() -> None:
    """The test above can fail."""
    made = objects()["Deployment/bailey-sandbox"]
    made["spec"]["template"]["spec"]["hostUser"] = False
    assert not schema(RELEASES[0], "Deployment", "apps/v1").is_valid(made)


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_no_token_no_host_and_no_secret_but_its_own(options: tuple[str, ...]) -> None:
    spec = pod(*options)
    assert (spec["automountServiceAccountToken"], spec["enableServiceLinks"]) == (False, False)
    assert objects(*options)[f"ServiceAccount/{NAME}"]["automountServiceAccountToken"] is False
    assert not {"hostNetwork", "hostPID", "hostIPC", "initContainers", "shareProcessNamespace"} & spec.keys()
    (container,) = spec["containers"]
    assert "envFrom" not in container
    assert all(each.keys() == {"name", "value"} for each in container["env"])
    volumes = {each.pop("name"): each for each in spec["volumes"]}
    assert volumes == {
        "models": {"configMap": {"name": NAME}},
        "tls": {"secret": {"secretName": f"{NAME}-tls", "defaultMode": 0o440}},
        "scratch": {"emptyDir": {"medium": "Memory", "sizeLimit": "64Mi"}},
    }
    writable = [each["mountPath"] for each in container["volumeMounts"] if not each.get("readOnly")]
    assert (container["securityContext"]["readOnlyRootFilesystem"], writable) == (True, ["/tmp"])
    assert not any(kind in template(*options).stdout for kind in ("kind: Secret", "Role", "kind: Pod\n"))


def test_tier_b_takes_no_privilege() -> None:
    spec = pod()
    (container,) = spec["containers"]
    assert spec["hostUsers"] is False
    own = container["securityContext"]
    assert own == {
        "privileged": False,
        "readOnlyRootFilesystem": True,
        "procMount": "Unmasked",
        "allowPrivilegeEscalation": False,
        "capabilities": {"drop": ["ALL"]},
    }
    shared = spec["securityContext"]
    assert (shared["runAsNonRoot"], shared["runAsUser"], shared["fsGroup"]) == (True, 10001, 10001)
    assert shared["seccompProfile"] == shared["appArmorProfile"] == {"type": "Unconfined"}


def test_tier_a_is_root_of_its_own_user_namespace_alone(tmp_path: Path) -> None:
    spec = pod(TIER_A)
    (container,) = spec["containers"]
    assert (spec["hostUsers"], spec["securityContext"]["runAsUser"]) == (False, 0)
    capabilities = container["securityContext"]["capabilities"]
    assert capabilities == {"drop": ["ALL"], "add": ["DAC_OVERRIDE", "KILL", "SETGID", "SETUID", "SYS_ADMIN"]}
    wanted = section(tmp_path, TIER_A)
    assert (wanted.minimum_tier, wanted.first_uid) == ("A", 10000)
    assert wanted.first_uid + wanted.user_ids <= 65536, "Kubernetes gives a pod so many user ids"
    chosen = section(tmp_path, TIER_A, models="version: 1\nsandbox: {first_uid: 20000, minimum_tier: B}\n")
    assert (chosen.minimum_tier, chosen.first_uid) == ("A", 20000)


def test_a_runtime_with_its_own_kernel_takes_the_place_of_the_user_namespace() -> None:
    spec = pod(*OPTIONS["a kernel of its own"])
    assert (spec["hostUsers"], spec["runtimeClassName"]) == (True, "kata")
    assert spec["containers"][0]["securityContext"]["procMount"] == "Default"


@pytest.mark.parametrize("options", OPTIONS.values(), ids=OPTIONS)
def test_nothing_goes_out_and_only_the_gateway_comes_in(options: tuple[str, ...]) -> None:
    made = objects(*options)
    policy = made[f"NetworkPolicy/{NAME}"]["spec"]
    labels = made[f"Deployment/{NAME}"]["spec"]["template"]["metadata"]["labels"]
    assert policy["podSelector"]["matchLabels"].items() <= labels.items()
    assert (policy["policyTypes"], policy["egress"]) == (["Ingress", "Egress"], [])
    (rule,) = policy["ingress"]
    assert rule["ports"] == [{"protocol": "TCP", "port": 8443}]
    (peer,) = rule["from"]
    if "namespaceSelector" not in peer:
        gateway = peer["podSelector"]["matchLabels"]
        assert gateway == {**policy["podSelector"]["matchLabels"], "app.kubernetes.io/component": "gateway"}
    service = made[f"Service/{NAME}"]["spec"]
    assert service["selector"].items() <= labels.items()
    assert service["sessionAffinity"] == "ClientIP", "a workspace is kept by one pod"
    assert [each["port"] for each in service["ports"]] == [8443], "the health port is for the kubelet"


def test_only_its_own_section_reaches_the_pod(tmp_path: Path) -> None:
    (tmp_path / "whole.yaml").write_text(SECRETIVE)
    declared = load_config(tmp_path / "whole.yaml").sandbox
    assert section(tmp_path, *EVERYTHING, models=SECRETIVE).slots == 6
    assert section(tmp_path, models=SECRETIVE) == declared.model_copy(update={"remote": None})
    said = template(*EVERYTHING, models=SECRETIVE).stdout
    assert [word for word in NOT_ITS_OWN if word in said] == []


def test_a_change_of_the_section_starts_the_pod_anew_and_another_change_does_not() -> None:
    def stamp(models: str) -> str:
        made = objects(models=models)[f"Deployment/{NAME}"]
        return str(made["spec"]["template"]["metadata"]["annotations"]["checksum/models"])

    assert stamp(SECRETIVE) == stamp(SECRETIVE.replace("limit_usd: 17", "limit_usd: 18"))
    assert stamp(SECRETIVE) != stamp(SECRETIVE.replace("slots: 6", "slots: 7"))


def test_the_shipped_models_yaml_and_none_at_all(tmp_path: Path) -> None:
    shipped = ROOT / "models.yaml"
    assert section(tmp_path, models=shipped.read_text()) == load_config(shipped).sandbox
    assert section(tmp_path) == section(tmp_path, models="sandbox:\n") == SandboxSpec()


def test_memory_holds_all_slots_and_workspaces_at_once() -> None:
    """The chart knows two numbers of the product: memory and disk of the largest built-in profiles."""
    limits = [load(name, {}).limits for name in profile_names()]
    memory, disk = max(each.memory_mib for each in limits), max(each.disk_mib for each in limits)

    def limit(section: str) -> int:
        (container,) = pod(models=f"sandbox: {{{section}}}")["containers"]
        limits, requests = container["resources"]["limits"], container["resources"]["requests"]
        assert limits["memory"] == requests["memory"], "a jail must not be killed for the node's want of memory"
        return int(limits["memory"].removesuffix("Mi"))

    usual = SandboxSpec()
    assert limit("") == usual.slots * memory + usual.most_workspaces * disk + usual.request_mib + 512
    assert limit("slots: 1, most_workspaces: 0") == memory + 1024 + 512
    assert limit("slots: 5, most_workspaces: 0, profiles: {python: {memory_mib: 64}}") == 5 * memory + 1024 + 512
    raised = "slots: 2, most_workspaces: 3, request_mib: 10, profiles: {pytest: {memory_mib: 3000, disk_mib: 500}}"
    assert limit(raised) == 2 * 3000 + 3 * 500 + 10 + 512
    assert limit("slots: 1, most_workspaces: 0, warm: {python: 2}") == memory + 1024 + 512 + 32
    assert pod(*OPTIONS["nodes of its own"])["containers"][0]["resources"] == {"limits": {"memory": "2Gi"}}


def test_health_is_asked_where_no_certificate_is_needed() -> None:
    (container,) = pod("--set=sandbox.healthPort=9000")["containers"]
    assert "--health=0.0.0.0:9000" in container["args"]
    assert {"name": "health", "containerPort": 9000} in container["ports"]
    probes = {name: container[f"{name}Probe"]["httpGet"] for name in ("startup", "liveness", "readiness")}
    assert {name: probe["path"] for name, probe in probes.items()} == {
        "startup": "/livez",
        "liveness": "/livez",  # never through a jail: a busy sandbox lives
        "readiness": "/readyz",
    }
    assert {probe["port"] for probe in probes.values()} == {"health"}


def test_jobs_may_end_before_the_pod_does() -> None:
    spec = pod("--set=sandbox.drainSeconds=300")
    assert spec["containers"][0]["lifecycle"]["preStop"]["sleep"]["seconds"] == 300
    assert spec["terminationGracePeriodSeconds"] == 320


def test_nodes_that_can_run_it() -> None:
    assert pod()["nodeSelector"] == {"kubernetes.io/os": "linux", "kubernetes.io/arch": "amd64"}
    spec = pod(*OPTIONS["nodes of its own"])
    assert spec["nodeSelector"]["pool"] == "jails"
    assert spec["tolerations"] == [{"key": "jails", "operator": "Exists", "effect": "NoSchedule"}]


def test_several_are_not_taken_away_at_once() -> None:
    assert f"PodDisruptionBudget/{NAME}" not in objects()
    made = objects(MANY)
    budget = made[f"PodDisruptionBudget/{NAME}"]["spec"]
    assert budget["selector"] == made[f"Deployment/{NAME}"]["spec"]["selector"]
    assert (budget["maxUnavailable"], made[f"Deployment/{NAME}"]["spec"]["replicas"]) == (1, 3)


def test_cert_manager_makes_both_ends() -> None:
    assert not any(name.startswith("Certificate/") for name in objects())
    made = objects(ISSUER, "--namespace=jails")
    server, client = (made[f"Certificate/{name}"]["spec"] for name in (NAME, f"{NAME}-client"))
    assert (server["secretName"], client["secretName"]) == (f"{NAME}-tls", f"{NAME}-client")
    assert f"{NAME}.jails.svc" in server["dnsNames"]
    assert (server["usages"][-1], client["usages"][-1]) == ("server auth", "client auth"), "neither passes as the other"
    assert server["issuerRef"] == client["issuerRef"] == {"name": "ours", "kind": "Issuer"}


def test_a_secret_of_another_name_and_an_image_by_digest() -> None:
    digest = "sha256:" + "0" * 64
    spec = pod(
        "--set=sandbox.certificate.secretName=mine", f"--set=image.repository=registry/bailey,image.digest={digest}"
    )
    assert spec["volumes"][1]["secret"]["secretName"] == "mine"
    assert spec["containers"][0]["image"] == f"registry/bailey@{digest}"


def test_without_a_sandbox_there_is_nothing() -> None:
    assert objects("--set=sandbox.enabled=false") == {}


def test_the_notes_give_a_section_that_the_gateway_takes(tmp_path: Path) -> None:
    said = helm("install", "bailey", str(CHART), "--dry-run=client", "--namespace=jails", ISSUER)
    assert said.returncode == 0, said.stderr
    notes = said.stdout[said.stdout.index("\nNOTES:") :]
    assert f"{NAME}-client" in notes
    block = re.search(r"\n  sandbox:\n(?:    .+\n)+", notes)
    assert block
    (tmp_path / "models.yaml").write_text("version: 1\n" + "\n".join(line[2:] for line in block[0].splitlines()))
    remote = load_sandbox(tmp_path / "models.yaml").remote
    assert remote is not None
    assert remote.url == f"https://{NAME}.jails.svc:8443"
    dns_names = objects(ISSUER, "--namespace=jails")[f"Certificate/{NAME}"]["spec"]["dnsNames"]
    assert remote.url.removeprefix("https://").split(":")[0] in dns_names
