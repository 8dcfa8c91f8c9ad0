"""Sweeps: strategies by labels used and by folds, in parallel, to be stopped and taken up again."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import dataclass, replace
from pathlib import Path
from typing import cast

import numpy as np

from ...data.cache.feature_cache import FeatureCache
from ...data.cache.readouts import Readouts
from ...data.cache.same_readouts import differing_readouts, listed_names
from ...data.cache.stored_readouts import check_memory
from ...data.errors import LagerError
from ...data.files.canonical import sha256_json
from ...data.import_path import safe_path
from ...data.machine import run_with_parent
from ...train.solvers.folds import cluster_folds
from ...train.strategies.fit import why_not
from ...train.strategies.registry import expand, lookup
from ..evaluation.evaluated_items import evaluated_items
from ..evaluation.readings import reading_differences
from .cells import DrawBy, Row, SweepData, Work, plan, run_work
from .ranking import write_tables
from .store import SweepStore, key_of
from .unlabelled_groups import unlabelled_groups

FORMAT_VERSION = 2
# Batches of work handed out at once where a backend cannot give results back one by one.
_BATCHES_PER_WORKER = 4


@dataclass(frozen=True)
class Sweep:
    """A finished sweep.

    Parameters
    ----------
    rows : tuple of dict
        One per cell that was asked for.
    skipped : mapping of str to str
        Strategies without cells, and why.
    notes : tuple of str
        What a reader should know.
    new : int
        Cells that this run computed; the others were there.
    written : tuple of Path
        The tables.
    """

    rows: tuple[Row, ...]
    skipped: dict[str, str]
    notes: tuple[str, ...]
    new: int
    written: tuple[Path, ...]


def run_sweep(
    train: FeatureCache,
    test: FeatureCache,
    out: str | Path,
    *,
    strategies: Sequence[str] = ("all",),
    folds: int = 5,
    sizes: Sequence[int] = (50, 100, 200, 500, 1000),
    seeds: int = 10,
    draw: str = "items",
    jobs: int | None = -1,
    level: str | None = None,
    preset: str = "converged",
    seed: int = 42,
    progress: Callable[[float], None] | None = None,
) -> Sweep:
    """Fit every strategy on draws and folds of one cache and compare its scores with human scores."""
    data, notes = _data(train, test, level=level, preset=preset, folds=folds, seed=seed, draw=draw)
    names, skipped = _possible(expand(strategies), data)
    notes += unlabelled_groups(data, sizes, seeds=seeds, names=names)
    work, too_large = plan(names, n_labelled=len(data.train), folds=folds, sizes=sizes, seeds=seeds)
    if too_large:
        notes.append(
            f"left out sizes {', '.join(map(str, too_large))}: the training cache has {len(data.train)} labels"
        )
    if folds:
        cluster_folds(data.train.cluster, len(data.train), folds, seed)  # refuses too many before anything is written
    with SweepStore(Path(out), _identity(train, test, data)) as store:
        before = len(store.rows)
        _compute(store, work, data, jobs=jobs, progress=progress)
        written = write_tables(list(store.rows.values()), store.folder)
    asked = {key for one in work for key in one.keys()}  # noqa: SIM118
    rows = [row for row in store.rows.values() if key_of(row) in asked]
    for name in dict.fromkeys(row["strategy"] for row in rows):
        own = [row for row in rows if row["strategy"] == name]
        if all(row["spearman"] is None for row in own):
            notes.append(f"{name} has no figure: {next((row['reason'] for row in own if row['reason']), 'undefined')}")
    return Sweep(tuple(rows), skipped, tuple(notes), len(store.rows) - before, tuple(written))


def _compute(
    store: SweepStore, work: Sequence[Work], data: SweepData, *, jobs: int | None,
    progress: Callable[[float], None] | None,
) -> None:  # fmt: skip
    """Compute the cells that are not there yet, and keep each as it comes."""
    todo = [one for one in work if not store.done(one.keys())]
    total, done = len(work), len(work) - len(todo)
    with safe_path(), closing(_results(todo, data, jobs)) as results:
        for rows in results:
            store.append(rows)
            done += 1
            if progress is not None:
                progress(done / total)


def _results(todo: Sequence[Work], data: SweepData, jobs: int | None) -> Generator[list[Row], None, None]:
    """Yield rows as they are finished, on whatever backend joblib is configured with."""
    from joblib import Parallel, delayed, effective_n_jobs

    try:
        parallel = Parallel(n_jobs=jobs, return_as="generator_unordered")
        yield from parallel(delayed(run_with_parent)(run_work, work, data, parent=os.getpid()) for work in todo)
    except ValueError as error:
        if "return_as" not in str(error):
            raise
        size = _BATCHES_PER_WORKER * effective_n_jobs(jobs)
        for first in range(0, len(todo), size):
            some = todo[first : first + size]
            yield from Parallel(n_jobs=jobs)(
                delayed(run_with_parent)(run_work, work, data, parent=os.getpid()) for work in some
            )


def _data(
    train: FeatureCache, test: FeatureCache, *, level: str | None, preset: str, folds: int, seed: int, draw: str
) -> tuple[SweepData, list[str]]:
    """Return the labelled items of both caches and notes on them."""
    names = differing_readouts(*(cache.manifest["readout_inputs"] for cache in (train, test)))
    if names or train.n_layers != test.n_layers:
        raise LagerError(
            f"cache {train.path} has {train.n_layers} layers and cache {test.path} has {test.n_layers}, of other "
            f"read-outs ({listed_names(names or ['layers'])} differ): sweep caches of the same model and dtype"
        )
    if level not in {None, "pooled", "group"}:
        raise LagerError(f"unknown level {level!r} of a sweep: choose pooled or group")
    if draw not in {"items", "clusters"}:
        raise LagerError(f"unknown draw {draw!r}: choose items (one of each cluster in turn) or clusters (whole ones)")
    if level == "group" and test.column("group") is None:
        raise LagerError(f"level group needs groups, and cache {test.path} declares none: choose --level pooled")
    notes = train.clusters.notes
    if train.fingerprint != test.fingerprint or train.scale != test.scale:
        differs = ", ".join(reading_differences(train, test))
        notes.append(f"the training cache and the test cache were read in other ways: {differs}")
    labelled = [_labelled(train), _labelled(test)]
    chosen = level or ("pooled" if test.column("group") is None else "group")
    if train.content_hash != test.content_hash:
        seen = {one.tobytes() for one in train.prompt_sha256[train.valid]}
        shared = sum(one.tobytes() in seen for one in test.prompt_sha256[test.valid])
        if shared:
            notes.append(f"{shared} prompts of the test cache are in the training cache too: its curves are in-sample")
    else:
        notes.append("training and test cache are the same: the curves are in-sample, the folds are not")
    labelled = [replace(one, pooled=chosen == "pooled") for one in labelled]
    return SweepData(labelled[0], labelled[1], chosen, preset, folds, seed, cast("DrawBy", draw)), notes


def _labelled(cache: FeatureCache) -> Readouts:
    """Return a cache's labelled read-outs, in memory."""
    readouts = cache.readouts()
    rows = np.isfinite(readouts.human)
    if not rows.any():
        raise LagerError(f"cache {cache.path} has no valid items with a human score: add scores to its items")
    check_memory(readouts.logits, what="a sweep")
    return readouts.take(rows).loaded()


