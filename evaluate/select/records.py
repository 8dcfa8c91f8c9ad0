"""Records that can be selected: each with its score, and with what the source says of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from math import fsum
from pathlib import Path
from typing import Any, NamedTuple

from ...data.errors import LagerError
from ...data.items.score_rows import ScoreRows
from ...data.items.small_files import parse_id, parse_scores, read_rows
from .same_records import check_same_records, number_note

_LISTED = 3


class Record(NamedTuple):
    """One record.

    Attributes
    ----------
    record_id : str
    score : float
        The judge's, the mean over criteria where there are several.
    row : mapping
        The record's columns.
    """

    record_id: str
    score: float
    row: Mapping[str, Any]


class ScoredRecords(NamedTuple):
    """Records with a score in the order of their file, the ids of those without one, and what should be known."""

    records: list[Record]
    unscored: list[str]
    notes: list[str]


def read_scored_records(
    scores: Path, *, column: str = "score", items: Path | None = None, average: bool = False
) -> ScoredRecords:
    """Read scores by id and join them to the records of another file."""
    file, notes = ScoreRows(scores, what="score file"), list[str]()
    rows, known = file.rows, None if items is None else _read_items(items)
    if not any(column in row for row in rows):
        columns = list(dict.fromkeys(name for row in rows for name in row))
        raise LagerError(f"{scores} has no column {column!r}: it has {', '.join(columns)}; name one with --column")
    ids = file.ids(None if average else known)
    found = [_one_score(row.get(column), number, scores, column) for number, row in enumerate(rows, start=1)]
    by_id = dict(zip(ids, found, strict=True))
    if average:
        by_id, rows_by_id = _means(by_id, scores), dict[str, dict[str, Any]]()
    else:
        rows_by_id = dict(zip(ids, rows, strict=True))
    if known is not None and items is not None:
        rows_by_id = known
        if unknown := [i for i in by_id if i not in rows_by_id]:
            raise LagerError(
                f"{scores}: {len(unknown)} of {len(by_id)} ids are not in {items} (first: "
                f"{', '.join(map(repr, unknown[:_LISTED]))}); {_hint(unknown[0], average)}"
            )
        if not check_same_records(rows, ids, known, scores=scores, items=items, average=average):
            notes = number_note(ids, scores, items)
        by_id = {i: by_id.get(i) for i in rows_by_id}
    records = [Record(i, score, rows_by_id.get(i, {})) for i, score in by_id.items() if score is not None]
    if not records:
        raise LagerError(f"{scores}: none of the {len(by_id)} records has a score in column {column!r}")
    return ScoredRecords(records, [i for i, score in by_id.items() if score is None], notes)


def _one_score(value: Any, number: int, path: Path, column: str) -> float | None:
    """Return a row's score, None where it is empty."""
    scores = parse_scores(value, row=number, path=path, column=column)
    if len(scores) > 1:
        raise LagerError(f"{path}, row {number}: {column} holds {len(scores)} scores, expected one number")
    return scores[0] if scores else None


def _means(by_id: Mapping[str, float | None], path: Path) -> dict[str, float | None]:
    """Average RECORD/CRITERION over the criteria; None for a record that lacks one."""
    of_record: dict[str, dict[str, float | None]] = {}
    for item_id, score in by_id.items():
        record, slash, criterion = item_id.rpartition("/")
        if not slash:
            raise LagerError(f"{path}: id {item_id!r} is not RECORD/CRITERION: leave --average out")
        of_record.setdefault(record, {})[criterion] = score
    criteria = dict.fromkeys(criterion for scores in of_record.values() for criterion in scores)
    return {record: _mean([scores.get(one) for one in criteria]) for record, scores in of_record.items()}


def _mean(scores: Sequence[float | None]) -> float | None:
    given = [score for score in scores if score is not None]
    return fsum(given) / len(given) if len(given) == len(scores) else None


def _read_items(path: Path) -> dict[str, dict[str, Any]]:
    """Return the records by id, the row number from 0 where they have none."""
    rows = read_rows(path)
    out: dict[str, dict[str, Any]] = {}
    for number, row in enumerate(rows):
        record_id = parse_id(row.get("id", number), row=number + 1, path=path)
        if record_id in out:
            raise LagerError(f"{path}, row {number + 1}: id {record_id!r} is there twice: ids must be unique")
        out[record_id] = row
    return out


def _hint(unknown: str, average: bool) -> str:
    if not average and "/" in unknown:
        return "ids that are RECORD/CRITERION take --average"
    return "give the file that the scores were made from"
