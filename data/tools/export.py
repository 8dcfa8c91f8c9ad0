"""A cache in formats that other tools read: safetensors or NumPy arrays, with the items as Parquet."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import ExitStack
from pathlib import Path
from typing import Any, BinaryIO, Literal, NamedTuple, get_args

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..cache.feature_cache import FeatureCache
from ..cache.manifest import ITEMS
from ..cache.shards import ShardData
from ..errors import LagerError
from ..files.canonical import canonical_json
from ..files.writing import new_folder, write_json

ExportFormat = Literal["safetensors", "numpy"]
FORMATS: tuple[str, ...] = get_args(ExportFormat)
ABOUT = "cache.json"
READOUTS = "readouts.safetensors"
_SAFETENSORS_TYPES = {"|u1": "U8", "|b1": "BOOL", "<i4": "I32", "<f4": "F32", "<f2": "F16"}
# What the manifest says of the cache's own files.
_OF_FILES = ("format", "format_version", "shards", "items", "self_sha256", "shard_size", "options")


class _Array(NamedTuple):
    """Where an array goes; not mapped into memory, as a full disk would end the process then."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any]
    file: BinaryIO
    offset: int

    def write(self, start: int, rows: NDArray[Any]) -> None:
        if rows.shape[1:] != self.shape[1:]:
            raise LagerError(f"rows of shape {rows.shape[1:]} among rows of {self.shape[1:]}: verify the cache")
        data = np.ascontiguousarray(rows, dtype=self.dtype)
        self.file.seek(self.offset + start * (data.nbytes // max(len(data), 1)))
        self.file.write(data.tobytes())


def export_cache(cache: FeatureCache, *, out: str | Path, file_format: ExportFormat) -> Path:
    """Write what a cache holds into a new folder, a shard at a time.

    ``items.parquet`` has the item table, with the rows' ``valid`` and ``reason``; ``cache.json`` what the manifest
    says, and the arrays' shapes. The arrays, one row an item in the order of the table, are in
    ``readouts.safetensors``, or in one ``NAME.npy`` each, which `numpy.load` maps with ``mmap_mode="r"``.
    """
    out = Path(out)
    if file_format not in FORMATS:
        raise LagerError(f"export format {file_format!r}: expected {' or '.join(FORMATS)}")
    about = {name: value for name, value in cache.manifest.items() if name not in _OF_FILES}
    like = {
        name: ((cache.n_items, *values.shape[1:]), values.dtype.newbyteorder("<"))
        for name, values in _numeric(cache.read_shard(0)).items()
    }
    valid: list[bool] = []
    reason: list[str] = []
    with new_folder(out, what="export") as folder, ExitStack() as files:
        make = _safetensors_file if file_format == "safetensors" else _numpy_files
        arrays = make(folder, like, about, files)
        for number in range(len(cache.manifest["shards"])):
            data = cache.read_shard(number)
            rows = _numeric(data)
            if rows.keys() != arrays.keys():
                raise LagerError(f"cache {cache.path}: its shards hold different datasets; verify it")
            for name, values in rows.items():
                arrays[name].write(len(valid), values)
            valid += data.valid.tolist()
            reason += data.reason
        table = cache.items.with_columns(pl.Series("valid", valid), pl.Series("reason", reason))
        table.write_parquet(folder / ITEMS)
        shapes = {name: {"shape": list(shape), "dtype": dtype.name} for name, (shape, dtype) in like.items()}
        write_json(folder / ABOUT, {**about, "arrays": shapes}, indent=2)
    return out


def _numeric(data: ShardData) -> dict[str, NDArray[Any]]:
    return {name: values for name, values in sorted(data.datasets().items()) if not isinstance(values, list)}


_Like = Mapping[str, tuple[tuple[int, ...], np.dtype[Any]]]


def _numpy_files(folder: Path, like: _Like, about: Mapping[str, Any], files: ExitStack) -> dict[str, _Array]:
    """Begin one file an array, with NumPy's header."""
    arrays = {}
    for name, (shape, dtype) in like.items():
        file = files.enter_context((folder / f"{name}.npy").open("wb"))
        header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
        np.lib.format.write_array_header_1_0(file, header)
        arrays[name] = _Array(shape, dtype, file, file.tell())
    return arrays


def _safetensors_file(folder: Path, like: _Like, about: Mapping[str, Any], files: ExitStack) -> dict[str, _Array]:
    """Begin one file: the header's length (8 bytes, little-endian), the header, then the arrays.

    The library for that format takes whole arrays; here they come shard by shard.
    """
    told = {name: value if isinstance(value, str) else canonical_json(value) for name, value in about.items()}
    header: dict[str, Any] = {"__metadata__": told}
    end = 0
    for name, (shape, dtype) in like.items():
        start, end = end, end + int(np.prod(shape, dtype=np.int64)) * dtype.itemsize
        header[name] = {"dtype": _SAFETENSORS_TYPES[dtype.str], "shape": list(shape), "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 64)  # arrays begin at a multiple of their items' size
    file = files.enter_context((folder / READOUTS).open("wb"))
    file.write(len(text).to_bytes(8, "little") + text)
    first = file.tell()
    return {
        name: _Array(shape, dtype, file, first + header[name]["data_offsets"][0])
        for name, (shape, dtype) in like.items()
    }
