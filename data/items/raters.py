"""Who gave each human score: the raters' names, or their places in lists with blanks.

The item table holds it as a column of its own beside `scores`, one name a score, and only where it is known.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..errors import LagerError
from .small_files import parse_places, parse_scores
from .values import label_text

#: The column of the item table, and what it holds.
RATED_BY, RATED_BY_TYPE = "rated_by", pl.List(pl.String)
_PLACE = re.compile(r"#[1-9]\d*\Z")


class Rated(NamedTuple):
    """Human scores of items, and who gave each of them; None where nothing tells."""

    scores: list[list[float]]
    rated_by: list[list[str]] | None

    @classmethod
    def of(cls, given: Sequence[Sequence[float | None]], names: Sequence[str] | None = None) -> Rated:
        """Take blanks out of lists; what stays keeps its name, or its place where a list has a blank and no names."""
        scores = [[score for score in one if score is not None] for one in given]
        if names is None and not any(None in one for one in given):
            return cls(scores, None)
        names = names or [f"#{place}" for place in range(1, max(map(len, given)) + 1)]
        return cls(
            scores, [[name for name, score in zip(names, one, strict=False) if score is not None] for one in given]
        )


def rated_cells(row: Mapping[str, Any], names: Sequence[str], *, number: int, path: Path) -> list[float | None]:
    """Return the scores in the columns of raters, None for a blank cell; `LagerError` for several in a cell."""
    cells: list[float | None] = []
    for name in names:
        found = parse_scores(row.get(name), row=number, path=path, column=name)
        if len(found) > 1:
            raise LagerError(f"{path}, row {number}: {name} holds {len(found)} scores, expected one score a rater")
        cells.append(found[0] if found else None)
    return cells


def rated_rows(
    rows: Sequence[Mapping[str, Any]], names: Sequence[str], *, path: Path, start: int = 0, places: bool = False
) -> Rated:
    """Return the scores of rows: those in the raters' columns, or else in ``score``.

    With `places` the scores of lists keep their places even where no list here has a blank: another part of the file
    has one.
    """
    numbered = list(enumerate(rows, start=start + 1))
    if names:
        return Rated.of([rated_cells(row, names, number=n, path=path) for n, row in numbered], names)
    given = [parse_places(row.get("score"), row=n, path=path) for n, row in numbered]
    longest = max(map(len, given), default=0)
    return Rated.of(given, [f"#{place}" for place in range(1, longest + 1)] if places else None)


def parse_raters(text: str | None, *, scores: Path | None) -> tuple[str, ...]:
    """Read ``--raters anna,ben``, which names columns of the file of human scores."""
    if text is None:
        return ()
    names = tuple(name.strip() for name in text.split(","))
    if scores is None:
        raise LagerError("--raters names columns of --scores FILE: give the file too, or leave it out")
    if not all(names):
        raise LagerError(f"--raters {text!r}: expected the names of columns, with commas between them")
    return names


def check_rater_columns(names: Sequence[str], columns: Sequence[str], *, path: Path) -> None:
    """Raise `LagerError` unless a file has the columns of raters, each named once, and no other human score."""
    if repeated := sorted({name for name in names if list(names).count(name) > 1}):
        raise LagerError(f"--raters names {', '.join(map(repr, repeated))} more than once: name each column once")
    if missing := [name for name in names if name not in columns]:
        lacks = ", ".join(map(repr, missing))
        raise LagerError(f"{path} has no column {lacks}, which --raters names: it has {', '.join(columns)}")
    if names and "score" in columns and "score" not in names:
        raise LagerError(
            f"{path} has a column 'score' beside those of --raters: human scores come from one of them; remove or "
            "rename 'score', or leave --raters out"
        )


def rater_name(value: Any, *, number: int, path: Path) -> str:
    """Return the rater of a row of a long file, trimmed; `LagerError` where there is none, or it reads as a place."""
    name = label_text(value, what=f"{path}, row {number}: rater")
    if not name or not name.strip():
        raise LagerError(f"{path}, row {number}: it has no rater; name one, or remove the column 'rater'")
    name = name.strip()
    if is_place(name):
        raise LagerError(f"{path}, row {number}: rater is {name!r}, which is how places are called; rename it")
    return name


def is_place(name: str) -> bool:
    """Return whether a name is that of a place in lists, such as #2, and of nobody."""
    return _PLACE.match(name) is not None


class RaterScores(NamedTuple):
    """Each rater's scores of all items.

    Attributes
    ----------
    names : tuple of str
        In the order in which they are met; ``#1``, ``#2`` and so on for places in lists.
    scores : ndarray of shape (n_items, n_raters)
        NaN where a rater gave none.
    named : bool
        Whether the names are people's, and not places.
    unknown : int
        Items whose scores have no names although others' have; they are NaN throughout.
    """

    names: tuple[str, ...]
    scores: NDArray[np.float64]
    named: bool
    unknown: int = 0

    def take(self, rows: NDArray[Any]) -> RaterScores:
        """Return the scores of some items."""
        return self._replace(scores=self.scores[rows])


def rater_scores(items: pl.DataFrame) -> RaterScores:
    """Return the table of an item table's raters, by place in the lists where no names are known.

    Parameters
    ----------
    items : polars.DataFrame
        With `scores`, and with `rated_by` where that is known.
    """
    given = items["scores"].to_list()
    known = items[RATED_BY].to_list() if has_raters(items) else [None] * len(items)
    by_place = all(one is None for one in known)
    if by_place:
        known = [[f"#{place}" for place in range(1, len(one or ()) + 1)] for one in given]
    column: dict[str, int] = {}
    for names in known:
        for name in names or ():
            column.setdefault(name, len(column))
    if all(map(is_place, column)):
        column = {name: place for place, name in enumerate(sorted(column, key=lambda name: int(name[1:])))}
    table = np.full((len(items), len(column)), np.nan)
    unknown = 0
    for row, (scores, names) in enumerate(zip(given, known, strict=True)):
        if names is None:
            unknown += bool(scores)
            continue
        for score, name in zip(scores or (), names, strict=True):
            table[row, column[name]] = score
    return RaterScores(tuple(column), table, not any(map(is_place, column)), unknown)


def count_names(items: pl.DataFrame) -> int | None:
    """Return how many raters have names, without their table; None where scores have places at most."""
    if not has_raters(items):
        return None
    names = items[RATED_BY].drop_nulls().explode(empty_as_null=False).unique()
    return len(names) if len(names) and not any(map(is_place, names)) else None


def has_raters(items: pl.DataFrame) -> bool:
    """Return whether an item table says who gave its scores; a group may be called like that column."""
    return items.schema.get(RATED_BY) == RATED_BY_TYPE


def check_raters(items: pl.DataFrame) -> str | None:
    """Return what is wrong with a table's names of raters, None where nothing is."""
    if not has_raters(items):
        return None
    told = items.filter(pl.col(RATED_BY).is_not_null())
    names = told[RATED_BY]
    if (names.list.len() != told["scores"].list.len()).any():
        return "scores and names of raters that are not one for one"
    if (names.list.n_unique() != names.list.len()).any():
        return "a rater who scored an item twice"
    return "a rater without a name" if names.explode(empty_as_null=False).null_count() else None
