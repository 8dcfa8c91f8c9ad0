"""Opening items by name: a file, large or small, or a benchmark in its published format."""

from __future__ import annotations

import shutil
import sys
import tempfile
import weakref
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from .errors import LagerError
from .files.bounds import read_unpacked
from .files.json_text import DOCUMENT
from .items.items import Items, RowForm
from .items.large_files import open_rows
from .items.lazy_items import ItemSource, LazyItems
from .items.small_files import check_unique, read_rows
from .items.survey import SurveyOf, survey_items


def load_items(
    spec: str | Path, *, group: Sequence[str] = (), cluster: str | None = None, raters: Sequence[str] = ()
) -> Items:
    """Read items from a file, or from a benchmark in its published format."""
    if str(spec).startswith("benchmark:"):
        from .benchmarks.load import load_benchmark

        if group or cluster or raters:
            raise LagerError("--group, --cluster and --raters: a benchmark declares its own; leave them out")
        return load_benchmark(str(spec).removeprefix("benchmark:"))
    path = Path(spec)
    rows = read_rows(path)
    columns = list(dict.fromkeys(name for row in rows for name in row))
    form = RowForm.of(columns, group, cluster, path=path, raters=raters)
    items = form.items(rows)
    check_unique(list(items.item_id), path=path)
    return items


# Smaller files are read whole: that is simpler to look at, and takes some hundred MB at most. Parquet is compressed.
EAGER_BYTES, EAGER_PARQUET_BYTES = 16 << 20, 2 << 20
_LAZY = (".jsonl", ".ndjson", ".csv", ".parquet")


def open_items(
    spec: str | Path, *, group: Sequence[str] = (), cluster: str | None = None,
    raters: Sequence[str] = (), survey: SurveyOf = survey_items,
) -> ItemSource:  # fmt: skip
    """Open items: those of a large file are read when they are asked for, all others at once.

    ``-`` is JSON lines from standard input; a name that ends in ``.gz`` is a file of the kind before it, packed.
    """
    path = Path(spec)
    if str(spec) == "-" or (path.suffix.lower() == ".gz" and not str(spec).startswith("benchmark:")):
        return _unpacked(path, group=group, cluster=cluster, raters=raters, survey=survey)
    most = EAGER_PARQUET_BYTES if path.suffix.lower() == ".parquet" else EAGER_BYTES
    large = path.suffix.lower() in _LAZY and path.is_file() and path.stat().st_size > most
    if not large or str(spec).startswith("benchmark:"):
        return load_items(spec, group=group, cluster=cluster, raters=raters)
    file = open_rows(path)
    form = RowForm.of(file.columns, group, cluster, path=path, raters=raters)
    found = survey(file, form)
    return LazyItems(file, replace(form, places=found.places), found)


def _unpacked(path: Path, **options: Any) -> ItemSource:
    """Open a temporary copy of what is packed, or comes from standard input; it goes when the items do."""
    folder = Path(tempfile.mkdtemp(prefix="lager-"))
    copy = folder / ("stdin.jsonl" if str(path) == "-" else path.stem)
    try:
        copy.write_bytes(_standard_input() if str(path) == "-" else read_unpacked(path, what="item file"))
        items = open_items(copy, **options)
    except BaseException as error:
        shutil.rmtree(folder, ignore_errors=True)
        if isinstance(error, LagerError):
            raise LagerError(str(error).replace(str(copy), str(path))) from None
        raise
    if isinstance(items, LazyItems):
        weakref.finalize(items.file, shutil.rmtree, folder, ignore_errors=True)
    else:
        shutil.rmtree(folder, ignore_errors=True)
    return items


def _standard_input() -> bytes:
    """Return what standard input holds, within the bound of a document."""
    content = sys.stdin.buffer.read(DOCUMENT.size + 1)
    if len(content) > DOCUMENT.size:
        raise LagerError(f"standard input holds more than {DOCUMENT.size >> 20} MiB: write it to a file, and give that")
    return content
