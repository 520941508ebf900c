"""`s3://`: a folder of a bucket, through s3fs, which is fsspec's S3 (an extra: its botocore alone unpacks to 30 MB).

Keys and the address of a server of one's own come from where AWS's tools have them (AWS_ACCESS_KEY_ID,
AWS_ENDPOINT_URL_S3, ~/.aws/config). S3 declares no SHA-256, so a file SHA256SUMS in the folder is believed.
"""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from inference.weights.http_range import phrase
from inference.weights.remote import InterruptedPull, Listing, RefusedPull, RemoteFile

SUMS = "SHA256SUMS"
_BLOCK_BYTES = 2**24
_SUM = re.compile(r"([0-9a-f]{64}) [ *](?:\./)?(.+)")


@dataclass(frozen=True)
class Bucket:
    """The objects whose keys begin with `folder` and a slash (all, if it is empty)."""

    bucket: str
    folder: str

    def list(self) -> Listing:
        """All objects; the revision is a digest of their names, sizes and ETags."""
        with _errors():
            files = self._filesystem
            found = files.find(self._root, detail=True)
            sums = dict(_sums(files.cat_file(f"{self._root}/{SUMS}"))) if f"{self._root}/{SUMS}" in found else {}
        listed = []
        for path, entry in sorted(found.items()):
            name = path.removeprefix(f"{self._root}/")
            listed.append(RemoteFile(name, entry["size"], sha256=sums.get(name), etag=entry.get("ETag")))
        state = "".join(f"{file.name}\0{file.size}\0{file.etag}\n" for file in listed)
        return Listing(hashlib.sha256(state.encode()).hexdigest(), tuple(listed))

    def read(self, listing: Listing, file: RemoteFile, start: int) -> Iterator[bytes]:
        """Pieces of an object; it is refused if it is another one than was listed."""
        with _errors(), self._filesystem.open(f"{self._root}/{file.name}", "rb", cache_type="none") as source:
            if source.details.get("ETag") != file.etag:
                raise RefusedPull("it was changed in the meantime; pull again")
            source.seek(start)
            while piece := source.read(_BLOCK_BYTES):
                yield piece

    @property
    def _root(self) -> str:
        return f"{self.bucket}/{self.folder}".rstrip("/")

    @cached_property
    def _filesystem(self) -> Any:
        """One for all requests: it takes a third of a second to make."""
        from s3fs import S3FileSystem

        return S3FileSystem(skip_instance_cache=True, use_listings_cache=False)


@contextmanager
def _errors() -> Iterator[None]:
    """s3fs raises the system's errors for what S3 answers, and botocore's own where there was no answer."""
    try:
        import s3fs  # noqa: F401 -- whether it is there is asked in one place
        from botocore.exceptions import BotoCoreError, HTTPClientError, NoCredentialsError
    except ImportError:
        raise RefusedPull("s3:// needs the package s3fs; install Bailey with the extra `s3`") from None
    try:
        yield
    except NoCredentialsError:
        raise RefusedPull("no keys for S3 were found; set AWS_ACCESS_KEY_ID and AWS_SECRET_ACCESS_KEY") from None
    except HTTPClientError as error:
        raise InterruptedPull(phrase(error)) from error
    except (FileNotFoundError, PermissionError, BotoCoreError) as error:
        raise RefusedPull(phrase(error)) from error
    except OSError as error:
        raise InterruptedPull(phrase(error)) from error


def _sums(text: bytes) -> Iterator[tuple[str, str]]:
    """name -> digest, as `sha256sum` writes them."""
    for line in text.decode(errors="replace").splitlines():
        if found := _SUM.fullmatch(line.strip()):
            yield found[2], found[1]
