"""A strict reader of the plain HDF5 that shards are written in.

The HDF5 library trusts what it opens: a file with a few wrong bytes can hang it or bring the interpreter down. This
reader knows only the oldest structures of the format (superblock 0, symbol-table groups, version-1 object headers and
B-trees), which is what shards consist of, and checks every address and size against the file before it follows or
allocates anything. All else, links and virtual or external datasets included, it has no code for and refuses. It takes
no file locks. The structures are those of the HDF5 File Format Specification, version 3.0.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ..files.bounds import most_bytes
from .chunk_filters import decode, parse_filters

_SIGNATURE = b"\x89HDF\r\n\x1a\n"
_NIL, _DATASPACE, _DATATYPE, _FILL_OLD, _FILL, _LAYOUT, _FILTERS, _ATTRIBUTE = 0, 1, 3, 4, 5, 8, 11, 12
_CONTINUATION, _SYMBOL_TABLE, _MODIFIED = 16, 17, 18
_MESSAGES = {
    _NIL, _DATASPACE, _DATATYPE, _FILL_OLD, _FILL, _LAYOUT, _FILTERS, _ATTRIBUTE, _CONTINUATION, _SYMBOL_TABLE,
    _MODIFIED,
}  # fmt: skip
_MOST_HEADER_BYTES = 1 << 16
_MOST_RANK = 8
_MOST_NAMES, _LONGEST_NAME = 256, 256
# A datatype is taken when its description has exactly these bytes.
_TEXT = bytes.fromhex("1901010010000000100000000100000000000800")
_DTYPES = {
    bytes.fromhex(description): np.dtype(name)
    for name, description in {
        "<f2": "11200f0002000000000010000a05000a0f00000000000000",
        "<f4": "11201f000400000000002000170800177f00000000000000",
        "<f8": "11203f000800000000004000340b0034ff03000000000000",
        "u1": "10000000010000000000080000000000",
        "<u2": "10000000020000000000100000000000",
        "<u4": "10000000040000000000200000000000",
        "<u8": "10000000080000000000400000000000",
        "i1": "10080000010000000000080000000000",
        "<i2": "10080000020000000000100000000000",
        "<i4": "10080000040000000000200000000000",
        "<i8": "10080000080000000000400000000000",
        "?": "180200000100000010080000010000000000080046414c5345000000545255450000000000010000",
    }.items()
}
_HEAP_OBJECT = struct.Struct("<H6xQ")
_REFERENCE = np.dtype([("length", "<u4"), ("heap", "<u8"), ("index", "<u4")])


class _Chunk(NamedTuple):
    """Where a chunk is stored, and the filters that were left out of it."""

    address: int
    size: int
    mask: int


class _Dataset(NamedTuple):
    """What the header of a dataset says; `dtype` is None for text."""

    shape: tuple[int, ...]
    dtype: np.dtype[Any] | None
    layout: bytes
    filters: tuple[int, ...]


class PlainHDF5:
    """A plain HDF5 file, open for reading; use it in a ``with``.

    Everything here raises `ValueError` when the file is not plain HDF5 or is damaged, and `OSError` when it cannot be
    read.

    Parameters
    ----------
    path : Path
        The file.
    """

    def __init__(self, path: Path) -> None:
        self._file = path.open("rb")
        self._size = self._file.seek(0, 2)

    def __enter__(self) -> PlainHDF5:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close the file."""
        self._file.close()

    @cached_property
    def names(self) -> dict[str, int]:
        """The datasets of the root group, by name, with the addresses of their headers."""
        tree, heap = _numbers(_one(self._root, _SYMBOL_TABLE), 8, 8)
        signature, _, heap_size, _, heap_data = _numbers(self._bytes(heap, 32), 4, 4, 8, 8, 8)
        if signature != int.from_bytes(b"HEAP", "little"):
            raise ValueError("the names of its datasets are not where they should be")
        text = self._bytes(heap_data, heap_size)
        names: dict[str, int] = {}
        for node, *_ in self._leaves(tree, kind=0, key=8):
            signature, _, count = _numbers(self._bytes(node, 8), 4, 2, 2)
            if signature != int.from_bytes(b"SNOD", "little"):
                raise ValueError("the list of its datasets is damaged")
            entries = self._bytes(node + 8, 40 * count)
            for at in range(0, len(entries), 40):
                start, header, cached = _numbers(entries[at : at + 20], 8, 8, 4)
                name = text[start : text.index(b"\0", start, start + _LONGEST_NAME)].decode("utf-8")
                if not name or name in names or cached > 1 or len(names) == _MOST_NAMES:
                    raise ValueError(f"the name {name!r} is empty, doubled, a link or one of too many")
                names[name] = header
        return names

    def attribute(self, name: str) -> str:
        """Return a text attribute of the file."""
        wanted = name.encode() + b"\0"
        for body in self._root.get(_ATTRIBUTE, []):
            version, _, name_size, type_size, space_size = _numbers(body[:8], 1, 1, 2, 2, 2)
            at = 8 + _padded(name_size)
            if version == 1 and body[8 : 8 + name_size] == wanted:
                if body[at : at + type_size] != _TEXT or _shape(body[at + _padded(type_size) :][:space_size]) != ():
                    raise ValueError(f"attribute {name!r} is not one text")
                at += _padded(type_size) + _padded(space_size)
                return self._texts(body[at : at + _REFERENCE.itemsize])[0]
        raise ValueError(f"it has no attribute {name!r}")

    def shape(self, name: str) -> tuple[int, ...]:
        """Return the shape of a dataset."""
        return self._dataset(name).shape

    def claimed_bytes(self) -> int:
        """Return how many bytes all datasets claim to hold, from their headers alone; a text counts as its place."""
        found = [self._dataset(name) for name in self.names]
        return sum(_product(one.shape) * (one.dtype or _REFERENCE).itemsize for one in found)

    def read(self, name: str, rows: range | None = None) -> NDArray[Any] | list[str]:
        """Return a dataset, or a range of its rows; text as a list of str."""
        dataset = self._dataset(name)
        if not dataset.shape or dataset.shape[0] < 1:
            raise ValueError(f"dataset {name!r} has shape {dataset.shape}, expected rows")
        rows = range(dataset.shape[0]) if rows is None else rows
        if not 0 <= rows.start <= rows.stop <= dataset.shape[0] or rows.step != 1:
            raise ValueError(f"dataset {name!r} has {dataset.shape[0]} rows, not {rows.start} to {rows.stop}")
        kind = dataset.layout[1:2]
        if dataset.layout[:1] != b"\x03" or kind not in {b"\x01", b"\x02"}:
            raise ValueError(f"dataset {name!r} is virtual, or stored in a way that shards are not")
        if kind == b"\x01":
            return self._read_contiguous(dataset, rows)
        return self._read_chunked(name, dataset, rows)

    def _read_contiguous(self, dataset: _Dataset, rows: range) -> NDArray[Any] | list[str]:
        dtype = _REFERENCE if dataset.dtype is None else dataset.dtype
        row_bytes = dtype.itemsize * _product(dataset.shape[1:])
        address, size = _numbers(dataset.layout[2:18], 8, 8)
        if dataset.filters or size != row_bytes * dataset.shape[0] or address + size > self._size:
            raise ValueError(f"a dataset of shape {dataset.shape} claims {size} bytes at {address}")
        data = self._bytes(address + rows.start * row_bytes, len(rows) * row_bytes)
        if dataset.dtype is not None:
            return _checked(np.frombuffer(bytearray(data), dtype).reshape(len(rows), *dataset.shape[1:]))
        if len(dataset.shape) > 1:
            raise ValueError(f"text of shape {dataset.shape}")
        return self._texts(data)

    def _read_chunked(self, name: str, dataset: _Dataset, rows: range) -> NDArray[Any]:
        """Read the chunks that hold the rows; a chunk is a number of whole rows."""
        if dataset.dtype is None:
            raise ValueError("text in chunks")
        rank, tree = _numbers(dataset.layout[2:11], 1, 8)
        *lengths, item_bytes = _numbers(dataset.layout[11 : 11 + 4 * rank], *[4] * rank)
        if tuple(lengths[1:]) != dataset.shape[1:] or lengths[0] < 1 or item_bytes != dataset.dtype.itemsize:
            raise ValueError(f"chunks of shape {lengths} do not hold whole rows of shape {dataset.shape[1:]}")
        step, row_bytes = lengths[0], item_bytes * _product(dataset.shape[1:])
        chunks = self._chunks(tree, rank, step=step, count=-(-dataset.shape[0] // step))
        stored = sum(chunk.size for chunk in chunks)
        if (claimed := step * row_bytes * len(chunks)) > most_bytes(stored):
            raise ValueError(f"dataset {name!r} claims {claimed} bytes and stores {stored}")
        values: NDArray[Any] = np.empty((len(rows), *dataset.shape[1:]), dataset.dtype)
        for number in range(rows.start // step, -(-rows.stop // step)):
            stored_bytes = self._bytes(chunks[number].address, chunks[number].size)
            data = decode(stored_bytes, dataset.filters, chunks[number].mask, item_bytes, step * row_bytes)
            chunk = np.frombuffer(data, dataset.dtype).reshape(step, *dataset.shape[1:])
            start, stop = max(number * step, rows.start), min((number + 1) * step, rows.stop)
            values[start - rows.start : stop - rows.start] = chunk[start - number * step : stop - number * step]
        return _checked(values)

    def _chunks(self, tree: int, rank: int, *, step: int, count: int) -> list[_Chunk]:
        """Return all chunks in row order; together they are no larger than the file, so none is stored twice over."""
        if count * (8 + 8 * rank) > self._size:
            raise ValueError(f"{count} chunks do not fit into the file")
        chunks: list[_Chunk] = []
        for address, key in self._leaves(tree, kind=1, key=8 + 8 * rank):
            size, mask, first, *others = _numbers(key, 4, 4, *[8] * rank)
            if first != len(chunks) * step or any(others):
                raise ValueError("its chunks are not in order")
            chunks.append(_Chunk(address, size, mask))
        if len(chunks) != count or sum(chunk.size for chunk in chunks) > self._size:
            raise ValueError(f"it has {len(chunks)} chunks, expected {count} that fit into the file")
        return chunks

    def _texts(self, data: bytes) -> list[str]:
        """Return the text that references point to; together no longer than the file, so none is told twice over."""
        references = np.frombuffer(data, _REFERENCE)
        if int(references["length"].sum(dtype=np.uint64)) > self._size:
            raise ValueError("it claims more text than the file holds")
        heaps: dict[int, dict[int, bytes]] = {}
        left, texts = self._size, []
        for length, address, index in references.tolist():
            if length and address not in heaps:
                size = self._heap_size(address)
                left -= size
                if left < 0:
                    raise ValueError("its texts are stored twice over")
                heaps[address] = _heap_objects(self._bytes(address, size))
            value = heaps[address].get(index, b"") if length else b""
            if len(value) != length:
                raise ValueError("a text is not where it should be")
            texts.append(value.decode("utf-8"))
        return texts

    def _heap_size(self, address: int) -> int:
        head = self._bytes(address, 16)
        if head[:5] != b"GCOL\x01":
            raise ValueError("a text is not where it should be")
        return int.from_bytes(head[8:], "little")

    @cached_property
    def _root(self) -> dict[int, list[bytes]]:
        """The header messages of the root group."""
        head = self._bytes(0, 96)
        base, _, end, driver, _, root, cached = _numbers(head[24:76], 8, 8, 8, 8, 8, 8, 4)
        # eight-byte addresses, no user block, no second file
        if head[:16] != _SIGNATURE + bytes(5) + b"\x08\x08\0" or base != 0 or driver != 2**64 - 1 or cached > 1:
            raise ValueError("it is not a plain HDF5 file")
        if end != self._size:
            raise ValueError(f"it has {self._size} bytes and says {end}")
        return self._messages(root)

    def _dataset(self, name: str) -> _Dataset:
        if name not in self.names:
            raise ValueError(f"dataset {name!r} is missing")
        messages = self._messages(self.names[name])
        description = _one(messages, _DATATYPE)
        if not description.startswith(_TEXT) and not any(description.startswith(known) for known in _DTYPES):
            raise ValueError(f"dataset {name!r} has a type that shards do not hold")
        dtype = next((dtype for known, dtype in _DTYPES.items() if description.startswith(known)), None)
        filters = parse_filters(_one(messages, _FILTERS)) if _FILTERS in messages else ()
        return _Dataset(_shape(_one(messages, _DATASPACE)), dtype, _one(messages, _LAYOUT), filters)

    def _messages(self, address: int) -> dict[int, list[bytes]]:
        """Return the messages of an object header by their type."""
        version, _, count, _, size = _numbers(self._bytes(address, 16)[:12], 1, 1, 2, 4, 4)
        if version != 1 or size > _MOST_HEADER_BYTES:
            raise ValueError("an object has a header that shards do not have")
        found: dict[int, list[bytes]] = {}
        blocks, total = [(address + 16, size)], size
        while blocks:
            block = self._bytes(*blocks.pop(0))
            at = 0
            while at + 8 <= len(block) and count:
                kind, length, flags = _numbers(block[at : at + 5], 2, 2, 1)
                body = block[at + 8 : at + 8 + length]
                if kind not in _MESSAGES or flags & 2 or len(body) != length:
                    raise ValueError(f"an object has a header message of kind {kind}: an outer file, a link or damage")
                if kind == _CONTINUATION:
                    blocks.append(_pair(body))
                    total += blocks[-1][1]
                    if total > _MOST_HEADER_BYTES:
                        raise ValueError("an object has too large a header")
                found.setdefault(kind, []).append(body)
                at, count = at + 8 + length, count - 1
        return found

    def _leaves(self, tree: int, *, kind: int, key: int) -> Iterator[tuple[int, bytes]]:
        """Yield each leaf's address and first key, in order; a B-tree larger than the file is refused."""
        nodes, left = [(tree, -1)], self._size
        while nodes:
            address, expected = nodes.pop()
            signature, found, level, count = _numbers(self._bytes(address, 8), 4, 1, 1, 2)
            left -= 24 + count * (key + 8)
            if signature != int.from_bytes(b"TREE", "little") or found != kind or expected not in {-1, level}:
                raise ValueError("its index is damaged")
            if left < 0:
                raise ValueError("its index is larger than the file")
            body = self._bytes(address + 24, count * (key + 8))
            entries = [body[at : at + key + 8] for at in range(0, len(body), key + 8)]
            if level:
                nodes += [(int.from_bytes(entry[key:], "little"), level - 1) for entry in reversed(entries)]
            else:
                yield from ((int.from_bytes(entry[key:], "little"), entry[:key]) for entry in entries)

    def _bytes(self, address: int, size: int) -> bytes:
        """Return some bytes of the file; nothing is allocated for what lies outside it."""
        if address + size > self._size:
            raise ValueError(f"{size} bytes at {address} lie outside the file")
        self._file.seek(address)
        data = self._file.read(size)
        if len(data) != size:
            raise ValueError("it was cut off while it was read")
        return data


def _checked(values: NDArray[Any]) -> NDArray[Any]:
    """Return the values, booleans only when they are 0 or 1."""
    if values.dtype == np.bool_ and (values.view(np.uint8) > 1).any():
        raise ValueError("a truth value is neither true nor false")
    return values


def _numbers(data: bytes, *sizes: int) -> list[int]:
    """Return little-endian unsigned numbers of these sizes, one after the other."""
    if len(data) < sum(sizes):
        raise ValueError("a header is cut off")
    numbers, at = [], 0
    for size in sizes:
        numbers.append(int.from_bytes(data[at : at + size], "little"))
        at += size
    return numbers


def _pair(data: bytes) -> tuple[int, int]:
    address, size = _numbers(data, 8, 8)
    return address, size


def _padded(size: int) -> int:
    return -(-size // 8) * 8


def _product(numbers: tuple[int, ...]) -> int:
    product = 1
    for number in numbers:
        product *= number
    return product


def _one(messages: dict[int, list[bytes]], kind: int) -> bytes:
    found = messages.get(kind, [])
    if len(found) != 1:
        raise ValueError(f"an object has {len(found)} header messages of kind {kind}, expected 1")
    return found[0]


def _shape(body: bytes) -> tuple[int, ...]:
    version, rank = _numbers(body[:2], 1, 1)
    if version != 1 or rank > _MOST_RANK:
        raise ValueError("a dataset has a shape that shards do not have")
    return tuple(_numbers(body[8:], *[8] * rank))


def _heap_objects(heap: bytes) -> dict[int, bytes]:
    """Return the objects of a global heap collection by their index."""
    objects, at, last = {}, 16, len(heap) - 16
    while at <= last:
        index, size = _HEAP_OBJECT.unpack_from(heap, at)
        if not index:  # the rest is free
            break
        at += 16
        objects[index] = heap[at : at + size]
        at += size + -size % 8
    return objects
