"""Whether a complete cache may be given other items: rows that nobody asked to lose stay where they are."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from ...data.cache.feature_cache import FeatureCache
from ...data.cache.manifest import MANIFEST, RUN, read_run
from ...data.errors import LagerError
from ...data.items.lazy_items import ItemSource, blocks
from ..options.groups import RunOptions


def check_other_items(folder: Path, items: ItemSource, options: RunOptions) -> None:
    """Raise `LagerError` when a complete cache holds other items than these, and no option says what becomes of them.

    Called before a model is loaded. A run that is not complete goes on with any items, as one that never was.
    """
    if not (folder / MANIFEST).exists() or not (folder / RUN).exists():
        return
    if read_run(folder)["item_ids_sha256"] == items.ids.sha256 or options.replace:
        return
    cache = FeatureCache.open(folder)
    given = {name for block in blocks(items) for name in block.item_id}
    gone = np.array([name not in given for name in cache.item_id.tolist()])
    if not gone.any():
        if not options.extend:
            n = len(items) - cache.n_items
            more = f"and {n} more" if n else "in another order"
            raise LagerError(
                f"cache {folder} is complete with {cache.n_items} items; those given are the same {more}: give "
                "--extend to read them into it, or choose another folder for --cache"
            )
        return
    labelled = int(np.isfinite(cache.mean_scores[gone]).sum())
    scored = f", {labelled} with human scores," if labelled else ""
    raise LagerError(
        f"cache {folder} is complete, and {int(gone.sum())} of its {cache.n_items} items{scored} are not among the "
        f"{len(items)} given (the first: {cache.item_id[gone][0]}): give these too with --extend, choose another "
        "folder for --cache (`lager cache merge` joins two), or let them go with --replace"
    )
