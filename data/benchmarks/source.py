"""Published files: found in a folder, and read as a JSON document or as records."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from ..errors import LagerError
from ..files.bounds import read_unpacked
from ..files.json_text import DOCUMENT, parse_json
from ..files.parquet import read_parquet
from ..files.text import decode_text
from ..items.small_files import parse_id, parse_json_list, parse_jsonl, parse_scores, parse_text

_LFS = "version https://git-lfs"


class SourceFile(NamedTuple):
    """A file of a benchmark: where it lies, and what it is called where it was published."""

    path: Path
    name: str

    def text(self, record: Mapping[str, Any], column: str, row: int) -> str:
        """Return the text in a column of a record; `LagerError` where it is none."""
        return parse_text(record.get(column), row=row, path=self.path, column=column)

    def optional(self, record: Mapping[str, Any], column: str, row: int) -> str | None:
        """Return the text in a column of a record, None where it is missing, null or empty."""
        return self.text(record, column, row) if record.get(column) not in (None, "") else None

    def name_of(self, record: Mapping[str, Any], column: str, row: int) -> str:
        """Return an id or a name in a column of a record, a whole number as text; `LagerError` for anything else."""
        return parse_id(record.get(column), row=row, path=self.path)

    def scores(self, record: Mapping[str, Any], column: str, row: int) -> list[float]:
        """Return the scores in a column of a record; `LagerError` where one is no number."""
        return parse_scores(record.get(column), row=row, path=self.path, column=column)


def find_files(path: Path, patterns: Sequence[str], *, benchmark: str) -> list[SourceFile]:
    """Return the file, or those of the first pattern that matches any in a folder."""
    if path.is_file():
        # The folder's name is part of the published name where a benchmark has a folder per subset.
        return [SourceFile(path, f"{path.resolve().parent.name}/{path.name}")]
    if not path.is_dir():
        raise LagerError(f"benchmark {benchmark}: {path} does not exist: check the path")
    for pattern in patterns:
        if found := sorted(one for one in path.glob(pattern) if one.is_file()):
            return [SourceFile(one, one.relative_to(path).as_posix()) for one in found]
    raise LagerError(
        f"benchmark {benchmark}: folder {path} has none of its files ({', '.join(patterns)}): give the file itself"
    )


def read_document(file: SourceFile) -> Any:
    """Read a JSON document, or `LagerError`."""
    text = _text(file)
    try:
        return parse_json(text, limits=DOCUMENT)
    except ValueError as error:
        where = f", line {error.lineno}" if isinstance(error, json.JSONDecodeError) else ""
        raise LagerError(f"benchmark file {file.path}{where}: not valid JSON; fetch it again") from None


def read_records(file: SourceFile) -> list[dict[str, Any]]:
    """Read records from Parquet, JSON lines (also gzipped) or a JSON list."""
    name = file.name.lower().removesuffix(".gz")
    if name.endswith(".parquet"):
        rows = read_parquet(file.path, what="benchmark file").to_dicts()
    elif name.endswith((".jsonl", ".ndjson")):
        rows = parse_jsonl(_text(file).split("\n"), path=file.path)
    else:
        rows = parse_json_list(_text(file), path=file.path)
    if not rows:
        raise LagerError(f"benchmark file {file.path} is empty: expected at least one record")
    return rows


def _text(file: SourceFile) -> str:
    try:
        text = decode_text(read_unpacked(file.path, what="benchmark file"))
    except UnicodeError as error:
        raise LagerError(f"cannot read benchmark file {file.path}: {error}") from None
    if text.startswith(_LFS):
        raise LagerError(f"benchmark file {file.path} is a Git LFS pointer, not the data: run git lfs pull there")
    return text


def fetch(url: str, *, name: str, benchmark: str) -> SourceFile:
    """Return a published file, downloaded on the first call and from the cache of `datasets` after it."""
    instead = f"or get the file yourself and give benchmark:{benchmark}=PATH"
    try:
        from datasets import DownloadConfig, DownloadManager
    except ImportError:
        raise LagerError(
            f"benchmark {benchmark} without a path is fetched, which needs datasets: pip install 'lager[benchmarks]', "
            f"{instead}"
        ) from None
    manager = DownloadManager(download_config=DownloadConfig(disable_tqdm=True, max_retries=3))
    try:
        return SourceFile(Path(manager.download(url)), name)
    except (OSError, ValueError) as error:
        # Its messages may run over many lines; the kind says enough beside the address.
        raise LagerError(f"cannot fetch {url} ({type(error).__name__}): check the network, {instead}") from None
