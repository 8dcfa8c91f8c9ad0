"""Human scores that come in a file of their own, after an extraction."""

from __future__ import annotations

from pathlib import Path

from .errors import LagerError
from .item_files import check_columns, parse_scores, read_ids, read_rows
from .scale import Scale

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
