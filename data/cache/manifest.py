"""The manifest: what a complete cache holds. It is written last, and checked before it is used."""

from __future__ import annotations

import hashlib
import os
import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from types import UnionType
from typing import Any

from ..errors import LagerError
from ..files.canonical import check_seal, seal, sha256_file, sha256_json
from ..files.location import only_folder
from ..files.writing import read_json
from ..scale import Scale

FORMAT = "lager-cache"
FORMAT_VERSION = 1
MANIFEST = "manifest.json"
RUN = "run.json"
#: In run.json alone: what was found of a model's passes.
PASS_LIMITS = "pass_limits"
ITEMS = "items.parquet"
SHARDS = "shards"
_SHARD_NAME = re.compile(r"shards/\d{5,9}\.h5\Z")
_INPUT_KINDS = {"condition": dict, "scale": dict, "prompt": dict, "hidden": list}
_MOST_SHARDS = 1_000_000


def shard_name(number: int) -> str:
    """Return the path of shard `number` inside a cache."""
    return f"{SHARDS}/{number:05d}.h5"


def file_entry(path: Path, *, name: str, rows: int) -> dict[str, Any]:
    """Return what a manifest says of one of its files."""
    return {"file": name, "rows": rows, "sha256": sha256_file(path), "bytes": path.stat().st_size}


def identity_record(identity: Mapping[str, Any]) -> dict[str, Any]:
    """Return the part of an identity that run, shards and manifest share.

    `fingerprint` hashes how a prompt is read (``inputs``); `readout_id` hashes what an aggregator depends on
    (``readout_inputs``); ``recorded`` is kept and not hashed.
    """
    return {
        "format": FORMAT,
        "format_version": FORMAT_VERSION,
        "fingerprint": sha256_json(identity["inputs"]),
        "fingerprint_inputs": identity["inputs"],
        "readout_id": sha256_json(identity["readout_inputs"]),
        "readout_inputs": identity["readout_inputs"],
        "scale": identity["scale"],
        "recorded": identity["recorded"],
    }


def items_hash(item_id: Iterable[str], prompt_sha256: Iterable[bytes]) -> str:
    """Return the hash of the sorted (item id, prompt hash) pairs: which items were read, in no order."""
    pairs = sorted((i, p.hex()) for i, p in zip(item_id, prompt_sha256, strict=True))
    return sha256_json([list(pair) for pair in pairs])


def content_hash(item_id: Iterable[str], digests: Iterable[bytes]) -> str:
    """Return the hash of all decoded rows in the order of their ids; see `lager.data.cache.shards.row_digests`."""
    total = hashlib.sha256()
    for _, digest in sorted(zip(item_id, digests, strict=True)):
        total.update(digest)
    return total.hexdigest()


def read_sealed(path: Path, *, what: str) -> dict[str, Any]:
    """Read a sealed JSON file of a cache; check its format, its checksum and the fields that all such files have."""
    if path.exists():
        refuse_links(path.parent)
    record = read_json(path, what=what, exact=True)
    version = record.get("format_version")
    if record.get("format") != FORMAT or type(version) is not int or version < 1:
        raise LagerError(f"{path} is not the {what} of a feature cache")
    if version > FORMAT_VERSION:
        raise LagerError(
            f"{path} has format version {version}, this lager reads up to {FORMAT_VERSION}: install a newer lager"
        )
    check_seal(record, path)
    with _malformed(path):
        _check_identity(record)
    return record


