"""A dataset repository on the Hugging Face hub: one commit, so that the cache is there whole or not at all."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from ..cache.manifest import MANIFEST
from ..errors import LagerError
from .object_store import ObjectStore


class HubRemote(ObjectStore):
    """Writes ``hf://datasets/OWNER/NAME[@REVISION][/PATH]``; reading is the file system's.

    Large files are uploaded one by one (what the hub has already is not sent again) and named by the commit that
    `finish` makes.

    Parameters
    ----------
    url : str
        Of a dataset repository.

    Raises
    ------
    LagerError
        When it names none, or huggingface_hub is not installed.
    """

    keeps_sources = True

    def __init__(self, url: str) -> None:
        super().__init__(url)
        parts = url.removeprefix("hf://").strip("/").split("/")
        if parts[0] != "datasets" or len(parts) < 3:
            raise LagerError(f"{self.shown}: expected hf://datasets/OWNER/NAME, with a path behind it where wanted")
        from huggingface_hub import HfApi

        name, _, revision = parts[2].partition("@")
        self.api = HfApi()
        self.repository: dict[str, Any] = {"repo_id": f"{parts[1]}/{name}", "repo_type": "dataset"}
        self.revision = revision or None
        self._folder = "".join(f"{part}/" for part in parts[3:])
        self._additions: list[Any] = []
        self._lock = threading.Lock()

    def prepare(self, *, public: bool) -> str:
        """Make the repository, private unless `public`; refuse one that is more public than asked."""
        with self._told("repository"):
            self.api.create_repo(**self.repository, private=not public, exist_ok=True)
            private = bool(self.api.repo_info(**self.repository).private)
        if private == public:
            found, wanted = ("private", "public") if private else ("public", "private")
            raise LagerError(
                f"{self.shown} is {found} already, and the push is to be {wanted}: "
                + ("leave --public out" if private else "give --public, or choose another repository")
            )
        return "everyone" if public else "the repository's owner and whoever they let in (private)"

    def send(self, source: Path, name: str, *, sha256: str) -> None:
        """Upload a file; it has no name before `finish`."""
        from huggingface_hub import CommitOperationAdd

        with self._told(name):
            addition = CommitOperationAdd(path_in_repo=self._folder + name, path_or_fileobj=str(source))
            self.api.preupload_lfs_files(**self.repository, additions=[addition], revision=self.revision)
        with self._lock:
            self._additions.append(addition)

    def claim(self, name: str, content: bytes) -> bytes:
        """Store nothing: what `finish` commits is one whole cache in any case."""
        return content

    def remove(self, name: str) -> None:
        """Remove nothing, as nothing was stored."""

    def finish(self, last: Path, name: str, *, sha256: str) -> None:
        """Commit everything that was sent, and the last file with it."""
        self.send(last, name, sha256=sha256)
        with self._told(name):
            self.api.create_commit(
                **self.repository,
                operations=self._additions,
                commit_message=f"Feature cache, {len(self._additions)} files",
                revision=self.revision,
            )

    def delete(self, names: Sequence[str]) -> str:
        """Delete files in one commit; the commits before it stay readable."""
        from huggingface_hub import CommitOperationDelete

        with self._told(MANIFEST):
            there = [name for name in names if self.size(name) is not None]
            self.api.create_commit(
                **self.repository,
                operations=[CommitOperationDelete(path_in_repo=self._folder + name) for name in there],
                commit_message=f"Feature cache removed, {len(there)} files",
                revision=self.revision,
            )
        return (
            "earlier commits of the repository still hold the files: squash its history "
            "(huggingface_hub: HfApi.super_squash_history) or delete the repository"
        )
