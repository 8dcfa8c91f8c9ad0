"""Scores that come in files of their own: human scores after an extraction, and those of other judges."""

from __future__ import annotations

import difflib
from collections.abc import Callable, Collection, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..errors import LagerError
from ..scale import Scale
from .long_rows import RATER, by_item
from .raters import RATED_BY, RATED_BY_TYPE, check_rater_columns, rated_rows
from .same_items import PROMPT, check_same_items
from .score_rows import ScoreRows
from .small_files import parse_scores
from .values import label_text

_LISTED = 3
#: Returns the prompt hashes of items by their ids.
Prompts = Callable[[], Mapping[str, str]]
_LABELS = ("group", "cluster", "system")


class ExternalScores(NamedTuple):
    """Another judge's scores of the items that are evaluated.

    Parameters
    ----------
    name : str
        What the table calls it.
    scores : ndarray of shape (n_items,)
        NaN where it has none.
    compared : bool
        Whether the file says more of its items than ids, and it was the same.
    """

    name: str
    scores: NDArray[np.float64]
    compared: bool = False


def read_scores(
    path: Path,
    scale: Scale,
    *,
    items: pl.DataFrame,
    whose: str,
    prompts: Prompts | None = None,
    raters: Sequence[str] = (),
) -> pl.DataFrame:
    """Read human scores of known items: a table of item_id and scores, and of rated_by where raters have names."""
    known = set(items["item_id"])
    file = _read_human(path, raters, known=known)
    file.check_ids(known, where=f"in {whose}")
    file.check_items(items, prompts)
    file.check_scale(scale)
    return file.table()


def read_human_scores(path: Path, scale: Scale | None, *, raters: Sequence[str] = ()) -> pl.DataFrame:
    """Read human scores, and any other columns, as a table of items.

    The scores are in the column score, a list where there are several raters; or in the columns of `raters`; or, where
    there is a column rater, a row for each rater of an item.
    """
    file = _read_human(path, raters)
    if not any(file.scores):
        filled = ", ".join(map(repr, raters)) or "'score'"
        raise LagerError(f"{path} has {len(file.rows)} rows and no human score in any: fill column {filled}")
    file.check_scale(scale)
    known = {"id", "score", "item_id", "scores", RATED_BY, *raters, *([RATER] if file.is_long else []), *_LABELS}
    texts = {name: file.texts(name) for name in (*_LABELS, *(name for name in file.columns if name not in known))}
    return file.table().with_columns(pl.Series(name, column, dtype=pl.String) for name, column in texts.items())


def _label(value: Any, what: str, name: str) -> str | None:
    """Return a label as text; lists and objects are no labels, but may stand in columns that nobody asked for."""
    return str(value) if isinstance(value, list | dict) and name not in _LABELS else label_text(value, what=what)


def read_external(
    specs: Sequence[str],
    items: pl.DataFrame,
    scale: Scale | None,
    *,
    taken: Sequence[str] = (),
    prompts: Prompts | None = None,
) -> list[ExternalScores]:
    """Read judges' scores from ``FILE:COLUMN``, one after the other."""
    row_of = {item: row for row, item in enumerate(items["item_id"])}
    out: list[ExternalScores] = []
    parsed = [_parse(spec) for spec in specs]
    columns = [column for _, column in parsed]
    for path, column in parsed:
        plain = columns.count(column) == 1 and column not in taken
        name = column if plain else f"{path.stem}:{column}"
        if name in taken or any(name == other.name for other in out):
            raise LagerError(f"two judges would both be called {name}: rename a file or its column")
        file = _read(path, column, what="file of external scores", known=row_of)
        scores = _join(file, row_of, scale)
        out.append(ExternalScores(name, scores, file.check_items(items, prompts)))
    return out


def _parse(spec: str) -> tuple[Path, str]:
    path, colon, column = spec.rpartition(":")
    if not (path and colon and column):
        raise LagerError(f"--external {spec!r}: expected FILE:COLUMN, such as gpt.csv:rating")
    return Path(path), column


def _join(file: _ScoreFile, row_of: dict[str, int], scale: Scale | None) -> NDArray[np.float64]:
    """Return a judge's score of each item, NaN where the file gives none."""
    path, column = file.path, file.column
    file.check_ids(row_of, where=f"among the {len(row_of)} evaluated items")
    out = np.full(len(row_of), np.nan)
    for number, (item, scores) in enumerate(zip(file.ids, file.scores, strict=True), start=1):
        if len(scores) > 1:
            raise LagerError(f"{path}, row {number}: {column} holds {len(scores)} scores, expected one number a judge")
        if scores:
            out[row_of[item]] = scores[0]
    if not any(file.scores):
        raise LagerError(
            f"{path}: column {column!r} is empty in all {len(file.rows)} rows: name the one that holds the scores"
        )
    file.check_scale(scale)
    return out


