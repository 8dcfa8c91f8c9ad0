"""Shards: the HDF5 files of a feature cache, written once and read with suspicion."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ..errors import LagerError
from ..files.canonical import canonical_json
from ..files.json_text import parse_json
from ..files.writing import replacing
from .plain_hdf5 import PlainHDF5

CHUNK_ROWS = 1024
_CHUNK_BYTES = 4 << 20
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
STRINGS = ("item_id", "reason", "item", "generated")
# Datasets that only some caches have: pooled hidden states with their scales, the rows of the item table as JSON, and
# what the judge wrote.
_OPTIONAL: dict[str, np.dtype[Any]] = {
    r"hidden_scale_(mean|last|min|max)": np.dtype("<f4"),
    r"hidden_(mean|last|min|max)": np.dtype("<f2"),
    "label_form": np.dtype("u1"),
    "item|generated": np.dtype("O"),
}


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
    optional : dict
        Datasets that only some caches have, by name: ``hidden_POOLING`` (n_rows, n_layers + 1, d), float16, and
        ``hidden_scale_POOLING`` (n_rows, n_layers + 1), float32, NaN in rows that are not valid; ``label_form``
        (n_rows,), uint8; ``item`` and ``generated``, lists of str.
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
    optional: dict[str, Any] = field(default_factory=dict)

    def __len__(self) -> int:
        """Return the number of rows."""
        return len(self.item_id)

    def check(self) -> None:
        """Raise `ValueError` when the rows are not aligned or a valid row is not finite: a fault of the extractor."""
        n = len(self)
        if any(len(values) != n for values in self.datasets().values()):
            raise ValueError("the datasets of a shard must have one row per item")
        if self.logits.shape != self.logits_normed.shape or self.logits.ndim != 3:
            raise ValueError(f"read-outs have shapes {self.logits.shape} and {self.logits_normed.shape}")
        bad = [i for i, reason in enumerate(self.reason) if bool(reason) == bool(self.valid[i])]
        if bad:
            raise ValueError(f"row {self.item_id[bad[0]]!r}: a reason is given exactly where a row is not valid")
        if not np.isfinite(self.logits[self.valid]).all():
            raise ValueError("a valid row has a read-out that is not finite")
        for name, values in self.optional.items():
            if _dtype(name).kind == "f" and not np.isfinite(np.asarray(values)[self.valid]).all():
                raise ValueError(f"a valid row has values of {name} that are not finite")

    def datasets(self) -> dict[str, Any]:
        """Return every dataset by name, the optional ones included."""
        return {f.name: getattr(self, f.name) for f in fields(self) if f.name != "optional"} | self.optional


#: The datasets that every shard has.
REQUIRED = tuple(f.name for f in fields(ShardData) if f.name != "optional")


def prompt_keys(prompt_sha256: NDArray[np.uint8]) -> NDArray[np.uint64]:
    """Return the first 8 bytes of each prompt's hash as a number, big-endian; ndarray of shape (n_rows,).

    Parameters
    ----------
    prompt_sha256 : ndarray of shape (n_rows, 32)
    """
    return np.ascontiguousarray(prompt_sha256[:, :8]).view(">u8")[:, 0].astype(np.uint64)


def _dtype(name: str) -> np.dtype[Any]:
    """Return what a numeric dataset is stored as, and ``object`` for text."""
    if name in _DTYPES or name in STRINGS:
        return _DTYPES.get(name, np.dtype("O"))
    for pattern, dtype in _OPTIONAL.items():
        if re.fullmatch(pattern, name):
            return dtype
    raise ValueError(f"{name!r} is no dataset of a shard")


def write_shard(path: Path, data: ShardData, *, attributes: Mapping[str, Any], keep_existing: bool = True) -> None:
    """Write a shard under a temporary name, read it back, and let it take its own name."""
    import h5py  # only writing needs it

    data.check()
    with replacing(path, keep_existing=keep_existing, parents=False) as temporary:
        # In memory first: on a full disk the HDF5 library brings the interpreter down, plain writing an OSError.
        with h5py.File(path.name, "w", libver=("earliest", "v110"), driver="core", backing_store=False) as file:
            file.attrs["lager"] = canonical_json(dict(attributes))
            for name, column in data.datasets().items():
                if name in STRINGS:
                    file.create_dataset(name, data=column, dtype=h5py.string_dtype("utf-8"))
                    continue
                values = np.ascontiguousarray(column, dtype=_dtype(name))
                # The low bits of hidden states hardly compress: a higher level costs time and gains nothing.
                file.create_dataset(
                    name, data=values, chunks=_chunks(values), compression="gzip", shuffle=True, fletcher32=True,
                    compression_opts=1 if name.startswith("hidden_") else 4,
                )  # fmt: skip
            file.flush()
            image = file.id.get_file_image()
        temporary.write_bytes(image)
        written = read_shard(temporary)
        texts = [name for name in STRINGS if name in data.optional]
        same = all(written.optional[name] == list(data.optional[name]) for name in texts)
        if not same or row_digests(written) != row_digests(data):
            raise LagerError(f"{path}: what was read back differs from what was written; check the disk")


def _chunks(values: NDArray[Any]) -> tuple[int, ...]:
    """Return whole rows, as many as `CHUNK_ROWS` and `_CHUNK_BYTES` allow."""
    row_bytes = max(values[:1].nbytes, 1)
    return (max(1, min(len(values), CHUNK_ROWS, _CHUNK_BYTES // row_bytes)), *values.shape[1:])


def read_attributes(path: Path) -> dict[str, Any]:
    """Return the JSON that a shard carries about itself."""
    try:
        with PlainHDF5(path) as file:
            value = parse_json(file.attribute("lager"), exact=True)
    except (OSError, ValueError):
        raise LagerError(f"{path} is not a shard of a feature cache, or it is damaged") from None
    if not isinstance(value, dict):
        raise LagerError(f"{path}: its attribute `lager` is not a JSON object")
    return value


def read_shard(path: Path) -> ShardData:
    """Read a whole shard; a `LagerError` when the file is damaged or holds anything but plain, row-aligned datasets."""
    columns = read_columns(path, list(REQUIRED))
    return ShardData(**columns, optional=read_columns(path, optional_names(path), rows=len(columns["item_id"])))


def optional_names(path: Path) -> list[str]:
    """Return the names of the optional datasets that a shard has."""
    try:
        with PlainHDF5(path) as file:
            return sorted(name for name in file.names if any(re.fullmatch(pattern, name) for pattern in _OPTIONAL))
    except (OSError, ValueError) as error:
        raise LagerError(f"{path} cannot be read ({error}): it is damaged; restore it from a copy") from None


def read_shapes(path: Path) -> dict[str, tuple[int, ...]]:
    """Return the shapes of all datasets that a shard must have and those of the optional ones that it has."""
    optional = optional_names(path)
    try:
        with PlainHDF5(path) as file:
            return {name: file.shape(name) for name in (*REQUIRED, *optional)}
    except (OSError, ValueError) as error:
        raise LagerError(f"{path} cannot be read ({error}): it is damaged; restore it from a copy") from None


def claimed_bytes(path: Path) -> int:
    """Return how many bytes a shard claims to hold, from its headers alone."""
    try:
        with PlainHDF5(path) as file:
            return file.claimed_bytes()
    except (OSError, ValueError) as error:
        raise LagerError(f"{path} cannot be read ({error}): it is damaged; restore it from a copy") from None


def read_columns(path: Path, names: list[str], *, rows: int | None = None, part: range | None = None) -> dict[str, Any]:
    """Read some datasets of a shard."""
    try:
        with PlainHDF5(path) as file:
            expected = rows if rows is not None else file.shape("item_id")[0]
            return {name: _read(file, name, expected, part) for name in names}
    except (OSError, ValueError, IndexError, MemoryError) as error:
        raise LagerError(
            f"{path} cannot be read ({error}): it is damaged; restore it from a copy, or remove it and run the same "
            "extraction again"
        ) from None


def _read(file: PlainHDF5, name: str, rows: int, part: range | None) -> Any:
    shape = file.shape(name)
    if not shape or shape[0] != rows:
        raise ValueError(f"dataset {name!r} has shape {shape}, expected {rows} rows")
    values = file.read(name, part)
    if isinstance(values, list) != (name in STRINGS):
        raise ValueError(f"dataset {name!r} {'holds' if isinstance(values, list) else 'does not hold'} text")
    if not isinstance(values, list) and values.dtype != _dtype(name):
        raise ValueError(f"dataset {name!r} has type {values.dtype}, expected {_dtype(name)}")
    return values


def row_digests(data: ShardData) -> list[bytes]:
    """Return a sha256 of each row's decoded values, in row order.

    It covers the bytes of item_id and reason (each preceded by its length as 8 bytes) and of every numeric dataset,
    little-endian, in the order of their names, so it does not depend on chunks, compression or library versions.
    NaN is written in its canonical form. Item rows and generated text are not covered: labels may change, and text is
    kept or left out at will.
    """
    parts = []
    datasets = data.datasets()
    for name in sorted(name for name in datasets if name not in STRINGS):
        values = np.array(datasets[name], dtype=_dtype(name))
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
