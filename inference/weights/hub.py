"""`hf:`: a repository on a Hugging Face hub, or on a mirror that speaks its protocol.

Names, revisions, digests, keys and addresses come through huggingface_hub. The bytes do not: its own
downloads begin anew when their process was killed, and ours go on where they stopped.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

from inference.weights.http_range import phrase, read_from
from inference.weights.remote import Access, InterruptedPull, Listing, RefusedPull, RemoteFile

if TYPE_CHECKING:
    from huggingface_hub.hf_api import RepoFile

_MAY_PASS = {408, 425, 429}
_LIST_SECONDS = 30.0


@dataclass(frozen=True, slots=True)
class HubRepository:
    """A repository at a revision. Its token is used only if it was handed over, never one that lies around."""

    name: str
    revision: str
    access: Access

    def list(self) -> Listing:
        """The commit that the revision means now, and its files with the digests the hub declares."""
        import httpx2
        from huggingface_hub import HfApi
        from huggingface_hub.errors import (
            HfHubHTTPError,
            OfflineModeIsEnabled,
            RepositoryNotFoundError,
            RevisionNotFoundError,
        )
        from huggingface_hub.hf_api import RepoFile

        api = HfApi(endpoint=self.access.hf_endpoint, token=self.access.hf_token or False)
        try:
            commit = api.model_info(self.name, revision=self.revision, timeout=_LIST_SECONDS).sha
            if commit is None:
                raise RefusedPull("the hub does not say which commit the revision is")
            tree = [*api.list_repo_tree(self.name, recursive=True, revision=commit)]
        except RepositoryNotFoundError as error:  # a hub does not tell strangers that a repository is private
            raise RefusedPull(f"{self._where} has no repository {self.name} for {self._who}") from error
        except RevisionNotFoundError as error:
            raise RefusedPull(f"{self.name} has no revision {self.revision!r}") from error
        except HfHubHTTPError as error:
            code = error.response.status_code
            said = f"{self._where} answered {code}: {phrase(error)}" if code >= 500 else phrase(error)
            raise InterruptedPull(said) if code in _MAY_PASS or code >= 500 else RefusedPull(said) from error
        except OfflineModeIsEnabled:
            raise RefusedPull("HF_HUB_OFFLINE is set") from None
        except (ValueError, KeyError) as error:  # not a name, or not a hub
            raise RefusedPull(f"{self._where}: {phrase(error)}") from error
        except httpx2.HTTPError as error:
            raise InterruptedPull(f"{self._where}: {phrase(error)}") from error
        return Listing(commit, tuple(_file(item) for item in tree if isinstance(item, RepoFile)))

    def read(self, listing: Listing, file: RemoteFile, start: int) -> Iterator[bytes]:
        """Pieces of a file at that commit."""
        from huggingface_hub import hf_hub_url

        url = hf_hub_url(self.name, file.name, revision=listing.revision, endpoint=self.access.hf_endpoint)
        headers = {"authorization": f"Bearer {self.access.hf_token}"} if self.access.hf_token else {}
        yield from read_from(url, headers, start, file.size)

    @property
    def _where(self) -> str:
        return self.access.hf_endpoint or "the hub"

    @property
    def _who(self) -> str:
        return "the key in BAILEY_HF_TOKEN" if self.access.hf_token else "callers without a key (BAILEY_HF_TOKEN)"


def _file(item: RepoFile) -> RemoteFile:
    if item.lfs is not None:
        return RemoteFile(item.path, item.lfs.size, sha256=item.lfs.sha256)
    return RemoteFile(item.path, item.size, git_sha1=item.blob_id)
