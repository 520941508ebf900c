"""The service, started as the chart starts it and with no more rights than the chart gives it, holds what it runs."""

from __future__ import annotations

import json
import os
import re
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

import httpx
import pytest

from sandbox.catalogue import text
from sandbox.protocol import Command, SandboxUnavailable
from sandbox.selfcheck import self_check
from sandbox.service.client import RemoteSandbox
from sandbox.service.tls import TlsFiles
from sandbox.spec import RemoteSpec
from tests.helm.box import CAPABILITIES
from tests.helm.chart import CHART, ROOT, Object, objects
from tests.sandbox.certificates import Authority

pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can do what a container runtime does")


FILTERED = (
    "--set=sandbox.seccompProfile.type=Localhost",
    "--set=sandbox.seccompProfile.localhostProfile=bailey-sandbox-seccomp.json",
)


def free_port() -> int:
    with closing(socket.socket()) as asked:
        asked.bind(("127.0.0.1", 0))
        return int(asked.getsockname()[1])


def demand_rights(pid: int, spec: Object) -> None:
    """The box gives what the specification says, and no more."""
    status, own = (
        dict(line.split(":\t") for line in Path(f"/proc/{who}/status").read_text().splitlines())
        for who in (pid, "self")
    )
    context = spec["containers"][0]["securityContext"]
    added = sum(1 << CAPABILITIES[name] for name in context["capabilities"].get("add", []))
    assert (int(status["CapBnd"], 16), int(status["CapEff"], 16)) == (added, added)
    assert status["NoNewPrivs"] == str(int(not context["allowPrivilegeEscalation"]))
    assert {int(uid) for uid in status["Uid"].split()} == {spec["securityContext"]["runAsUser"]}
    filtered = spec["securityContext"]["seccompProfile"]["type"] == "Localhost"
    assert int(status["Seccomp_filters"]) - int(own["Seccomp_filters"]) == int(filtered)
    assert Path(f"/proc/{pid}/ns/user").readlink() != Path("/proc/self/ns/user").readlink()
    mounts = [line.split() for line in Path(f"/proc/{pid}/mountinfo").read_text().splitlines()]
    assert [fields[5].split(",")[0] for fields in mounts if fields[4] == "/"] == ["ro"]


@contextmanager
def started(made: dict[str, Object], folder: Path, files: TlsFiles) -> Iterator[tuple[subprocess.Popen[str], int, int]]:
    """The pod's container in a box, with its files in `folder`; the process, its port and that of its health."""
    spec = specification(made)
    (container,) = spec["containers"]
    folder.chmod(0o755)
    (folder / "models.yaml").write_text(made["ConfigMap/bailey-sandbox"]["data"]["models.yaml"])
    os.chown(files.key, 0, spec["securityContext"]["fsGroup"])
    files.key.chmod(0o440)
    port, health = free_port(), free_port()
    here = {
        "/etc/bailey/tls/ca.crt": str(files.authority),
        "/etc/bailey/tls/tls.crt": str(files.certificate),
        "/etc/bailey/tls/tls.key": str(files.key),
        "/etc/bailey/models.yaml": str(folder / "models.yaml"),
        "/opt/bailey/sandbox-site": str(ROOT / ".sandbox-site"),
        "0.0.0.0:8443": f"127.0.0.1:{port}",
        "0.0.0.0:8444": f"127.0.0.1:{health}",
    }
    arguments = [option for given in container["args"] for option in given.split("=", 1)]
    environment = {each["name"]: here.get(each["value"], each["value"]) for each in container["env"]}
    shown = (sys.base_prefix, sys.prefix, str(ROOT), str(ROOT / ".sandbox-site"), str(folder))
    assert container["command"][0] == "bailey"
    command = [sys.executable, "-m", "gateway.cli", *container["command"][1:], *(here.get(a, a) for a in arguments)]
    with subprocess.Popen(
        [sys.executable, "-m", "tests.helm.box", json.dumps(spec), *command],
        cwd=ROOT, env={"PATH": "/usr/bin:/bin", "BOX_SHOWS": ":".join(shown), **environment},
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    ) as process:  # fmt: skip
        try:
            yield process, port, health
        finally:
            process.kill()


def specification(made: dict[str, Object]) -> Object:
    spec: Object = made["Deployment/bailey-sandbox"]["spec"]["template"]["spec"]
    return spec


