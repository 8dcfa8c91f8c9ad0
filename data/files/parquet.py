"""Reading Parquet files from anywhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any, BinaryIO

import polars as pl

from ..errors import LagerError

_FREE_TEXT_BYTES, _MOST_TEXT_GAIN = (
    256 << 20,
    100,
)  # how much text may come out of a file: so much, or so many times its size


def read_parquet(path: Path, *, what: str, columns: list[str] | None = None) -> pl.DataFrame:
    """Read a Parquet file, all of it or some columns.

    Raises
    ------
    LagerError
        When it cannot be read, or would take much more memory than fits its size. The reader panics on some damaged
        files, and a panic is no `Exception`.
    FileNotFoundError
        When it does not exist.
    """
    try:
        check_parquet(path)
        table = pl.read_parquet(path, columns=columns)
        if (text := sum(map(_text_bytes, table))) > max(_FREE_TEXT_BYTES, _MOST_TEXT_GAIN * path.stat().st_size):
            raise ValueError(f"it holds {text} bytes of text, the same over and over")
    except FileNotFoundError:
        raise
    except (OSError, ValueError, MemoryError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        reason = str(error).splitlines()[0][:200] if str(error) else type(error).__name__
        raise LagerError(f"cannot read {what} {path}: {reason}; it is damaged, restore it from a copy") from None
    return table


def _text_bytes(column: pl.Series) -> int:
    """Return the length of all text in a column, which a dictionary may tell once and point to often."""
    dtype: Any = column.dtype
    if dtype == pl.String or isinstance(dtype, pl.Categorical | pl.Enum):
        return int(column.cast(pl.String).str.len_bytes().cast(pl.UInt64).sum())
    if isinstance(dtype, pl.List | pl.Array):
        if dtype.inner.is_numeric():  # not laid out once more for nothing: it may be large
            return 0
        return _text_bytes(column.explode())
    if isinstance(dtype, pl.Struct):
        return sum(_text_bytes(column.struct.field(field.name)) for field in dtype.fields)
    return 0


_MAGIC = b"PAR1"
_FREE_BYTES, _MOST_GAIN = 256 << 20, 100  # what a file may take in memory: so much, or so many times its size
_BYTES_OF_VALUE = 16  # at least, of a text or a number in a table
_MOST_DEPTH, _MOST_COLUMNS = 32, 10_000
_HEADER_BYTES = 64 << 10  # a page's header with its statistics

# Fields, by their numbers in parquet.thrift.
_SCHEMA, _N_ROWS, _ROW_GROUPS = 2, 3, 4
_CHILDREN = 5
_COLUMNS, _OTHER_FILE, _COLUMN_META = 1, 1, 3
_VALUES, _STORED, _DATA_PAGE, _DICTIONARY_PAGE = 5, 7, 9, 11
_PAGE_PLAIN, _PAGE_STORED, _PAGE_KINDS, _PAGE_VALUES = 2, 3, (5, 7, 8), 1


def check_parquet(path: Path) -> None:
    """Check that reading a Parquet file can take no more memory than fits its size.

    Raises
    ------
    ValueError
        When it would, when its parts lie outside of it or twice over, or when its headers are damaged.
    OSError
        When it cannot be read.
    """
    with path.open("rb") as file:
        size = file.seek(0, 2)
        tail = _read(file, size - 8, 8, size) if size >= 12 else b""
        if tail[4:] != _MAGIC:
            raise ValueError("it does not end as a Parquet file does")
        length = int.from_bytes(tail[:4], "little")
        footer = _Reader(_read(file, size - 8 - length, length, size)).struct()
        _check_schema(_list(footer, _SCHEMA))
        values = stored = plain = 0
        for group in _list(footer, _ROW_GROUPS):
            for column in _list(group, _COLUMNS):
                if _OTHER_FILE in column:
                    raise ValueError("a column lies in another file")
                meta = column.get(_COLUMN_META)
                if not isinstance(meta, dict):
                    raise ValueError("a column has no description")
                stored += _count(meta, _STORED)
                if stored > size:
                    raise ValueError("its columns are larger than the file")
                of_pages = _pages(file, meta, size)
                values += max(of_pages[0], _count(meta, _VALUES))
                plain += of_pages[1]
    most = max(_FREE_BYTES, _MOST_GAIN * size)
    if max(plain, values * _BYTES_OF_VALUE, _count(footer, _N_ROWS) * _BYTES_OF_VALUE) > most:
        raise ValueError(f"it has {size} bytes and claims {values} values in {plain} bytes")


def _pages(file: BinaryIO, meta: dict[int, Any], size: int) -> tuple[int, int]:
    """Return the number of values in the pages of a column, and their size when unpacked."""
    start = _count(meta, _DATA_PAGE)
    if _DICTIONARY_PAGE in meta:
        start = min(start, _count(meta, _DICTIONARY_PAGE) or start)
    end, values, plain = start + _count(meta, _STORED), 0, 0
    while start < end:
        reader = _Reader(_read(file, start, min(_HEADER_BYTES, end - start), size))
        header = reader.struct()
        values += sum(_count(header[kind], _PAGE_VALUES) for kind in _PAGE_KINDS if isinstance(header.get(kind), dict))
        plain += _count(header, _PAGE_PLAIN)
        start += reader.at + _count(header, _PAGE_STORED)
    if start != end:
        raise ValueError("a column's pages do not fill it")
    return values, plain


def _check_schema(elements: list[dict[int, Any]]) -> None:
    """Check that columns are not too many and not nested without end."""
    open_children: list[int] = []
    for element in elements:
        while open_children and not open_children[-1]:
            open_children.pop()
        if open_children:
            open_children[-1] -= 1
        open_children.append(_count(element, _CHILDREN) if _CHILDREN in element else 0)
        if len(open_children) > _MOST_DEPTH or len(elements) > _MOST_COLUMNS:
            raise ValueError("its columns are too many or too deep")


def _list(struct: dict[int, Any], field: int) -> list[dict[int, Any]]:
    found = struct.get(field)
    if not isinstance(found, list) or not all(isinstance(one, dict) for one in found):
        raise ValueError("its headers are damaged")
    return found


def _count(struct: dict[int, Any], field: int) -> int:
    found = struct.get(field)
    if type(found) is not int or found < 0:
        raise ValueError("its headers are damaged")
    return found


def _read(file: BinaryIO, start: int, length: int, size: int) -> bytes:
    if start < 0 or start + length > size:
        raise ValueError("a part of it lies outside the file")
    file.seek(start)
    return file.read(length)


class _Reader:
    """Reads structs of Thrift's compact protocol as dicts of field number to value."""

    def __init__(self, data: bytes) -> None:
        self.data, self.at = data, 0

    def struct(self, depth: int = 0) -> dict[int, Any]:
        if depth > _MOST_DEPTH:
            raise ValueError("its headers are nested too deep")
        fields: dict[int, Any] = {}
        number = 0
        while head := self._byte():
            number = number + (head >> 4) if head >> 4 else self._zigzag()
            kind = head & 15
            fields[number] = kind == 1 if kind in {1, 2} else self._value(kind, depth)
        return fields

    def _value(self, kind: int, depth: int) -> Any:
        match kind:
            case 1 | 2 | 3:
                return self._byte()
            case 4 | 5 | 6:
                return self._zigzag()
            case 7:
                return self._skip(8)
            case 8:
                return self._skip(self._varint())
            case 9 | 10:
                head = self._byte()
                length = head >> 4 if head >> 4 < 15 else self._varint()
                self._fits(length)
                return [self._value(head & 15, depth + 1) for _ in range(length)]
            case 12:
                return self.struct(depth + 1)
        raise ValueError("its headers are damaged")

    def _skip(self, length: int) -> None:
        self._fits(length)
        self.at += length

    def _fits(self, length: int) -> None:
        if length > len(self.data) - self.at:
            raise ValueError("its headers are cut off")

    def _byte(self) -> int:
        self._fits(1)
        self.at += 1
        return self.data[self.at - 1]

    def _varint(self) -> int:
        value = 0
        for shift in range(0, 70, 7):
            byte = self._byte()
            value |= (byte & 127) << shift
            if byte < 128:
                return value
        raise ValueError("its headers are damaged")

    def _zigzag(self) -> int:
        value = self._varint()
        return value >> 1 ^ -(value & 1)
