"""What people need to know of a cache and no file tells: licence, source, citation, base model."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..cache.manifest import MANIFEST, RUN, read_manifest, sealed
from ..errors import LagerError
from ..files.location import only_folder
from ..files.locks import locked
from ..files.writing import write_json
from ..safe_text import scrubbed_json
from .own_cache import own_run

DESCRIBED = "described"
FIELDS = ("licence", "source", "citation", "base_model")


def describe_cache(path: str | Path, **fields: str | None) -> dict[str, str]:
    """Write what is given into a cache's record and manifest, over what was said before; return all that is said.

    Parameters
    ----------
    path : str or Path
        The cache's folder, complete or not.
    **fields : str
        Some of `FIELDS`; an empty text takes one back. None is as if it were not given.

    Raises
    ------
    LagerError
        When the cache is a copy or is being extracted.
    """
    folder = only_folder(path)
    run = own_run(folder, to="describe it")
    new = {name: text.strip() for name, text in fields.items() if text is not None}
    if unknown := sorted(set(new) - set(FIELDS)):
        raise LagerError(f"{', '.join(unknown)}: expected some of {', '.join(FIELDS)}")
    said = {name: text for name, text in {**described(run), **new}.items() if text}
    with locked(folder):
        manifest = read_manifest(folder) if (folder / MANIFEST).exists() else None
        for name, record in ((RUN, run), (MANIFEST, manifest)):
            if record is not None:
                provenance = {**record["provenance"], DESCRIBED: scrubbed_json(said)}
                rest = {key: value for key, value in record.items() if key != "self_sha256"}
                write_json(folder / name, sealed({**rest, "provenance": provenance}))
    return said


def described(record: dict[str, Any]) -> dict[str, str]:
    """Return what is said in a run record or manifest; others' records may hold anything there."""
    said = record.get("provenance", {}).get(DESCRIBED)
    return {name: str(said[name]) for name in FIELDS if said.get(name)} if isinstance(said, dict) else {}
