"""Rows of a file of scores, under ids that a CSV file may hold as a spreadsheet's text (see `files.csv_cells`)."""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path
from typing import Any

from ..files.csv_cells import from_spreadsheet
from .small_files import read_ids, read_rows


class ScoreRows:
    """The rows of a file of scores.

    Attributes
    ----------
    path : Path
    rows : list of dict
        Its cells, what they were before they were marked as text.
    """

    def __init__(self, path: Path, *, what: str) -> None:
        self.path, self._written = path, read_rows(path, what=what)
        self._marks = path.suffix.lower() == ".csv"
        self.rows = self._written
        if self._marks:
            self.rows = [{_plain(name): _plain(cell) for name, cell in row.items()} for row in self._written]

    def ids(self, known: Collection[str] | None = None, *, repeated: bool = False) -> list[str]:
        """Return what the rows are called; as it stands in the file where only that is among those known, or unique.

        Ids may repeat where a file has a row for each rater of an item.
        """
        written = read_ids(self._written, path=self.path, repeated=repeated)
        plain = list(map(_plain, written)) if self._marks else written
        n_items = len(set(written))
        if len(set(plain)) < n_items:
            return written
        if known is None:
            return plain
        found = [it if it in known and one not in known else one for one, it in zip(plain, written, strict=True)]
        # An apostrophe that others wrote was taken off those known, if they come from a CSV file too.
        bare = [_plain(one) if one not in known and _plain(one) in known else one for one in found]
        return bare if self._marks and len(set(bare)) == n_items else found


def _plain(cell: Any) -> Any:
    return from_spreadsheet(cell) if isinstance(cell, str) else cell