@contextmanager
def running(made: dict[str, Object], folder: Path, files: TlsFiles) -> Iterator[tuple[str, str]]:
    """Where commands and where the health are asked; at the end it is told to go, and goes in good order."""
    with started(made, folder, files) as (process, port, health):
        assert process.stdout
        assert process.stderr
        said = process.stdout.readline()
        assert said, process.stderr.read()
        demand_rights(process.pid, specification(made))
        yield f"https://127.0.0.1:{port}", f"http://127.0.0.1:{health}"
        process.send_signal(signal.SIGTERM)
        _, complained = process.communicate(timeout=60)
        assert process.returncode == 0
        assert {json.loads(line)["level"] for line in complained.splitlines()} == {"info"}, complained


@pytest.mark.parametrize(
    ("tier", "options"), [("B", ()), ("A", FILTERED), ("B", FILTERED)], ids=["B", "A filtered", "B filtered"]
)
async def test_the_pod_of_a_tier(tier: str, options: tuple[str, ...], tmp_path: Path) -> None:
    """Also with the chart's own system call filter."""
    made = objects(f"--set=sandbox.tier={tier}", *options, models="sandbox: {slots: 2}")
    authority = Authority(tmp_path)
    files = authority.files("client")
    with running(made, tmp_path, authority.files("server")) as (url, health):
        given = {"authority": files.authority, "certificate": files.certificate, "key": files.key}
        gateway = RemoteSandbox(RemoteSpec(url=url, **given))
        await gateway.check()
        report = await gateway.diagnose()
        assert (report.tier, report.own_users) == (tier, tier == "A")
        result = await gateway.run(Command(("python", "-c", "import os; print(os.getuid(), os.listdir('/etc'))")))
        assert result.ok
        assert b"bailey" not in result.stdout
        async for finding in self_check(gateway):
            assert finding.held, finding
        await gateway.close()
        async with httpx.AsyncClient(base_url=health, trust_env=False) as kubelet:
            answers = {path: await kubelet.get(path) for path in ("/livez", "/readyz", "/v1/host")}
            assert {path: answer.status_code for path, answer in answers.items()} == {
                "/livez": 200,
                "/readyz": 200,
                "/v1/host": 404,
            }
            assert (await kubelet.post("/v1/run", content=b"{}")).status_code == 404


def test_where_proc_is_masked_it_does_not_start(tmp_path: Path) -> None:
    """What `procMount: Unmasked` is for. Nothing but a proven jail makes the pod ready."""
    made = objects()
    specification(made)["containers"][0]["securityContext"]["procMount"] = "Default"
    with started(made, tmp_path, Authority(tmp_path).files("server")) as (process, _, _):
        said, complained = process.communicate(timeout=60)
    assert (process.returncode, said) == (1, "")
    assert "This host cannot isolate untrusted code" in complained
    assert "proc" in complained


async def test_the_authority_alone_lets_nobody_in(tmp_path: Path) -> None:
    """Somebody in the cluster who knows the address and trusts the authority, without a certificate of it."""
    authority, stranger = Authority(tmp_path / "ours"), Authority(tmp_path / "theirs")
    server, wrong = authority.files("server"), stranger.files("client")
    with running(objects(), tmp_path, server) as (url, _):
        given = {"authority": server.authority, "certificate": wrong.certificate, "key": wrong.key}
        intruder = RemoteSandbox(RemoteSpec(url=url, **given))
        with pytest.raises(SandboxUnavailable, match="does not answer"):
            await intruder.diagnose()
        await intruder.close()


def test_the_filter_forbids_nothing_that_jails_may_do() -> None:
    """It only repeats what every jail's own policy says, so it cannot stand in a program's way."""
    (rule,) = json.loads((CHART / "files" / "bailey-sandbox-seccomp.json").read_text())["syscalls"]
    policy = re.sub(r"//.*", "", text("deny.kafel"))
    assert [name for name in rule["names"] if not re.search(rf"[\s,]{name}[\s,]", policy)] == []
    needed = {
        "clone",
        "unshare",
        "mount",
        "pivot_root",
        "fsopen",
        "move_mount",
        "mount_setattr",
        "keyctl",
        "sethostname",
    }
    assert not needed & {*rule["names"]}
