"""Coverage of calibrated intervals: 200 splits by cluster, simulated and on a real cache.

python benchmarks/simulations/conformal.py [--cache cache/summeval]
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path

import numpy as np
from lager.data.cache.feature_cache import FeatureCache
from lager.train.aggregator.conformal import conformal_radii
from lager.train.strategies.fit import fit_strategy
from numpy.typing import NDArray

LEVELS = (0.8, 0.9, 0.95)


def coverage(error: NDArray[np.float64], cluster: NDArray[np.object_], n_calibration: int, splits: int = 200) -> str:
    """Return mean and standard deviation over splits of the share of covered items of the other clusters."""
    names, shares = np.unique(cluster), []
    for split in range(splits):
        drawn = np.random.default_rng(split).permutation(names)[:n_calibration]
        calibrating = np.isin(cluster, drawn)
        radii = conformal_radii(error[calibrating], cluster[calibrating], levels=LEVELS, seed=split)
        shares.append([(error[~calibrating] <= radius).mean() for radius in radii.values()])
    table = np.array(shares)
    return " | ".join(f"{100 * m:.1f} ± {100 * s:.1f}" for m, s in zip(table.mean(0), table.std(0), strict=True))


def simulated(likeness: float, n_clusters: int = 600, size: int = 8) -> tuple[NDArray[np.float64], NDArray[np.object_]]:
    """Return errors of which `likeness` is the correlation within a cluster."""
    rng = np.random.default_rng(3)
    shared, own = rng.normal(size=(n_clusters, 1)), rng.normal(size=(n_clusters, size))
    error = np.abs(math.sqrt(likeness) * shared + math.sqrt(1 - likeness) * own).ravel()
    return error, np.repeat([f"text{i}" for i in range(n_clusters)], size).astype(object)


def judged(folder: Path, n_training: int = 10) -> tuple[NDArray[np.float64], NDArray[np.object_]]:
    """Return the errors of ridge, fitted on some clusters of a cache, on the others."""
    readouts = FeatureCache.open(folder).readouts()
    assert readouts.cluster is not None
    names = np.random.default_rng(42).permutation(np.unique(readouts.cluster.astype(str)))
    training = np.isin(readouts.cluster.astype(str), names[:n_training])
    rest = readouts.take(~training)
    aggregator = fit_strategy("ridge", readouts.take(training))
    assert rest.cluster is not None
    return np.abs(aggregator.predict(rest) - rest.human), rest.cluster


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cache", type=Path, help="with human scores and clusters, such as SummEval's")
    arguments = parser.parse_args()
    print("| errors | calibration clusters | 80 % | 90 % | 95 % |\n|---|---|---|---|---|")
    for likeness in (0.0, 0.5, 0.9):
        print(f"| simulated, correlation {likeness:g} within a cluster | 100 | {coverage(*simulated(likeness), 100)} |")
    if arguments.cache:
        errors, texts = judged(arguments.cache)
        for n in (40, 80):
            print(f"| {arguments.cache.name}, ridge fitted on 10 other clusters | {n} | {coverage(errors, texts, n)} |")
