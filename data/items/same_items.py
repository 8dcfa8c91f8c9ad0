"""Rows of a file that are joined by id: are they of the same items, as far as the file says more than ids."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import polars as pl

from ..errors import LagerError
from .values import label_text

#: The column of a file of scores by which its prompts are known, in hexadecimal digits.
PROMPT = "prompt_sha256"
_COMPARED = ("group", "cluster")


def check_same_items(
    rows: Sequence[Mapping[str, Any]],
    ids: Sequence[str],
    items: pl.DataFrame,
    *,
    path: Path,
    prompts: Mapping[str, str] | None = None,
) -> bool:
    """Check that rows of a file are of the items that have their ids; ids may be row numbers of other files.

    Groups and clusters are compared where both have them. Prompt hashes are where some agree: of a file made with
    another tokenizer or template none does, and they tell nothing.
    """
    compared = False
    for name in _COMPARED:
        if any(row.get(name) is not None for row in rows) and not items[name].is_null().all():
            compared = True
            known = dict(zip(items["item_id"], items[name].cast(pl.String), strict=True))
            said = [
                label_text(row.get(name), what=f"{path}: {name} of {i!r}") for i, row in zip(ids, rows, strict=True)
            ]
            found = [(i, one, known[i]) for i, one in zip(ids, said, strict=True) if one is not None]
            _refuse([one for one in found if one[2] is not None and one[1] != one[2]], len(rows), name, path)
    hashes = (
        [(i, str(row[PROMPT]), prompts[i]) for i, row in zip(ids, rows, strict=True) if row.get(PROMPT)]
        if prompts
        else []
    )
    others = [one for one in hashes if one[1] != one[2]]
    if len(others) < len(hashes):
        compared = True
        _refuse(others, len(rows), PROMPT, path)
    return compared


def _refuse(differs: Sequence[tuple[str, str, str]], n: int, name: str, path: Path) -> None:
    if differs:
        item, theirs, own = differs[0]
        raise LagerError(
            f"{path}: {len(differs)} of {n} rows are of other items than those of their ids: {item!r} has {name} "
            f"{theirs[:40]!r} there and {own[:40]!r} here; give scores of these items, or leave a column {name} that "
            "means something else out"
        )
