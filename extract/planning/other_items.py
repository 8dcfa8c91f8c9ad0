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
    """Raise `LagerError` when a complete cache would lose rows or human scores, and no option says that it may.

    Called before a model is loaded. A run that is not complete goes on with any items, as one that never was.
    """
    if not (folder / MANIFEST).exists() or not (folder / RUN).exists() or options.replace:
        return
    same = read_run(folder)["item_ids_sha256"] == items.ids.sha256
    try:
        cache = FeatureCache.open(folder)
    except LagerError:
        if same:
            return  # what is damaged is read again
        raise
    if not same:
        _check_ids(cache, items, options)
    _check_scores(cache, items)


def _check_ids(cache: FeatureCache, items: ItemSource, options: RunOptions) -> None:
    """Raise `LagerError` when items of a cache are not among these, or all are and nobody asked for more."""
    given = {name for block in blocks(items) for name in block.item_id}
    names = cache.items["item_id"].to_list()  # of the item table: a damaged shard is read again
    gone = np.array([name not in given for name in names])
    if not gone.any():
        if not options.extend:
            n = len(items) - cache.n_items
            more = f"and {n} more" if n else "in another order"
            raise LagerError(
                f"cache {cache.path} is complete with {cache.n_items} items; those given are the same {more}: give "
                "--extend to read them into it, or choose another folder for --cache"
            )
        return
    labelled = int(np.isfinite(cache.mean_scores[gone]).sum())
    scored = f", {labelled} with human scores," if labelled else ""
    raise LagerError(
        f"cache {cache.path} is complete, and {int(gone.sum())} of its {cache.n_items} items{scored} are not among "
        f"the {len(items)} given (the first: {names[int(gone.argmax())]}): give these too with --extend, choose "
        "another folder for --cache (`lager cache merge` joins two), or let them go with --replace"
    )


def _check_scores(cache: FeatureCache, items: ItemSource) -> None:
    """Raise `LagerError` when items that have human scores in a cache are given without any."""
    labelled = set(cache.items["item_id"].filter(cache.items["scores"].list.len() > 0).to_list())
    if not labelled:
        return
    lost = [
        name
        for block in blocks(items)
        for name, n in zip(block.item_id, block.table["scores"].list.len().fill_null(0), strict=True)
        if not n and name in labelled
    ]
    if lost:
        raise LagerError(
            f"cache {cache.path} is complete, and {len(lost)} of its items have human scores that the items given lack "
            f"(the first: {lost[0]}), as `lager cache label` writes them: they would go. Put them into the item file; "
            "or give --replace, and label the cache again"
        )


def check_same_prompts(cache: FeatureCache, changed: int) -> None:
    """Raise `LagerError` when items of a complete cache come with other prompts under their ids."""
    if changed:
        raise LagerError(
            f"cache {cache.path} is complete, and {changed} of its {cache.n_items} items come with other prompts under "
            "the same ids: give --replace to read them anew, or choose another folder for --cache"
        )
