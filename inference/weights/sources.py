"""What a `source:` in models.yaml says: something on this machine, or something to be fetched, and from where. Pure."""

from __future__ import annotations

import hashlib
import re
from dataclasses import dataclass

from inference.errors import WeightsError
from inference.weights.hub import HubRepository
from inference.weights.object_storage import Bucket
from inference.weights.registry import Artefact
from inference.weights.remote import Access, Remote
from inference.weights.selection import Kind

LOCAL = ("bundled:", "path:")
_HF = re.compile(r"(?P<repository>[^/@]+(/[^/@]+)?)(/(?P<file>[^@]+))?@(?P<revision>.+)")
_S3 = re.compile(r"//(?P<bucket>[^/]+)/(?P<key>.+)")
_OCI = re.compile(r"(?P<registry>[^/@]+)/(?P<repository>[^:@]+)(:(?P<tag>[^@]+)|@(?P<digest>sha256:[0-9a-f]{64}))")


@dataclass(frozen=True, slots=True)
class Origin:
    """Where weights are fetched from, and the one file of several that is meant, if the source names one."""

    remote: Remote
    named: str | None = None


def origin(source: str, access: Access) -> Origin:
    """Whom to ask for a source that is not on this machine; asks nobody yet. Raises `WeightsError`."""
    scheme, _, rest = source.partition(":")
    if scheme == "hf" and (parts := _HF.fullmatch(rest)):
        return Origin(HubRepository(parts["repository"], parts["revision"], access), parts["file"])
    if scheme == "s3" and (parts := _S3.fullmatch(rest)):
        folder, _, file = parts["key"].rpartition("/")
        one = file if file.endswith(".gguf") else None
        return Origin(Bucket(parts["bucket"], folder if one else parts["key"].strip("/")), one)
    if scheme == "oci" and (parts := _OCI.fullmatch(rest)):
        return Origin(Artefact(parts["registry"], parts["repository"], parts["tag"] or parts["digest"], access))
    raise WeightsError(
        f"{source!r} is not of the form hf:owner/name@revision, hf:owner/name/file.gguf@revision, "
        "s3://bucket/prefix, oci:registry/repository:tag or oci:registry/repository@sha256:digest."
    )


def slot_name(source: str, kind: Kind) -> str:
    """The name of a source's folder in the store: readable, and never that of another source."""
    readable = re.sub(r"[^A-Za-z0-9._]+", "-", source.partition(":")[2]).strip("-.")[:80]
    return f"{readable}-{hashlib.sha256(f'{kind} {source}'.encode()).hexdigest()[:8]}"
