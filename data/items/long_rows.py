"""Human scores in long form: a row for each rater of an item, with columns id, rater and score."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ..errors import LagerError
from .raters import Rated, rater_name
from .small_files import parse_scores

#: The column whose presence says that a file is long.
RATER = "rater"


def by_item(rows: Sequence[Mapping[str, Any]], ids: Sequence[str], *, path: Path) -> tuple[list[str], Rated]:
    """Return the items of the rows, in the order in which they are met, with their scores and raters.

    The raters of every item are in one order, that of the file. A row with a blank score is an item that its rater left
    out.
    """
    given: dict[str, dict[str, float | None]] = {item: {} for item in ids}
    for number, (item, row) in enumerate(zip(ids, rows, strict=True), start=1):
        name = rater_name(row.get(RATER), number=number, path=path)
        if name in given[item]:
            raise LagerError(f"{path}, row {number}: rater {name!r} scores item {item!r} again: keep one of the rows")
        found = parse_scores(row.get("score"), row=number, path=path)
        if len(found) > 1:
            raise LagerError(f"{path}, row {number}: score holds {len(found)} scores, expected one in a rater's row")
        given[item][name] = found[0] if found else None
    names = list(dict.fromkeys(name for of_item in given.values() for name in of_item))
    return list(given), Rated.of([[of_item.get(name) for name in names] for of_item in given.values()], names)
