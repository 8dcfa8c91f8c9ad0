"""The item table of a cache, checked against its manifest."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import polars as pl

from ..errors import LagerError
from ..files.canonical import sha256_file
from ..files.known_files import is_known, remember
from ..files.parquet import read_parquet
from ..items.items import TABLE_SCHEMA
from ..items.raters import check_raters
from ..scale import Scale
from .manifest import ITEMS
from .shard_files import check_sha256

_SLACK = 1e-6  # of the scale: scores that were mapped onto it are rounded


def read_item_table(folder: Path, manifest: dict[str, Any], *, verify: bool = True) -> pl.DataFrame:
    """Return a cache's item table."""
    path = folder / ITEMS
    try:
        sha256 = check_sha256(path, manifest["items"]["sha256"]) if verify else sha256_file(path)
        known = is_known(sha256)
        items = read_parquet(path, what="item table", trusted=known)
    except FileNotFoundError:
        raise LagerError(f"cache {folder} has no {ITEMS}: restore it from a copy") from None
    if not known:
        remember(sha256)
    wrong = [name for name, kind in TABLE_SCHEMA.items() if items.schema.get(name) != kind]
    if wrong or len(items) != manifest["items"]["rows"]:
        raise LagerError(
            f"{path} has {len(items)} rows and columns {', '.join(items.columns)}: expected "
            f"{manifest['items']['rows']} rows with {', '.join(TABLE_SCHEMA)}; restore it"
        )
    scale = Scale.from_json(manifest["scale"])
    slack = _SLACK * (scale.high - scale.low)
    on_scale = items["scores"].explode(empty_as_null=False).is_between(scale.low - slack, scale.high + slack)
    if items["item_id"].null_count() or items["scores"].null_count() or not on_scale.fill_null(False).all():
        raise LagerError(f"{path} has an item without an id, or a score that does not lie on {scale}; restore it")
    if problem := check_raters(items):
        raise LagerError(f"{path} has {problem}; restore it")
    return items
