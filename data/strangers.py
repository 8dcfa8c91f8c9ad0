"""What a cache from someone else may not be: a way out of its own folder, or more than it says."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from .errors import LagerError


def refuse_links(folder: Path) -> None:
    """Refuse a cache folder that holds symbolic links, pipes or devices: they lead outside of it.

    Only the folder and those directly in it are looked at: a cache has no others. The folder itself may be reached
    through a link.

    Raises
    ------
    LagerError
        When there is one, or the folder cannot be listed.
    """
    try:
        entries = list(os.scandir(folder))
        for place in [entry.path for entry in entries if entry.is_dir(follow_symlinks=False)]:
            with suppress(FileNotFoundError):  # a worker's folder may be removed at this moment
                entries += os.scandir(place)
    except OSError as error:
        raise LagerError(f"cannot list {folder}: {error.strerror or error}") from None
    for entry in entries:
        plain = entry.is_file(follow_symlinks=False) or entry.is_dir(follow_symlinks=False)
        if not plain and os.path.lexists(entry.path):  # another process may have removed it meanwhile
            raise LagerError(
                f"{entry.path} is a link or no plain file: a cache may not lead outside its own folder; if you trust "
                "it, copy it with its links followed (cp -rL)"
            )


def check_strangers_shards(folder: str | Path) -> None:
    """Check that every shard of a cache is laid out as the manifest and the format say, by its headers alone.

    No checksum is compared and no value read. Reading a shard checks the same again and cannot crash or run away, so
    this is only for telling at once what would be told later.

    Raises
    ------
    LagerError
        Naming the first shard that is not.
    """
    from .manifest import read_manifest
    from .shards import read_shapes

    path = Path(folder)
    manifest = read_manifest(path)
    for entry in manifest["shards"]:
        shapes = read_shapes(path / entry["file"])
        readout = (entry["rows"], manifest["n_entries"], manifest["n_labels"])
        if shapes["logits"] != readout or shapes["logits_normed"] != readout:
            raise LagerError(f"{path / entry['file']}: its read-outs have shape {shapes['logits']}, expected {readout}")
        if other := next((name for name, shape in shapes.items() if shape[:1] != (entry["rows"],)), None):
            raise LagerError(
                f"{path / entry['file']}: {other} has shape {shapes[other]}, expected {entry['rows']} rows"
            )
