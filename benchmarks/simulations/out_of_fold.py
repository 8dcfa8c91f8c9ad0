"""Agreement out of fold where there is none to find: random labels, alike within clusters, should give 0 on the mean.

Run: python benchmarks/simulations/out_of_fold.py [--replications 1000] [--clusters 8,20,50] [--strategies ridge,...]
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from lager.data.cache.readouts import Readouts
from lager.evaluate.agreement.agreement import evaluate_scores
from lager.evaluate.agreement.fold_scores import FoldScores
from lager.train.solvers.folds import cluster_folds
from lager.train.strategies.fit import fit_strategy
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))
from support.readouts import from_arrays

METRICS = ("spearman", "pearson", "kendall")
N_ENTRIES, N_LABELS, SIZE, N_FOLDS = 7, 5, 5, 5


def draw(n_clusters: int, number: int) -> Readouts:
    """Return items whose read-outs and labels are alike within clusters and have nothing to do with each other."""
    rng = np.random.default_rng([number, n_clusters])
    cluster = np.repeat(np.arange(n_clusters), SIZE)
    shape = (N_ENTRIES, N_LABELS)
    logits = rng.normal(size=(n_clusters, *shape))[cluster] + rng.normal(size=(len(cluster), *shape))
    human = np.clip(np.rint(3 + 0.8 * (rng.normal(size=n_clusters)[cluster] + rng.normal(size=len(cluster)))), 1, 5)
    names = np.array([f"c{one}" for one in cluster], dtype=object)
    return replace(from_arrays(logits.astype(np.float32), human), cluster=names)


def out_of_fold(readouts: Readouts, strategy: str) -> tuple[NDArray[np.float64], FoldScores]:
    """Return the scores out of fold, and what every fold's model makes of all items."""
    by_model, fold = np.empty((N_FOLDS, len(readouts))), np.empty(len(readouts), dtype=np.intp)
    for number, split in enumerate(cluster_folds(readouts.cluster, len(readouts), N_FOLDS, 42)):
        by_model[number] = fit_strategy(strategy, readouts.take(split.train)).predict(readouts)
        fold[split.test] = number
    return by_model[fold, np.arange(len(fold))], FoldScores(by_model, fold)


def within_folds(human: NDArray[np.float64], scores: NDArray[np.float64], fold: NDArray[np.intp]) -> list[float]:
    """Return the mean of each fold's own figures, weighted by its items: what only compares items of one model."""
    found, sizes = [], np.bincount(fold)
    for number in range(N_FOLDS):
        rows = fold == number
        metrics = evaluate_scores(human[rows], {"j": scores[rows]}, metrics=METRICS, resamples=0)["j"].metrics
        found.append([np.nan if one.estimate is None else one.estimate for one in metrics.values()])
    there = ~np.isnan(found)
    weight = there * sizes[:, None]
    with np.errstate(invalid="ignore"):
        return list((np.nan_to_num(found) * weight).sum(axis=0) / weight.sum(axis=0))


def figures(readouts: Readouts, strategy: str) -> NDArray[np.float64]:
    """Return the metrics of scores put together as they are, on one footing, and within folds: (3, n_metrics)."""
    scores, folded = out_of_fold(readouts, strategy)
    rows = []
    for given in (None, {"j": folded}):
        found = evaluate_scores(readouts.human, {"j": scores}, folded=given, metrics=METRICS, resamples=0)["j"].metrics
        rows.append([np.nan if one.estimate is None else one.estimate for one in found.values()])
    return np.array([*rows, within_folds(readouts.human, scores, folded.fold)])


def main() -> None:
    """Print the table of docs/metrics.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replications", type=int, default=1000)
    parser.add_argument("--clusters", default="8,20,50")
    parser.add_argument("--strategies", default="group-mean,ridge,best-layer,ordinal,lager-tuned")
    options = parser.parse_args()
    print("| strategy | clusters | as they are | on one footing | within folds | simulation error | undefined, % |")
    print("|---|---|---|---|---|---|---|")
    for n_clusters in map(int, options.clusters.split(",")):
        for strategy in options.strategies.split(","):
            runs = range(options.replications)
            found = np.array([figures(draw(n_clusters, number), strategy) for number in runs])
            defined = ~np.isnan(found[:, 1, 0])
            if not defined.any():
                means, error = ("- / - / -",) * 3, "-"
            else:
                means = tuple(" / ".join(f"{one:+.3f}" for one in row) for row in np.nanmean(found, axis=0))
                error = f"{np.nanstd(found[:, 1, 0]) / np.sqrt(defined.sum()):.3f}"
            cells = (strategy, n_clusters, *means, error, f"{100 * (1 - defined.mean()):.0f}")
            print(f"| {' | '.join(map(str, cells))} |", flush=True)


if __name__ == "__main__":
    main()
