"""Human scores that come in a file of their own, after an extraction."""

from __future__ import annotations

import difflib
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import polars as pl
from numpy.typing import NDArray

from ..errors import LagerError
from ..scale import Scale
from .small_files import check_columns, parse_scores, read_ids, read_rows

_LISTED = 3


def read_scores(path: Path, scale: Scale, *, known: set[str], whose: str) -> dict[str, list[float]]:
    """Read a file with columns id and score.

    Parameters
    ----------
    path : Path
        JSONL, CSV or Parquet. A score is a number, a list with one number per annotator, or empty.
    scale : Scale
        What the scores have to lie on.
    known : set of str
        The ids that scores may be given for.
    whose : str
        What to call the owner of these ids in messages.

    Returns
    -------
    dict
        Id to every annotator's score.

    Raises
    ------
    LagerError
        When the file is malformed, repeats an id, names an unknown one, or a score is off the scale.
    """
    rows = read_rows(path, what="score file")
    check_columns(rows, ("id", "score"), path=path)
    ids = read_ids(rows, path=path)
    if unknown := [i for i in ids if i not in known]:
        shown = ", ".join(map(repr, unknown[:_LISTED]))
        raise LagerError(
            f"{path}: {len(unknown)} of {len(ids)} ids are not in {whose} (first: {shown}): score its own items"
        )
    scores = {
        i: parse_scores(row["score"], row=n, path=path) for n, (i, row) in enumerate(zip(ids, rows, strict=True), 1)
    }
    outside = [(i, s) for i, given in scores.items() for s in given if not scale.low <= s <= scale.high]
    if outside:
        raise LagerError(
            f"{path}: {len(outside)} scores lie outside the scale {scale} of {whose} (first: {outside[0][1]:g} of "
            f"{outside[0][0]!r}): bring them onto the scale"
        )
    return scores


_LABELS = ("group", "cluster", "system")


class ExternalScores(NamedTuple):
    """Another judge's scores of the items that are evaluated.

    Parameters
    ----------
    name : str
        What the table calls it.
    scores : ndarray of shape (n_items,)
        NaN where it has none.
    """

    name: str
    scores: NDArray[np.float64]


def read_human_scores(path: Path, scale: Scale | None) -> pl.DataFrame:
    """Read a file with columns id and score, and any others, as a table of items.

    Parameters
    ----------
    path : Path
        JSONL, CSV or Parquet. A score is a number, a list of the annotators' numbers, or empty.
    scale : Scale or None
        What the scores have to lie on.

    Returns
    -------
    polars.DataFrame
        item_id, scores, group, cluster, system (null where the file has no such column), and its further columns as
        text.

    Raises
    ------
    LagerError
        When the file is malformed, repeats an id, has no score at all, or one is off the scale.
    """
    rows = read_rows(path, what="score file")
    columns = list(dict.fromkeys(name for row in rows for name in row))
    for name in ("id", "score"):
        _check_column(name, columns, path)
    ids = read_ids(rows, path=path)
    scores = [parse_scores(row.get("score"), row=n, path=path) for n, row in enumerate(rows, start=1)]
    if not any(scores):
        raise LagerError(f"{path} has {len(rows)} rows and no human score in any: fill column 'score'")
    if scale is not None:
        given = [(i, score) for i, of_item in zip(ids, scores, strict=True) for score in of_item]
        _check_on_scale(given, scale, path, "score")
    extra = [name for name in columns if name not in {"id", "score", "item_id", "scores", *_LABELS}]
    table = {name: [None if row.get(name) is None else str(row[name]) for row in rows] for name in (*_LABELS, *extra)}
    schema: dict[str, Any] = {
        "item_id": pl.String,
        "scores": pl.List(pl.Float64),
        **dict.fromkeys((*_LABELS, *extra), pl.String),
    }
    return pl.DataFrame({"item_id": ids, "scores": scores, **table}, schema=schema)


def read_external(
    specs: Sequence[str], items: pl.DataFrame, scale: Scale | None, *, taken: Sequence[str] = ()
) -> list[ExternalScores]:
    """Read judges' scores from ``FILE:COLUMN``, one after the other.

    Parameters
    ----------
    specs : sequence of str
        The file has a column id and the one named.
    items : polars.DataFrame
        The items that are evaluated, with item_id.
    scale : Scale or None
        What the scores have to lie on.
    taken : sequence of str
        Names that the table has already.

    Raises
    ------
    LagerError
        When a file is malformed or has no such column, ids repeat or are not among the items, a score is no number or
        off the scale, or two judges would have one name.
    """
    row_of = {item: row for row, item in enumerate(items["item_id"])}
    out: list[ExternalScores] = []
    parsed = [_parse(spec) for spec in specs]
    columns = [column for _, column in parsed]
    for path, column in parsed:
        plain = columns.count(column) == 1 and column not in taken
        name = column if plain else f"{path.stem}:{column}"
        if name in taken or any(name == other.name for other in out):
            raise LagerError(f"two judges would both be called {name}: rename a file or its column")
        out.append(ExternalScores(name, _join(path, column, row_of, scale)))
    return out


def _parse(spec: str) -> tuple[Path, str]:
    path, colon, column = spec.rpartition(":")
    if not (path and colon and column):
        raise LagerError(f"--external {spec!r}: expected FILE:COLUMN, such as gpt.csv:rating")
    return Path(path), column


def _join(path: Path, column: str, row_of: dict[str, int], scale: Scale | None) -> NDArray[np.float64]:
    rows = read_rows(path, what="file of external scores")
    columns = list(dict.fromkeys(name for row in rows for name in row))
    for name in ("id", column):
        _check_column(name, columns, path)
    ids = read_ids(rows, path=path)
    if unknown := [i for i in ids if i not in row_of]:
        shown = ", ".join(map(repr, unknown[:_LISTED]))
        raise LagerError(
            f"{path}: {len(unknown)} of {len(ids)} ids are not among the {len(row_of)} evaluated items (first: "
            f"{shown}): give scores of these items only, under their ids"
        )
    out = np.full(len(row_of), np.nan)
    given = []
    for number, (item, row) in enumerate(zip(ids, rows, strict=True), start=1):
        scores = parse_scores(row.get(column), row=number, path=path, column=column)
        if len(scores) > 1:
            raise LagerError(f"{path}, row {number}: {column} holds {len(scores)} scores, expected one number a judge")
        if scores:
            out[row_of[item]] = scores[0]
            given.append((item, scores[0]))
    if not given:
        raise LagerError(
            f"{path}: column {column!r} is empty in all {len(rows)} rows: name the one that holds the scores"
        )
    if scale is not None:
        _check_on_scale(given, scale, path, column)
    return out


def _check_column(name: str, columns: Sequence[str], path: Path) -> None:
    if name not in columns:
        raise LagerError(f"{path} has no column {name!r}: {nearest(name, columns)}")


def nearest(name: str, known: Sequence[str]) -> str:
    """Return a hint for a name that is not there: the nearest ones, and all."""
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    return (f"did you mean {' or '.join(near)}? " if near else "") + f"It has {', '.join(known)}"


def _check_on_scale(given: Sequence[tuple[str, float]], scale: Scale, path: Path, column: str) -> None:
    outside = [(item, score) for item, score in given if not scale.low <= score <= scale.high]
    if outside:
        raise LagerError(
            f"{path}: {len(outside)} of {len(given)} values of {column!r} lie outside the scale {scale} (first: "
            f"{outside[0][1]:g} of {outside[0][0]!r}): bring them onto the scale"
        )
