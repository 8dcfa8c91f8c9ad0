"""Removing a shared cache: its manifest first, so that what is left in between is no cache."""

from __future__ import annotations

from typing import NamedTuple

from ..cache.manifest import MANIFEST, RUN
from ..errors import LagerError
from .card import CARD, TAG
from .open import open_writable
from .pull import read_remote_manifest
from .push import CARD_LIMIT, CLAIM
from .remote import WritableRemote


class Removed(NamedTuple):
    """What a removal did.

    Attributes
    ----------
    url : str
        Where the cache lay, without credentials.
    n_files : int
        Files that its manifest lists.
    left_out : list of str
        What the copy had left out of the cache it was pushed from, as `lager.data.remote.derived_copy` names it.
    remains : str
        What that kind of place may keep of deleted files, in words; empty where nothing.
    """

    url: str
    n_files: int
    left_out: list[str]
    remains: str


def remove_cache(url: str) -> Removed:
    """Delete a cache that was pushed to a folder or URL: the files that its manifest lists, and the card.

    Raises
    ------
    LagerError
        Where there is no complete cache, or one that an extraction wrote, with its own record.
    """
    from .derived_copy import left_out

    remote = open_writable(url)
    if remote.size(RUN) is not None:
        raise LagerError(
            f"{remote.shown} is a cache of its own, with a {RUN}, and no copy that was pushed: remove its folder "
            "yourself if you mean it"
        )
    manifest = read_remote_manifest(remote)
    names = [entry["file"] for entry in manifest.files]
    remains = remote.delete([MANIFEST, *names, *_own_card(remote), CLAIM])
    return Removed(remote.shown, len(names), left_out(manifest.record), remains)


def _own_card(remote: WritableRemote) -> list[str]:
    """Return the card's name, unless it is a page that somebody else wrote."""
    ours = remote.size(CARD) is not None and TAG.encode() in remote.read(CARD, limit=CARD_LIMIT)
    return [CARD] if ours else []
