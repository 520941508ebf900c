"""Takes Helm, and Kubernetes's schemas of its objects, out of the packages that carry them (requirements/helm.lock).

There is no package of Helm alone: one for functions on AWS brings it in an archive within an archive.
"""

from __future__ import annotations

import io
import shutil
import tarfile
import zipfile
from pathlib import Path

OLDEST, NEWEST = "1.33", "1.37"  # the releases of Kubernetes that the chart is held to


def unpack(wheels: Path, target: Path) -> None:
    """Fill the folder with `helm` and a `kubernetes-<release>.json` for each release; it appears when it is whole."""
    unfinished = target.with_name(f"{target.name}-unfinished")
    for folder in (unfinished, target):
        shutil.rmtree(folder, ignore_errors=True)
    unfinished.mkdir()
    _unpack_helm(next(wheels.glob("aws_cdk*.whl")), unfinished / "helm")
    with zipfile.ZipFile(next(wheels.glob("kubernetes_validate*.whl"))) as wheel:
        for release in (OLDEST, NEWEST):
            name = f"kubernetes_validate/kubernetes-json-schema/v{release}.0-local-strict/_definitions.json"
            (unfinished / f"kubernetes-{release}.json").write_bytes(wheel.read(name))
    unfinished.rename(target)


def _unpack_helm(wheel: Path, program: Path) -> None:
    with zipfile.ZipFile(wheel) as outer:
        package = next(name for name in outer.namelist() if name.endswith(".jsii.tgz"))
        with outer.open(package) as packed, tarfile.open(fileobj=packed, mode="r|gz") as archive:
            layer = next(archive.extractfile(entry) for entry in archive if entry.name.endswith("/layer.zip"))
            assert layer is not None
            content = io.BytesIO(layer.read())
    with zipfile.ZipFile(content) as inner, inner.open("helm/helm") as source, program.open("wb") as out:
        shutil.copyfileobj(source, out)
    program.chmod(0o755)
