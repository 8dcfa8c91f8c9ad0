"""Coverage of `lager calibrate --folds`: of items of new texts, by models that are fitted to the same labels.

python benchmarks/simulations/cross_conformal.py [--replications 200]
"""

from __future__ import annotations

import argparse
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from lager.data.cache.readouts import Readouts
from lager.train.aggregator.cross_conformal import CrossCalibration
from lager.train.solvers.folds import cluster_folds
from lager.train.strategies.fit import fit_strategy
from numpy.typing import NDArray

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))
from support.readouts import from_arrays

LEVELS = (0.8, 0.9)
CLUSTERS = (10, 20, 40)
N_ENTRIES, NEW = 7, 40


def draw(number: int, n_clusters: int, *, unequal: bool) -> Readouts:
    """Draw texts with `NEW` more, five items each or 1 to some 40, whose quality and read-outs are alike within one."""
    rng = np.random.default_rng([number, n_clusters, unequal])
    sizes = np.full(n_clusters + NEW, 5)
    if unequal:
        sizes = np.maximum(1, np.rint(rng.lognormal(1.3, 1.0, len(sizes)))).astype(int)
    cluster = np.repeat(np.arange(len(sizes)), sizes)

    def alike() -> NDArray[np.float64]:
        return np.asarray(np.sqrt(0.5) * (rng.normal(size=len(sizes))[cluster] + rng.normal(size=len(cluster))))

    quality = alike()
    human = np.clip(np.rint(3 + quality[:, None] + 0.7 * rng.normal(size=(len(cluster), 3))), 1, 5).mean(axis=1)
    centre = np.stack([3 + 0.8 * quality * (entry > 2) + 0.6 * alike() for entry in range(N_ENTRIES)], axis=1)
    logits = -((np.arange(1, 6) - centre[:, :, None]) ** 2) / 2
    names = np.array([f"text{one}" for one in cluster], dtype=object)
    return replace(from_arrays(logits.astype(np.float32), human), cluster=names)


def covered(readouts: Readouts, n_clusters: int, strategy: str, n_folds: int) -> list[float]:
    """Return the share of new items that are held and the mean half width, for each level."""
    of_new = np.array([int(name.removeprefix("text")) >= n_clusters for name in readouts.cluster])
    labelled, new = readouts.take(~of_new), readouts.take(of_new)
    models, errors = [], []
    for fold in cluster_folds(labelled.cluster, len(labelled), n_folds, 42):
        model, unseen = fit_strategy(strategy, labelled.take(fold.train)), labelled.take(fold.test)
        models.append(model.predict(new))
        errors.append(np.abs(model.predict(unseen) - unseen.human))
    by_model = tuple(tuple(np.sort(one)) for one in errors)
    calibration = CrossCalibration(LEVELS, by_model, readouts.scale, n_clusters, "", "", "")
    score = np.mean(models, axis=0)
    found = []
    for low, high in calibration.intervals(score, np.array(models)).values():
        found += [((low <= new.human) & (new.human <= high)).mean(), (high - low).mean() / 2]
    return found


def main() -> None:
    """Print the table of docs/uncertainty.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replications", type=int, default=200)
    arguments = parser.parse_args()
    print("| strategy, sizes | clusters | folds | held at 80 % | half width | held at 90 % | half width |")
    print("|---|---|---|---|---|---|---|")
    for unequal in (False, True):
        for strategy in ("ridge", "lager-tuned"):
            for n_clusters, n_folds in ((10, 5), (10, 10), (20, 5), (40, 5)):
                runs = range(arguments.replications)
                drawn = [
                    covered(draw(number, n_clusters, unequal=unequal), n_clusters, strategy, n_folds) for number in runs
                ]
                means, spreads = np.mean(drawn, axis=0), np.std(drawn, axis=0)
                cells = [f"{100 * means[at]:.1f} ± {100 * spreads[at]:.1f} | {means[at + 1]:.2f}" for at in (0, 2)]
                sizes = "unequal" if unequal else "equal"
                print(f"| {strategy}, {sizes} | {n_clusters} | {n_folds} | {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
