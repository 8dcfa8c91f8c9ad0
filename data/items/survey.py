"""Looking through a large item file once: that all ids, scores and texts are what they must be, before any is read.

Columns of a Parquet file are checked as columns, a few thousand rows at a time, where their types say that plain rules
hold; anything else is read row by row, which also tells what is wrong and where.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from typing import NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from .items import ItemIds, RowForm, hash_ids
from .large_files import ParquetRows, RowFile
from .raters import RATED_BY
from .small_files import check_unique

_ROW_BLOCK = 4096
# A block of columns: so many rows at most, fewer where a row has many bytes in the file.
_MOST_ROWS, _BLOCK_BYTES = 1 << 14, 16 << 20
_SEED = 0
_WAIT_SECONDS = 5.0


class Survey(NamedTuple):
    """What looking through a file found.

    Attributes
    ----------
    ids : ItemIds
        Of all items.
    lowest, highest : float
        Of all human scores; infinite where there are none.
    places : bool
        Whether a list of scores has blanks, so that places are kept.
    """

    ids: ItemIds
    lowest: float
    highest: float
    places: bool = False


SurveyOf = Callable[[RowFile, RowForm], Survey]


class _Block(NamedTuple):
    """What is kept of some rows: their ids, and the range of their scores."""

    ids: pl.Series
    lowest: float
    highest: float
    places: bool = False


def survey_items(file: RowFile, form: RowForm, *, after_each_block: Callable[[], None] | None = None) -> Survey:
    """Look through a file, and keep 8 bytes a row meanwhile: a hash of its id, to find ids that repeat."""
    if isinstance(file, ParquetRows):
        _check(file, meanwhile=after_each_block)
    digests: list[NDArray[np.uint64]] = []
    lowest, highest, places = np.inf, -np.inf, False

    def ids() -> Iterator[Sequence[str]]:
        nonlocal lowest, highest, places
        for block in _blocks(file, form):
            digests.append(_digests(block.ids))
            lowest, highest = min(lowest, block.lowest), max(highest, block.highest)
            places |= block.places
            yield block.ids.to_list()
            if after_each_block is not None:
                after_each_block()

    found = hash_ids(ids())
    ordered = np.sort(np.concatenate(digests))
    repeated = np.unique(ordered[1:][ordered[1:] == ordered[:-1]])
    if len(repeated):
        _check_repeated(file, form, repeated)
    return Survey(found, float(lowest), float(highest), places)


def _check(file: ParquetRows, *, meanwhile: Callable[[], None] | None) -> None:
    """Check that the file's rows fit into memory, and call `meanwhile` every few seconds until that is known."""
    with ThreadPoolExecutor(1) as pool:
        checked = pool.submit(file.check)
        while wait([checked], timeout=_WAIT_SECONDS).not_done:
            if meanwhile is not None:
                meanwhile()
        checked.result()


