"""Servers on the loopback that speak the protocols weights are fetched by, and that fail when they are told to.

A hub with its redirects to another host, S3 as far as reading goes, and a container registry with tokens.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import socket
import threading
from collections.abc import AsyncIterator, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from xml.sax.saxutils import escape

import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, RedirectResponse, Response, StreamingResponse
from starlette.routing import Route

COMMIT = "a" * 40
PIECE = 4096


def sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def git_sha1(content: bytes) -> str:
    return hashlib.sha1(b"blob %d\0" % len(content) + content).hexdigest()


@contextmanager
def served(app: Starlette) -> Iterator[str]:
    """The application on a thread of its own, because what asks it blocks; gives its base URL."""
    listener = socket.create_server(("127.0.0.1", 0))
    server = uvicorn.Server(uvicorn.Config(app, log_level="critical", lifespan="off", ws="none", http="h11"))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
    thread.start()
    try:
        yield f"http://127.0.0.1:{listener.getsockname()[1]}"
    finally:
        server.should_exit = server.force_exit = True
        thread.join()
        listener.close()


@dataclass(frozen=True)
class Fault:
    """What happens instead of a whole body: a status, an end after some bytes, or a pause before each piece."""

    status: int = 0
    ends_after: int | None = None
    pause_seconds: float = 0.0


@dataclass
class Bodies:
    """Answers ranges of files, and takes the next fault of a file's list each time its body is asked for."""

    faults: dict[str, list[Fault]] = field(default_factory=dict)
    starts: dict[str, list[int]] = field(default_factory=dict)
    """From which byte on each file was asked for, in order."""
    ignores_ranges: bool = False

    def answer(self, request: Request, name: str, content: bytes) -> Response:
        wanted = request.headers.get("range")
        start, end = 0, len(content)
        if wanted and not self.ignores_ranges:
            first, _, last = wanted.removeprefix("bytes=").partition("-")
            start, end = int(first), min(len(content), int(last) + 1 if last else len(content))
        self.starts.setdefault(name, []).append(start)
        waiting = self.faults.get(name)
        fault = waiting.pop(0) if waiting else Fault()
        if fault.status:
            return Response(status_code=fault.status)
        headers = {"content-length": str(end - start), "accept-ranges": "bytes", "etag": f'"{sha256(content)}"'}
        if wanted and not self.ignores_ranges:
            headers["content-range"] = f"bytes {start}-{end - 1}/{len(content)}"
        body = _pieces(content[start:end], fault)
        return StreamingResponse(body, 206 if "content-range" in headers else 200, headers)


async def _pieces(content: bytes, fault: Fault) -> AsyncIterator[bytes]:
    whole = len(content) if fault.ends_after is None else fault.ends_after
    for at in range(0, whole, PIECE):
        await asyncio.sleep(fault.pause_seconds)
        yield content[at : min(at + PIECE, whole)]


@dataclass
class Hub:
    """The part of the Hugging Face hub's protocol that downloads need, for the repository acme/coder.

    Files with the endings of weights are "large": they have a SHA-256 and lie on another host, that gets no key.
    """

    files: dict[str, bytes]
    commit: str = COMMIT
    token: str | None = None
    asked: list[str] = field(default_factory=list)
    keys_on_other_host: list[str] = field(default_factory=list)
    bodies: Bodies = field(default_factory=Bodies)
    declared: dict[str, str] = field(default_factory=dict)
    """Digests that are declared instead of the true ones."""

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/api/models/acme/coder/revision/{revision}", self.info),
                Route("/api/models/acme/coder/tree/{revision}", self.tree),
                Route("/acme/coder/resolve/{revision}/{name:path}", self.resolve, methods=["GET", "HEAD"]),
                Route("/elsewhere/{name:path}", self.elsewhere),
                Route("/{other:path}", self.unknown),
            ]
        )

    def _refusal(self, request: Request) -> Response | None:
        self.asked.append(f"{request.method} {request.url.path}")
        if self.token and request.headers.get("authorization") != f"Bearer {self.token}":
            return Response(status_code=401, headers={"x-error-code": "RepoNotFound"})
        if request.path_params["revision"] not in {"main", "v1", self.commit}:
            return Response(status_code=404, headers={"x-error-code": "RevisionNotFound"})
        return None

    async def unknown(self, request: Request) -> Response:
        return Response(status_code=401, headers={"x-error-code": "RepoNotFound"})

    async def info(self, request: Request) -> Response:
        siblings = [{"rfilename": name} for name in self.files]
        found = {"id": "acme/coder", "sha": self.commit, "siblings": siblings}
        return self._refusal(request) or JSONResponse(found)

    async def tree(self, request: Request) -> Response:
        return self._refusal(request) or JSONResponse([self._entry(name) for name in self.files])

    def _entry(self, name: str) -> dict[str, object]:
        content = self.files[name]
        entry: dict[str, object] = {"type": "file", "path": name, "size": len(content), "oid": git_sha1(content)}
        if name.endswith((".gguf", ".safetensors")):
            oid = self.declared.get(name, sha256(content))
            entry["lfs"] = {"oid": oid, "size": len(content), "pointerSize": 135}
        return entry

    async def resolve(self, request: Request) -> Response:
        if refusal := self._refusal(request):
            return refusal
        name = request.path_params["name"]
        if name not in self.files:
            return Response(status_code=404, headers={"x-error-code": "EntryNotFound"})
        content = self.files[name]
        about = {"x-repo-commit": self.commit, "x-linked-size": str(len(content))}
        if name.endswith((".gguf", ".safetensors")):
            other_host = f"http://localhost:{request.url.port}/elsewhere/{name}?signature=secret-signature"
            return RedirectResponse(other_host, 302, {**about, "x-linked-etag": f'"{sha256(content)}"'})
        return self.bodies.answer(request, name, content)

    async def elsewhere(self, request: Request) -> Response:
        if key := request.headers.get("authorization"):
            self.keys_on_other_host.append(key)
        name = request.path_params["name"]
        return self.bodies.answer(request, name, self.files[name])

    def downloads(self) -> list[str]:
        return sorted({path.split("/", 5)[-1] for path in self.asked if "/resolve/" in path})


