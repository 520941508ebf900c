"""`oci:`: files in a container registry, packed as `oras push` does it: one layer per file, titled with its name.

A small client of the distribution protocol, because what is needed of it is two kinds of GET that can go on from
a byte: oras-py pulls from the beginning again. Keys are read where `docker login` and `oras login` leave them.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Annotated

import httpx
from pydantic import BaseModel, Field, ValidationError

from inference.weights.http_range import check, client, phrase, read_from
from inference.weights.remote import Access, InterruptedPull, Listing, RefusedPull, RemoteFile

_MANIFESTS = ("application/vnd.oci.image.manifest.v1+json", "application/vnd.docker.distribution.manifest.v2+json")
_TITLES = ("org.opencontainers.image.title", "org.cncf.model.filepath")
_PACKED_FOLDER = "io.deis.oras.content.unpack"
_PARAMETER = re.compile(r'(\w+)="([^"]*)"')


class _Layer(BaseModel):
    digest: Annotated[str, Field(pattern=r"^sha256:[0-9a-f]{64}$")]
    size: Annotated[int, Field(ge=0)]
    annotations: dict[str, str] = {}


class _Grant(BaseModel):
    token: str = ""
    access_token: str = ""


class _ImageManifest(BaseModel):
    layers: list[_Layer]


@dataclass(frozen=True, slots=True)
class Artefact:
    """An artefact by tag or by digest. Registries on the loopback are asked without TLS, as docker does."""

    registry: str
    repository: str
    reference: str
    access: Access

    def list(self) -> Listing:
        """The manifest: its digest is the revision, whatever the tag may mean later."""
        headers = {**self._authorization(), "accept": ", ".join(_MANIFESTS)}
        with _network_errors(), client() as http:
            response = http.get(f"{self._url}/manifests/{self.reference}", headers=headers, follow_redirects=True)
        check(response)
        revision = f"sha256:{hashlib.sha256(response.content).hexdigest()}"
        if self.reference.startswith("sha256:") and self.reference != revision:
            raise RefusedPull(f"the manifest has the digest {revision}, not {self.reference}")
        try:
            layers = _ImageManifest.model_validate_json(response.content).layers
        except ValidationError:
            raise RefusedPull("it is not an artefact with one layer per file (an index, perhaps)") from None
        return Listing(revision, tuple(_file(layer) for layer in layers))

    def read(self, listing: Listing, file: RemoteFile, start: int) -> Iterator[bytes]:
        """Pieces of a layer; with a fresh token, because tokens live for minutes only."""
        yield from read_from(f"{self._url}/blobs/sha256:{file.sha256}", self._authorization(), start, file.size)

    @property
    def _url(self) -> str:
        host = self.registry.rpartition(":")[0] if ":" in self.registry else self.registry
        scheme = "http" if host in {"localhost", "127.0.0.1", "[::1]"} else "https"
        name = "registry-1.docker.io" if self.registry == "docker.io" else self.registry
        return f"{scheme}://{name}/v2/{self.repository}"

    def _authorization(self) -> dict[str, str]:
        """The header that the registry asks for, if it asks for one."""
        with _network_errors(), client() as http:
            response = http.head(f"{self._url}/manifests/{self.reference}", headers={"accept": ", ".join(_MANIFESTS)})
            challenge = response.headers.get("www-authenticate", "")
            if response.status_code != httpx.codes.UNAUTHORIZED:
                return {}
            basic = self._basic()
            if not challenge.lower().startswith("bearer "):
                return basic
            parameters = dict(_PARAMETER.findall(challenge))
            if not parameters.get("realm", "").startswith(("https://", self._url.partition("/v2/")[0])):
                raise RefusedPull(
                    f"it sends its callers for a token to {parameters.get('realm')!r}, which is not https"
                )
            query = {key: value for key, value in parameters.items() if key in {"service", "scope"}}
            answer = http.get(parameters["realm"], params=query, headers=basic)
        check(answer)
        try:
            granted = _Grant.model_validate_json(answer.content)
        except ValidationError:
            raise RefusedPull(f"{parameters['realm']} does not answer with a token") from None
        return {"authorization": f"Bearer {granted.token or granted.access_token}"}

    def _basic(self) -> dict[str, str]:
        """Name and password, from the file in which `docker login` keeps them without a helper."""
        try:
            keys = json.loads(self.access.registry_keys.expanduser().read_text())["auths"]
        except (OSError, ValueError, KeyError, TypeError):
            return {}
        names = {self.registry, f"https://{self.registry}"}
        found = [entry["auth"] for name, entry in keys.items() if name.rstrip("/") in names and "auth" in entry]
        return {"authorization": f"Basic {found[0]}"} if found else {}


def _file(layer: _Layer) -> RemoteFile:
    title = next((layer.annotations[name] for name in _TITLES if name in layer.annotations), None)
    if title is None:
        raise RefusedPull(
            "it has a layer without a title, so it is an image, not files; `oras push` gives each a title"
        )
    if layer.annotations.get(_PACKED_FOLDER) == "true":
        raise RefusedPull(f"{title} was pushed as a packed folder; push its files one by one")
    return RemoteFile(title, layer.size, sha256=layer.digest.removeprefix("sha256:"))


@contextmanager
def _network_errors() -> Iterator[None]:
    try:
        yield
    except httpx.HTTPError as error:
        raise InterruptedPull(phrase(error)) from error
