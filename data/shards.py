"""Shards: the HDF5 files of a feature cache, written once and read with suspicion."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import h5py
import numpy as np
from numpy.typing import NDArray

from .canonical import canonical_json
from .errors import LagerError
from .files import replacing

CHUNK_ROWS = 1024
# What numeric datasets must look like; the layer and label axes are checked against the manifest.
_DTYPES: dict[str, np.dtype[Any]] = {
    "prompt_sha256": np.dtype("u1"),
    "n_tokens": np.dtype("<i4"),
    "logits": np.dtype("<f4"),
    "logits_normed": np.dtype("<f4"),
    "logsumexp": np.dtype("<f4"),
    "position": np.dtype("<i4"),
    "valid": np.dtype("?"),
}
_STRINGS = ("item_id", "reason")
_PLAIN_FILTERS = {h5py.h5z.FILTER_DEFLATE, h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_FLETCHER32}


@dataclass(frozen=True)
class ShardData:
    """The rows of one shard, in input order.

    Parameters
    ----------
    item_id : list of str
        Ids.
    prompt_sha256 : ndarray of shape (n_rows, 32), uint8
        Hash of the rendered token ids.
    n_tokens : ndarray of shape (n_rows,), int32
        Length of the prompt.
    logits, logits_normed : ndarray of shape (n_rows, n_layers + 1, n_labels), float32
        The two read-outs; NaN in rows that are not valid.
    logsumexp : ndarray of shape (n_rows,), float32
        Over the whole vocabulary, at the final layer.
    position : ndarray of shape (n_rows,), int32
        Index of the read-out token, -1 where there is none.
    valid : ndarray of shape (n_rows,), bool
        Whether the row has a score.
    reason : list of str
        Why not; empty for valid rows.
    """

    item_id: list[str]
    prompt_sha256: NDArray[np.uint8]
    n_tokens: NDArray[np.int32]
    logits: NDArray[np.float32]
    logits_normed: NDArray[np.float32]
    logsumexp: NDArray[np.float32]
    position: NDArray[np.int32]
    valid: NDArray[np.bool_]
    reason: list[str]

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.item_id)

    def check(self) -> None:
        """Raise `ValueError` when the rows are not aligned or a valid row is not finite: a fault of the extractor."""
        n = len(self)
        if any(len(getattr(self, f.name)) != n for f in fields(self)):
            raise ValueError("the datasets of a shard must have one row per item")
        if self.logits.shape != self.logits_normed.shape or self.logits.ndim != 3:
            raise ValueError(f"read-outs have shapes {self.logits.shape} and {self.logits_normed.shape}")
        bad = [i for i, reason in enumerate(self.reason) if bool(reason) == bool(self.valid[i])]
        if bad:
            raise ValueError(f"row {self.item_id[bad[0]]!r}: a reason is given exactly where a row is not valid")
        if not np.isfinite(self.logits[self.valid]).all():
            raise ValueError("a valid row has a read-out that is not finite")


def write_shard(path: Path, data: ShardData, *, attributes: Mapping[str, Any]) -> None:
    """Write a shard under a temporary name, read it back, and let it take its own name.

    Parameters
    ----------
    path : Path
        Final path. It is never opened for writing.
    data : ShardData
        The rows.
    attributes : mapping
        JSON that explains the shard by itself; stored as the file's ``lager`` attribute.

    A shard that has the name already stays as it is.
    """
    data.check()
    with replacing(path, keep_existing=True) as temporary:
        # In memory first: on a full disk the HDF5 library brings the interpreter down, plain writing an OSError.
        with h5py.File(path.name, "w", libver=("earliest", "v110"), driver="core", backing_store=False) as file:
            file.attrs["lager"] = canonical_json(dict(attributes))
            for name in _STRINGS:
                file.create_dataset(name, data=getattr(data, name), dtype=h5py.string_dtype("utf-8"))
            for name, dtype in _DTYPES.items():
                values = np.ascontiguousarray(getattr(data, name), dtype=dtype)
                chunks = (min(max(len(data), 1), CHUNK_ROWS), *values.shape[1:])
                file.create_dataset(
                    name, data=values, chunks=chunks, compression="gzip", compression_opts=4, shuffle=True,
                    fletcher32=True,
                )  # fmt: skip
            file.flush()
            image = file.id.get_file_image()
        temporary.write_bytes(image)
        if row_digests(read_shard(temporary)) != row_digests(data):
            raise LagerError(f"{path}: what was read back differs from what was written; check the disk")


def read_attributes(path: Path) -> dict[str, Any]:
    """Return the JSON that a shard carries about itself."""
    import json

    try:
        with _opened(path) as file:
            value = json.loads(file.attrs["lager"])
    except (OSError, KeyError, ValueError, TypeError, RecursionError):
        raise LagerError(f"{path} is not a shard of a feature cache, or it is damaged") from None
    if not isinstance(value, dict):
        raise LagerError(f"{path}: its attribute `lager` is not a JSON object")
    return value


def read_shard(path: Path) -> ShardData:
    """Read a whole shard.

    Raises
    ------
    LagerError
        When the file is damaged or holds anything but plain, row-aligned datasets.
    """
    names = [f.name for f in fields(ShardData)]
    columns = read_columns(path, names)
    return ShardData(**columns)


def read_columns(path: Path, names: list[str], *, rows: int | None = None) -> dict[str, Any]:
    """Read some datasets of a shard.

    Parameters
    ----------
    path : Path
        The shard.
    names : list of str
        Datasets to read.
    rows : int, optional
        The number of rows to expect; the shard's own ids decide when None.

    Returns
    -------
    dict
        Name to list of str, or to ndarray.

    Raises
    ------
    LagerError
        When the file is damaged, a dataset is missing, of another type, or stored elsewhere (links, virtual or
        external datasets), or its length differs.
    """
    try:
        with _opened(path) as file:
            expected = rows if rows is not None else _dataset(file, "item_id").shape[0]
            return {name: _read(_dataset(file, name), name, expected) for name in names}
    except (OSError, RuntimeError, ValueError, KeyError, TypeError, UnicodeDecodeError) as error:
        raise LagerError(
            f"{path} cannot be read ({error}): it is damaged; restore it from a copy, or remove it and run the same "
            "extraction again"
        ) from None


def _opened(path: Path) -> h5py.File:
    # Locking is off: shards are never changed in place, and network file systems often refuse locks.
    return h5py.File(path, "r", locking=False)


def _dataset(file: h5py.File, name: str) -> h5py.Dataset:
    if not isinstance(file.get(name, getlink=True), h5py.HardLink) or not isinstance(file[name], h5py.Dataset):
        raise ValueError(f"dataset {name!r} is missing or lies in another file")
    dataset = file[name]
    plan = dataset.id.get_create_plist()
    filters = {plan.get_filter(i)[0] for i in range(plan.get_nfilters())}
    if dataset.is_virtual or dataset.external or not filters <= _PLAIN_FILTERS:
        raise ValueError(f"dataset {name!r} is virtual, external or uses an unknown filter")
    return dataset


def _read(dataset: h5py.Dataset, name: str, rows: int) -> Any:
    if not dataset.shape or dataset.shape[0] != rows:
        raise ValueError(f"dataset {name!r} has shape {dataset.shape}, expected {rows} rows")
    if dataset.nbytes > max(1 << 20, 4096 * dataset.id.get_storage_size()):
        raise ValueError(f"dataset {name!r} claims {dataset.nbytes} bytes and stores {dataset.id.get_storage_size()}")
    if name in _STRINGS:
        if h5py.check_string_dtype(dataset.dtype) is None:
            raise ValueError(f"dataset {name!r} does not hold text")
        return [value.decode("utf-8") for value in dataset[()]]
    if dataset.dtype != _DTYPES[name]:
        raise ValueError(f"dataset {name!r} has type {dataset.dtype}, expected {_DTYPES[name]}")
    return dataset[()]


def row_digests(data: ShardData) -> list[bytes]:
    """Return a sha256 of each row's decoded values, in row order.

    It covers the bytes of item_id and reason (each preceded by its length as 8 bytes) and of every numeric dataset,
    little-endian, in the order of their names, so it does not depend on chunks, compression or library versions.
    NaN is written in its canonical form.
    """
    parts = []
    for name in sorted(_DTYPES):
        values = np.array(getattr(data, name), dtype=_DTYPES[name])
        if values.dtype.kind == "f":
            values[np.isnan(values)] = np.nan
        parts.append(values.reshape(len(data), -1).view(np.uint8).reshape(len(data), -1))
    matrix = np.ascontiguousarray(np.concatenate(parts, axis=1))
    digests = []
    for i in range(len(data)):
        digest = hashlib.sha256()
        for text in (data.item_id[i].encode(), data.reason[i].encode()):
            digest.update(len(text).to_bytes(8, "little") + text)
        digest.update(matrix[i].tobytes())
        digests.append(digest.digest())
    return digests
