"""Rows of JSONL, CSV and Parquet files, with errors that say which line is wrong."""

from __future__ import annotations

import json
import math
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import polars as pl

from ..errors import LagerError
from ..files.json_text import DOCUMENT, RECORD, parse_json
from ..files.parquet import read_parquet
from ..files.text import bad_line, open_text, read_text
from .csv_rows import open_csv

_LISTED = 3


def read_rows(path: Path, *, what: str = "item file") -> list[dict[str, Any]]:
    """Read a table of rows."""
    readers = {
        ".jsonl": _read_jsonl,
        ".ndjson": _read_jsonl,
        ".json": _read_json,
        ".csv": _read_csv,
        ".parquet": _read_parquet,
    }
    reader = readers.get(path.suffix.lower())
    if reader is None:
        raise LagerError(f"{what} {path}: expected a name that ends in {', '.join(readers)}")
    with readable(path, what=what):
        rows = reader(path)
    if not rows:
        raise LagerError(f"{what} {path} is empty: expected at least one row")
    return rows


@contextmanager
def readable(path: Path, *, what: str) -> Iterator[None]:
    """Turn what can go wrong in reading a file into a `LagerError` that names it."""
    try:
        yield
    except FileNotFoundError:
        raise LagerError(f"{what} {path} does not exist: check the path") from None
    except UnicodeError as error:
        line = bad_line(path)
        where = f"{path}, line {line}" if line else str(path)
        raise LagerError(f"cannot read {what} {where}: {error}; write it as UTF-8") from None
    except (OSError, pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        reason = str(error).splitlines()[0] if str(error) else type(error).__name__
        raise LagerError(f"cannot read {what} {path}: {reason}") from None


def _read_jsonl(path: Path) -> list[dict[str, Any]]:
    with open_text(path) as file:
        return parse_jsonl(iter(lambda: file.readline(RECORD.size + 1), ""), path=path)


def parse_jsonl(lines: Iterable[str], *, path: Path, first: int = 1) -> list[dict[str, Any]]:
    """Return the objects of JSON lines, empty lines left out; `LagerError` with the number of a bad one.

    `first` is the number of the first line.
    """
    rows = []
    for number, line in enumerate(lines, start=first):
        if not line.strip():
            continue
        try:
            row = parse_json(line, unique=True)
        except ValueError as error:
            reason = getattr(error, "msg", str(error))
            raise LagerError(f"{path}, line {number}: not valid JSON ({reason}); mend or remove it") from None
        if not isinstance(row, dict):
            raise LagerError(f"{path}, line {number}: got a {type(row).__name__}, expected a JSON object a line")
        rows.append(row)
    return rows


def _read_json(path: Path) -> list[dict[str, Any]]:
    return parse_json_list(read_text(path), path=path)


def parse_json_list(text: str, *, path: Path) -> list[dict[str, Any]]:
    """Return the objects of a JSON list; `LagerError` for any other text."""
    try:
        rows = parse_json(text, limits=DOCUMENT, unique=True)
    except ValueError as error:
        line = f", line {error.lineno}" if isinstance(error, json.JSONDecodeError) else f" ({error})"
        raise LagerError(f"{path}{line}: not valid JSON; mend it, or fetch it again") from None
    if not isinstance(rows, list) or not all(isinstance(row, dict) for row in rows):
        raise LagerError(f"{path}: expected a JSON list of objects")
    return rows


def _read_csv(path: Path) -> list[dict[str, Any]]:
    with open_csv(path) as table:
        return [dict(zip(table.columns, row, strict=True)) for row in table.rows]


def _read_parquet(path: Path) -> list[dict[str, Any]]:
    return read_parquet(path, what="item file").to_dicts()


def parse_id(value: Any, *, row: int, path: Path) -> str:
    """Return an item id as str; numbers are written plainly, anything else is refused."""
    if isinstance(value, str) and value and "\0" not in value:  # text in HDF5 ends at a NUL
        return value
    if isinstance(value, int) and not isinstance(value, bool):
        return str(value)
    raise LagerError(f"{path}, row {row}: id is {value!r}, expected a non-empty string or a whole number")


def parse_text(value: Any, *, row: int, path: Path, column: str) -> str:
    """Return a text as it is; `LagerError` with its place for anything else."""
    if isinstance(value, str):
        return value
    raise LagerError(f"{path}, row {row}: {column} is {type(value).__name__}, expected text")


def parse_scores(value: Any, *, row: int, path: Path, column: str = "score") -> list[float]:
    """Return every annotator's score of one item: none for null, one for a number, several for a list."""
    scores = parse_places(value, row=row, path=path, column=column)
    if None in scores:
        raise LagerError(
            f"{path}, row {row}: {column} is None, expected a finite number or a list of them; leave it empty where "
            "there is no score"
        )
    return [score for score in scores if score is not None]


def parse_places(value: Any, *, row: int, path: Path, column: str = "score") -> list[float | None]:
    """Return one item's scores by the annotators' places: in a list null is one who gave none."""
    if isinstance(value, str):
        value = _from_text(value)
    if value is None:
        return []
    scores: list[float | None] = []
    for one in value if isinstance(value, list) else [value]:
        number = _from_text(one) if isinstance(one, str) else one
        if number is None:
            scores.append(None)
            continue
        if isinstance(number, bool) or not isinstance(number, int | float) or not math.isfinite(number):
            raise LagerError(
                f"{path}, row {row}: {column} is {one!r}, expected a finite number or a list of them; leave it empty "
                "where there is no score"
            )
        scores.append(float(number))
    return scores


def _from_text(text: str) -> Any:
    """Read a number or a list from a CSV cell; text that is neither comes back as it is."""
    text = text.strip()
    if not text:
        return None
    try:
        return parse_json(text) if text.startswith("[") else float(text)
    except ValueError:
        return text


def check_unique(ids: list[str], *, path: Path) -> None:
    """Raise `LagerError` that counts duplicate ids and lists the first ones."""
    seen: set[str] = set()
    double = [i for i in ids if i in seen or seen.add(i)]  # type: ignore[func-returns-value]
    if double:
        shown = ", ".join(repr(i) for i in list(dict.fromkeys(double))[:_LISTED])
        raise LagerError(
            f"{path}: {len(double)} rows repeat an id ({shown}): ids must be unique; rename or remove them"
        )


def read_ids(rows: list[dict[str, Any]], *, path: Path, repeated: bool = False) -> list[str]:
    """Return the ids in column ``id``; `LagerError` for one that is none, or that repeats although it may not."""
    ids = [parse_id(row.get("id"), row=n, path=path) for n, row in enumerate(rows, start=1)]
    if not repeated:
        check_unique(ids, path=path)
    return ids


def check_columns(rows: list[dict[str, Any]], needed: tuple[str, ...], *, path: Path) -> None:
    """Raise `LagerError` that names a missing column, its row, and the columns that are there."""
    for number, row in enumerate(rows, start=1):
        if missing := [name for name in needed if name not in row]:
            raise LagerError(
                f"{path}, row {number}: no column {', '.join(map(repr, missing))}; it has {', '.join(sorted(row))}"
            )