def read_run(folder: Path) -> dict[str, Any]:
    """Read and check the record of a cache's run; a `LagerError` when it is missing or not sound."""
    path = folder / RUN
    run = read_sealed(path, what="run record")
    with _malformed(path):
        shards = -(-run["n_items"] // run["shard_size"])
        if not isinstance(run["item_ids_sha256"], str) or shards > _MOST_SHARDS:
            raise ValueError(f"it plans {shards} shards, or item_ids_sha256 is of another type")
        bytes.fromhex(run["salt"])
    return run


def read_manifest(folder: Path) -> dict[str, Any]:
    """Read and check the manifest of a complete cache."""
    path = folder / MANIFEST
    if not path.exists():
        if (folder / RUN).exists():
            raise LagerError(
                f"cache {folder} is not complete: its extraction was interrupted or is still running; run the same "
                "`lager extract` command again to finish it"
            )
        only_folder(folder)
        raise LagerError(f"{folder} is not a feature cache: it has no {MANIFEST}; make one with `lager extract`")
    manifest = read_sealed(path, what="manifest")
    with _malformed(path):
        _check_files(manifest)
    return manifest


@contextmanager
def _malformed(path: Path) -> Iterator[None]:
    """Turn an error in checking a record into a `LagerError` that names its file."""
    try:
        yield
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise LagerError(f"{path} is malformed ({error}); restore it from a copy") from None


def _check_identity(record: dict[str, Any]) -> None:
    """Check the fields that `identity_record` and the plan wrote, so that other code can rely on them."""
    for name, inputs in (("fingerprint", "fingerprint_inputs"), ("readout_id", "readout_inputs")):
        if not isinstance(record[inputs], dict) or record[name] != sha256_json(record[inputs]):
            raise ValueError(f"{name} is not the hash of {inputs}")
    check_kinds(record["fingerprint_inputs"], _INPUT_KINDS, what="fingerprint_inputs")
    check_kinds(record, {"recorded": dict, "options": dict, "provenance": dict}, what="the record")
    _check_provenance(record.get("provenance", {}))
    check_kinds(record["recorded"], {"batch_tokens": int}, what="recorded")
    Scale.from_json(record["scale"])
    if type(record["private"]) is not bool:
        raise ValueError("private is neither true nor false")
    if any(type(record[name]) is not int or record[name] < 1 for name in ("n_items", "shard_size")):
        raise ValueError("n_items or shard_size is not a number above 0")


def check_kinds(record: Mapping[str, Any], kinds: Mapping[str, type | UnionType], *, what: str) -> None:
    """Raise `ValueError` when a value of a record has the wrong type; values that are missing are not checked."""
    for name, kind in kinds.items():
        if name in record and not isinstance(record[name], kind):
            raise ValueError(f"{name} in {what} is a {type(record[name]).__name__}")


def _check_provenance(provenance: Mapping[str, Any]) -> None:
    check_kinds(provenance, {"source": dict, "merged": list, "runs": list}, what="provenance")
    check_kinds(provenance.get("source", {}), {"file": str, "benchmark": str}, what="source")
    for part in provenance.get("merged", []):
        _check_provenance(part["provenance"])
    if not all(isinstance(run, dict) for run in provenance.get("runs", [])):
        raise ValueError("a run in provenance is no object")


def _check_files(manifest: dict[str, Any]) -> None:
    """Check the names, types and counts of the files that a manifest lists."""
    if not all(isinstance(manifest[name], str) for name in ("items_hash", "content_hash")):
        raise ValueError("items_hash or content_hash is not text")
    if "provenance" not in manifest:
        raise ValueError("it has no provenance")
    n_entries, n_labels = manifest["n_entries"], manifest["n_labels"]
    if type(n_entries) is not int or n_entries < 1 or n_labels != len(manifest["scale"]["labels"]):
        raise ValueError("n_entries or n_labels does not fit")
    if manifest["items"]["file"] != ITEMS:
        raise ValueError(f"items file is not {ITEMS}")
    names = [shard["file"] for shard in manifest["shards"]]
    if not names or len(set(names)) != len(names):
        raise ValueError("shard names are missing or not distinct")
    if not all(isinstance(name, str) and _SHARD_NAME.match(name) for name in names):
        raise ValueError("a shard's name is not one inside the cache")
    for entry in (manifest["items"], *manifest["shards"]):
        if type(entry["rows"]) is not int or entry["rows"] < 0 or not isinstance(entry["sha256"], str):
            raise ValueError(f"rows or sha256 of {entry['file']} is of another type")
        if type(entry.get("bytes", 0)) is not int or entry.get("bytes", 0) < 0:  # older caches do not say
            raise ValueError(f"the size of {entry['file']} is not a number of bytes")
    if sum(entry["rows"] for entry in manifest["shards"]) != manifest["items"]["rows"]:
        raise ValueError("the rows of the shards do not add up to the rows of the items")


def sealed(record: Mapping[str, Any]) -> dict[str, Any]:
    """Return a record ready to be written."""
    return seal(dict(record))


def differing(mine: Mapping[str, Any], theirs: Mapping[str, Any], *, prefix: str = "") -> list[str]:
    """Return the names, dotted where nested, under which two records of fingerprint inputs differ."""
    names: list[str] = []
    for key in sorted({*mine, *theirs}):
        a, b = mine.get(key), theirs.get(key)
        if isinstance(a, dict) and isinstance(b, dict):
            names += differing(a, b, prefix=f"{prefix}{key}.")
        elif a != b:
            names.append(f"{prefix}{key}")
    return names


def refuse_links(folder: Path) -> None:
    """Raise `LagerError` when a cache folder holds symbolic links, pipes or devices: they lead outside of it.

    A cache has folders one level deep, so no others are searched. The cache's folder itself may be a link.
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
                f"{entry.path} is a link or no plain file, and a cache must hold its files itself; if you trust "
                "it, copy it with its links followed (cp -rL)"
            )