def _blocks(file: RowFile, form: RowForm) -> Iterator[_Block]:
    if not isinstance(file, ParquetRows):
        yield from _row_blocks(file, form, range(file.n_rows))
        return
    if form.raters or _has_odd_columns(file, form):
        yield from _row_blocks(file, form, range(file.n_rows))
        return
    checked = {"id", "score", form.kind} | {name for name, dtype in file.schema.items() if dtype.is_float()}
    columns = [name for name in file.columns if name in checked]
    size = max(1, min(_MOST_ROWS, _BLOCK_BYTES * file.n_rows // max(1, file.n_bytes)))
    for start in range(0, file.n_rows, size):
        rows = range(start, min(start + size, file.n_rows))
        block = _plain(file.frame(rows.start, rows.stop, columns), form, rows)
        yield from _row_blocks(file, form, rows) if block is None else [block]


def _has_odd_columns(file: ParquetRows, form: RowForm) -> bool:
    """Return whether a column that reaches prompts or labels may hold other than text and numbers."""
    used = set(file.columns) if form.kind == "fields" else {*form.group, *form.cluster, "system"}
    return any(
        not (dtype == pl.String or dtype.is_numeric() or dtype in (pl.Boolean, pl.Null, pl.Categorical, pl.Enum))
        for name, dtype in file.schema.items() if name in used - {"id", "score"}
    )  # fmt: skip


def _row_blocks(file: RowFile, form: RowForm, rows: range) -> Iterator[_Block]:
    """Read rows one by one; `LagerError` that names the first one that is not as it must be."""
    for start in range(rows.start, rows.stop, _ROW_BLOCK):
        table, _ = form.columns(file.read(start, min(start + _ROW_BLOCK, rows.stop)), start=start)
        scores = [score for given in table["scores"] for score in given]
        ids = pl.Series(table["item_id"], dtype=pl.String)
        places = RATED_BY in table and not form.raters
        yield _Block(ids, min(scores, default=np.inf), max(scores, default=-np.inf), places)


def _plain(table: pl.DataFrame, form: RowForm, rows: range) -> _Block | None:
    """Return what rows hold where their columns are plainly right; None where they must be looked at one by one."""
    ids, scores = _plain_ids(table, rows), _plain_scores(table)
    numbers = [name for name, dtype in table.schema.items() if dtype.is_float() and name != "score"]
    if any(table[name].is_infinite().any() for name in numbers):
        return None
    if ids is None or scores is None or not _plain_texts(table, form):
        return None
    values = scores.to_numpy()
    return _Block(ids, values.min(initial=np.inf), values.max(initial=-np.inf))


def _plain_ids(table: pl.DataFrame, rows: range) -> pl.Series | None:
    if "id" not in table.columns:
        return pl.Series("id", [str(row) for row in rows], dtype=pl.String)
    ids = table["id"]
    if ids.null_count() or not (ids.dtype == pl.String or ids.dtype.is_integer()):
        return None
    text = ids.cast(pl.String)
    return None if (text.str.len_bytes() == 0).any() else text


def _plain_scores(table: pl.DataFrame) -> pl.Series | None:
    """Return all scores, of one annotator or several."""
    if "score" not in table.columns:
        return pl.Series("score", [], dtype=pl.Float64)
    scores = table["score"]
    if isinstance(scores.dtype, pl.List):
        scores = scores.drop_nulls().explode(empty_as_null=False)
        if scores.null_count():
            return None
    if not (scores.dtype.is_integer() or scores.dtype.is_float()):
        return None
    scores = scores.drop_nulls().cast(pl.Float64)
    return scores if scores.is_finite().all() else None


def _plain_texts(table: pl.DataFrame, form: RowForm) -> bool:
    """Return whether every row has a prompt, or messages; other fields are known by their types."""
    if form.kind == "fields":
        return True
    texts = table[form.kind]
    if texts.null_count():
        return False
    if form.kind == "prompt":
        return texts.dtype == pl.String and bool((texts.str.len_bytes() > 0).all())
    if not (isinstance(texts.dtype, pl.List) and isinstance(texts.dtype.inner, pl.Struct)):
        return False
    roles = {field.name: field.dtype for field in texts.dtype.inner.fields}
    if roles.get("role") != pl.String or roles.get("content") != pl.String or not (texts.list.len() > 0).all():
        return False
    messages = texts.explode(empty_as_null=False)
    return not messages.null_count() and not any(
        messages.struct.field(name).null_count() for name in ("role", "content")
    )


def _digests(ids: pl.Series) -> NDArray[np.uint64]:
    return ids.hash(_SEED).to_numpy()


def _check_repeated(file: RowFile, form: RowForm, digests: NDArray[np.uint64]) -> None:
    """Raise `LagerError` unless ids with equal digests are different after all."""
    suspects: list[str] = []
    for block in _blocks(file, form):
        suspects += block.ids.filter(pl.Series(np.isin(_digests(block.ids), digests))).to_list()
    check_unique(suspects, path=form.path)
