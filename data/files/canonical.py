"""Canonical JSON and hashes: the same content gives the same bytes on every machine."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

from ..errors import LagerError

_BLOCK = 1 << 20


def canonical_json(value: Any) -> str:
    """Return JSON with sorted keys, no spaces and no NaN, so that equal values are equal text."""
    return json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False)


def sha256_json(value: Any) -> str:
    """Return the hex sha256 of `canonical_json`."""
    return hashlib.sha256(canonical_json(value).encode()).hexdigest()


def sha256_file(path: Path) -> str:
    """Return the hex sha256 of a file's bytes, read in blocks."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(_BLOCK):
            digest.update(block)
    return digest.hexdigest()


def seal(record: dict[str, Any]) -> dict[str, Any]:
    """Return the record with ``self_sha256``, the hash of everything else in it."""
    body = {key: value for key, value in record.items() if key != "self_sha256"}
    return {**body, "self_sha256": sha256_json(body)}


def check_seal(record: dict[str, Any], path: Path) -> None:
    """Raise `LagerError` when a sealed record was changed after it was written."""
    if seal(record)["self_sha256"] != record.get("self_sha256"):
        raise LagerError(
            f"{path}: its content does not match its own checksum, so it was damaged or edited; restore the file, "
            "or run the extraction again into another folder"
        )