@dataclass
class Bucket:
    """S3's ListObjectsV2, HeadObject and GetObject for the bucket `models`; two objects to a page."""

    files: dict[str, bytes]
    bodies: Bodies = field(default_factory=Bodies)
    signed: set[bool] = field(default_factory=set)

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/models", self.list),
                Route("/models/{key:path}", self.object, methods=["GET", "HEAD"]),
            ]
        )

    async def list(self, request: Request) -> Response:
        self.signed.add(request.headers.get("authorization", "").startswith("AWS4-HMAC-SHA256 Credential=the-id/"))
        prefix = request.query_params.get("prefix", "")
        keys = sorted(key for key in self.files if key.startswith(prefix))
        start = int(request.query_params.get("continuation-token", "0"))
        more = start + 2 < len(keys)
        entries = "".join(self._entry(key) for key in keys[start : start + 2])
        following = f"<NextContinuationToken>{start + 2}</NextContinuationToken>" if more else ""
        return Response(
            f"<ListBucketResult><Name>models</Name><IsTruncated>{str(more).lower()}</IsTruncated>"
            f"{following}{entries}</ListBucketResult>",
            media_type="application/xml",
        )

    def _entry(self, key: str) -> str:
        content = self.files[key]
        return (
            f"<Contents><Key>{escape(key)}</Key><Size>{len(content)}</Size><ETag>&quot;{sha256(content)}&quot;</ETag>"
            "<LastModified>2026-01-01T00:00:00.000Z</LastModified></Contents>"
        )

    async def object(self, request: Request) -> Response:
        key = request.path_params["key"]
        if key not in self.files:
            return Response(status_code=404)
        content = self.files[key]
        if request.method == "HEAD":
            headers = {"content-length": str(len(content)), "etag": f'"{sha256(content)}"'}
            return Response(headers={**headers, "last-modified": "Thu, 01 Jan 2026 00:00:00 GMT"})
        return self.bodies.answer(request, key, content)


@dataclass
class Registry:
    """A container registry with one artefact, acme/coder:v1, for which callers need a token."""

    files: dict[str, bytes]
    annotations: dict[str, str] = field(default_factory=dict)
    bodies: Bodies = field(default_factory=Bodies)
    basic: set[str | None] = field(default_factory=set)
    token: str = "the-token"

    def app(self) -> Starlette:
        return Starlette(
            routes=[
                Route("/v2/acme/coder/manifests/{reference}", self.manifest, methods=["GET", "HEAD"]),
                Route("/v2/acme/coder/blobs/{digest}", self.blob),
                Route("/token", self.grant),
            ]
        )

    def document(self) -> bytes:
        layers = [
            {
                "mediaType": "application/octet-stream",
                "digest": f"sha256:{sha256(content)}",
                "size": len(content),
                "annotations": {"org.opencontainers.image.title": name, **self.annotations},
            }
            for name, content in self.files.items()
        ]
        return json.dumps({"schemaVersion": 2, "layers": layers}).encode()

    def _refusal(self, request: Request) -> Response | None:
        if request.headers.get("authorization") == f"Bearer {self.token}":
            return None
        realm = f"http://{request.headers['host']}/token"
        challenge = f'Bearer realm="{realm}",service="registry",scope="repository:acme/coder:pull"'
        return Response(status_code=401, headers={"www-authenticate": challenge})

    async def grant(self, request: Request) -> Response:
        assert request.query_params["scope"] == "repository:acme/coder:pull"
        self.basic.add(request.headers.get("authorization"))
        return JSONResponse({"token": self.token})

    async def manifest(self, request: Request) -> Response:
        if refusal := self._refusal(request):
            return refusal
        known = {"v1", f"sha256:{sha256(self.document())}"}
        if request.path_params["reference"] not in known and not request.path_params["reference"].endswith("f" * 64):
            return Response(status_code=404)
        return Response(self.document(), media_type="application/vnd.oci.image.manifest.v1+json")

    async def blob(self, request: Request) -> Response:
        if refusal := self._refusal(request):
            return refusal
        names = {f"sha256:{sha256(content)}": name for name, content in self.files.items()}
        name = names[request.path_params["digest"]]
        return self.bodies.answer(request, name, self.files[name])