def _possible(names: Sequence[str], data: SweepData) -> tuple[list[str], dict[str, str]]:
    """Return the strategies that can be fitted on these caches, and why the others cannot."""
    skipped: dict[str, str] = {}
    for name in names:
        reason = why_not(name, data.train) if lookup(name).needs_fitting else None
        if lookup(name).bound_to_scale and data.train.scale != data.test.scale:
            reason = f"learns scores on the training scale {data.train.scale}, the test cache is on {data.test.scale}"
        if reason is not None:
            skipped[name] = reason
    return [name for name in names if name not in skipped], skipped


def _identity(train: FeatureCache, test: FeatureCache, data: SweepData) -> dict[str, object]:
    """Return what every row depends on; sizes, seeds and strategies may grow from run to run."""
    return {
        "format": "lager-sweep",
        "format_version": FORMAT_VERSION,
        "train": train.content_hash,
        "test": test.content_hash,
        "train_scores": sha256_json(train.scores),
        "test_scores": sha256_json(test.scores),
        "train_items": evaluated_items(train.items, train.scale),
        "test_items": evaluated_items(test.items, test.scale),
        "readout": train.readout_id,
        "train_reading": train.fingerprint,
        "test_reading": test.fingerprint,
        "level": data.level,
        "draw": data.draw_by,
        "preset": data.preset,
        "folds": data.folds,
        "seed": data.seed,
    }
