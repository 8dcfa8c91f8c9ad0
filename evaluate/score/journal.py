"""Writing scores as they come, so that a run that was killed goes on where it stopped.

Beside the output lie, until it is complete, `OUT.partial`, the finished rows as JSON lines in input order, and
`OUT.partial.json`, which says what is scored and how far the first can be believed. Rows past that are cut off.
`OUT.partial.lock` is held while one process writes there; a second one is refused.
"""

from __future__ import annotations

import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import polars as pl

from ...data.errors import LagerError
from ...data.files.canonical import check_seal, seal
from ...data.files.csv_cells import text_cell
from ...data.files.locks import disown, own
from ...data.files.writing import read_json, refuse_existing, replacing, write_json
from ...data.scale import Scale
from .kept_columns import as_text, check_kept
from .scored_rows import PROBABILITY, TEXTS, schema

ENDINGS = (".jsonl", ".csv", ".parquet")
_WHAT = "score file"


class ScoreJournal:
    """The output of one run, held by one process until the block that it is used in ends.

    Parameters
    ----------
    out : Path
        Where the scores go; its ending says as what. Must not exist.
    scale : Scale
        The labels.
    of : dict
        What is scored and by what, JSON types only: a run goes on only where this is the same.
    levels : sequence of float
        Of the intervals that rows have.
    decides : bool
        Whether rows have a decision.
    beside : sequence of str
        Columns of the items that rows have too, right after their ids.
    raw : bool
        Leave cells of CSV as they are that a spreadsheet takes for formulas.

    Attributes
    ----------
    n_rows : int
        Rows that are written.
    kept : dict
        What `append` was last told to keep.

    Raises
    ------
    LagerError
        When the output exists, another process writes it, its name has another ending, or what an earlier run began is
        of something else.
    """

    def __init__(
        self,
        out: Path,
        scale: Scale,
        of: dict[str, Any],
        *,
        levels: Sequence[float] = (),
        decides: bool = False,
        beside: Sequence[str] = (),
        raw: bool = False,
    ) -> None:
        check_output(out)
        check_kept(beside, scale, levels=levels, decides=decides)
        self.out, self.scale, self.levels, self._of, self._raw = out, scale, tuple(levels), of, raw
        self.decides, self.beside = decides, tuple(beside)
        if beside:
            self._of = {**of, "keep_columns": list(beside)}
        self._rows = out.with_name(f"{out.name}.partial")
        self._state = out.with_name(f"{out.name}.partial.json")
        self.n_rows = self._n_bytes = 0
        self.kept: dict[str, Any] = {}
        self._lock = own(out.with_name(f"{out.name}.partial.lock"), what=f"--out {out}")
        try:
            self._begin()
        except BaseException:
            disown(self._lock)
            raise

    def __enter__(self) -> ScoreJournal:
        """Hold the output for a block."""
        return self

    def __exit__(self, *_: object) -> None:
        """Let other processes have the output, finished or not."""
        disown(self._lock)

    def append(
        self, rows: pl.DataFrame, *, beside: Sequence[dict[str, Any]] = (), keep: dict[str, Any] | None = None
    ) -> None:
        """Write rows, with what the items have `beside` them, and remember `keep` for the run that goes on."""
        own = beside or [{}] * len(rows)
        pairs = zip(rows.iter_rows(named=True), own, strict=True)
        text = "".join(json.dumps(self._row(row, more), ensure_ascii=False) + "\n" for row, more in pairs)
        try:
            with self._rows.open("ab") as file:
                file.write(text.encode())
                file.flush()
                os.fsync(file.fileno())
        except OSError as error:
            raise LagerError(f"cannot write {self._rows}: {error.strerror or error}") from None
        self.n_rows += len(rows)
        self._n_bytes += len(text.encode())
        self.kept = dict(keep or {})
        state = {"of": self._of, "rows": self.n_rows, "bytes": self._n_bytes, "kept": self.kept}
        write_json(self._state, seal(state))

    def finish(self) -> None:
        """Give the output its name, in its format."""
        check_output(self.out)
        if self.out.suffix == ".jsonl":
            self._rows.replace(self.out)
        else:
            with self._rows.open("rb") as rows, replacing(self.out) as temporary:  # a path would be read as a pattern
                own = schema(self.scale, self.levels, decides=self.decides)
                columns = {"id": own["id"], **dict.fromkeys(self.beside, pl.String), **own}
                flat = pl.scan_ndjson(rows, schema=columns)
                if self.out.suffix == ".csv":
                    texts = map(text_cell, (*TEXTS, *self.beside))
                    (flat if self._raw else flat.with_columns(texts)).sink_csv(temporary)
                else:
                    flat.sink_parquet(temporary)
            self._rows.unlink(missing_ok=True)
        self._state.unlink(missing_ok=True)

    def _row(self, row: dict[str, Any], more: dict[str, Any]) -> dict[str, Any]:
        """Return a row as JSON: in a JSON file the distribution is one object, and other columns keep their types."""
        if self.out.suffix != ".jsonl":
            return {"id": row["id"], **{name: as_text(value) for name, value in more.items()}, **row}
        proba = {label: row[f"{PROBABILITY}{label}"] for label in self.scale.labels}
        known = any(value is not None for value in proba.values())
        nested = {"id": row["id"], **more, "score": row["score"], "distribution": proba if known else None}
        return nested | {name: value for name, value in row.items() if not name.startswith(PROBABILITY)}

    def _begin(self) -> None:
        """Take up what an earlier run left, or make an empty file."""
        check_output(self.out)  # who held the lock before may have finished it
        for path in (self._rows, self._state):
            if path.is_symlink():
                raise LagerError(f"{path} is a link, which lager did not make: remove it, or choose another name")
        if self._state.exists():
            self._go_on()
            return
        try:
            self._rows.write_bytes(b"")
        except OSError as error:
            raise LagerError(f"cannot write {self._rows}: {error.strerror or error}") from None

    def _go_on(self) -> None:
        """Take over what an earlier run of the same wrote; rows that it may not have finished are cut off."""
        state = read_json(self._state, what="record of an interrupted run")
        check_seal(state, self._state)
        if state.get("of") != self._of:
            raise LagerError(
                f"{self._rows} was begun with another aggregator, model, cache or items, or other options: remove it "
                f"and {self._state.name}, or choose another name for --out"
            )
        size = self._rows.stat().st_size if self._rows.exists() else 0
        if size < state["bytes"]:
            raise LagerError(f"{self._rows} is shorter than {self._state.name} says: remove both to begin anew")
        os.truncate(self._rows, state["bytes"])
        self.n_rows, self._n_bytes, self.kept = state["rows"], state["bytes"], state["kept"]


def check_output(out: Path) -> None:
    """Raise `LagerError` when the output exists, or its name does not say as what it is to be written."""
    if out.suffix not in ENDINGS:
        raise LagerError(f"--out {out}: expected a name that ends in {', '.join(ENDINGS)}")
    refuse_existing(out, what=_WHAT)
