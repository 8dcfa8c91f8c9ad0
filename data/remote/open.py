"""From a path or URL to the place that it names: the one list of remotes."""

from __future__ import annotations

from pathlib import Path

from ..errors import LagerError
from ..files.location import as_folder, as_url
from ..safe_text import scrubbed
from .remote import Remote, WritableRemote


def open_remote(url: str | Path) -> Remote:
    """Return the place that a path or URL names, for reading."""
    address = as_url(url)
    if address is None:
        from .folder import FolderRemote

        return FolderRemote(as_folder(url))
    if address.startswith(("http://", "https://")):
        from .http import HttpRemote

        return HttpRemote(address)
    from .object_store import ObjectStore

    return ObjectStore(address)


def open_writable(url: str | Path) -> WritableRemote:
    """Return the place that a path or URL names, for writing; a `LagerError` when nothing can be written there."""
    address = as_url(url)
    if address is None:
        from .folder import FolderRemote

        return FolderRemote(as_folder(url))
    if address.startswith(("http://", "https://")):
        raise LagerError(
            f"{scrubbed(address)}: nothing can be pushed over HTTP; push to a folder, s3://, gs:// or "
            "hf://datasets/..., or copy the pushed folder to the web server"
        )
    if address.startswith("hf://"):
        from .hub import HubRemote

        return HubRemote(address)
    from .object_store import ObjectStore

    return ObjectStore(address)