class _ScoreFile(NamedTuple):
    """A file's rows, with the ids and the scores that are in them."""

    path: Path
    column: str
    rows: list[dict[str, Any]]
    row_ids: list[str]
    columns: list[str]
    ids: list[str]
    scores: list[list[float]]
    rated_by: list[list[str]] | None = None
    is_long: bool = False

    def table(self) -> pl.DataFrame:
        """Return the items with their scores, and with the raters' names where there are any."""
        schema: dict[str, Any] = {"item_id": pl.String, "scores": pl.List(pl.Float64)}
        table = pl.DataFrame({"item_id": self.ids, "scores": self.scores}, schema=schema)
        if self.rated_by is None:
            return table
        return table.with_columns(pl.Series(RATED_BY, self.rated_by, dtype=RATED_BY_TYPE))

    def texts(self, name: str) -> list[str | None]:
        """Return what a column says of each item; `LagerError` where two rows of an item differ."""
        found: dict[str, str] = {}
        for number, (item, row) in enumerate(zip(self.row_ids, self.rows, strict=True), start=1):
            text = _label(row.get(name), f"{self.path}, row {number}: {name}", name)
            if text is not None and found.setdefault(item, text) != text:
                raise LagerError(
                    f"{self.path}, row {number}: {name} of {item!r} is {text!r}, and {found[item]!r} in a row before: "
                    "rows of one item differ in rater and score only"
                )
        return [found.get(item) for item in self.ids]

    def check_ids(self, known: Collection[str], *, where: str) -> None:
        """Raise `LagerError` that counts the ids that are not known, and lists the first ones."""
        if unknown := [item for item in self.ids if item not in known]:
            shown = ", ".join(map(repr, unknown[:_LISTED]))
            raise LagerError(
                f"{self.path}: {len(unknown)} of {len(self.ids)} ids are not {where} (first: {shown}): give scores of "
                "these items only, under their ids"
            )

    def check_items(self, items: pl.DataFrame, prompts: Prompts | None) -> bool:
        """Return whether the file says more of its items than known ids; raise `LagerError` where these are others."""
        hashes = prompts() if prompts is not None and any(row.get(PROMPT) for row in self.rows) else None
        return check_same_items(self.rows, self.row_ids, items, path=self.path, prompts=hashes)

    def check_scale(self, scale: Scale | None) -> None:
        """Raise `LagerError` that counts the scores outside the scale, where there is one."""
        given = [(item, score) for item, of_item in zip(self.ids, self.scores, strict=True) for score in of_item]
        outside = [] if scale is None else [one for one in given if not scale.low <= one[1] <= scale.high]
        if outside:
            raise LagerError(
                f"{self.path}: {len(outside)} of {len(given)} values of {self.column!r} lie outside the scale {scale} "
                f"(first: {outside[0][1]:g} of {outside[0][0]!r}): bring them onto the scale"
            )


def _read(path: Path, column: str, *, what: str, known: Collection[str] | None = None) -> _ScoreFile:
    """Return what a file holds in its columns id and `column`, once both are found and every value is a score."""
    read = ScoreRows(path, what=what)
    columns = _columns(read, ("id", column))
    ids = read.ids(known)
    numbered = enumerate(read.rows, start=1)
    scores = [parse_scores(row.get(column), row=n, path=path, column=column) for n, row in numbered]
    return _ScoreFile(path, column, read.rows, ids, columns, ids, scores)


def _read_human(path: Path, raters: Sequence[str], *, known: Collection[str] | None = None) -> _ScoreFile:
    """Return what a file of human scores holds, in whichever of the three forms."""
    read = ScoreRows(path, what="score file")
    columns = _columns(read, ("id",) if raters else ("id", "score"))
    check_rater_columns(raters, columns, path=path)
    is_long = RATER in columns and not raters
    row_ids = read.ids(known, repeated=is_long)
    if is_long:
        ids, rated = by_item(read.rows, row_ids, path=path)
    else:
        ids, rated = row_ids, rated_rows(read.rows, raters, path=path)
    what = ", ".join(raters) or "score"
    return _ScoreFile(path, what, read.rows, row_ids, columns, ids, rated.scores, rated.rated_by, is_long)


def _columns(read: ScoreRows, needed: Sequence[str]) -> list[str]:
    """Return the names of a file's columns; `LagerError` with the nearest one where one is missing."""
    columns = list(dict.fromkeys(name for row in read.rows for name in row))
    for name in needed:
        if name not in columns:
            raise LagerError(f"{read.path} has no column {name!r}: {nearest(name, columns)}")
    return columns


def nearest(name: str, known: Sequence[str]) -> str:
    """Return a hint for a name that is not there: the nearest ones, and all."""
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    return (f"did you mean {' or '.join(near)}? " if near else "") + f"It has {', '.join(known)}"
