"""Coverage of calibrated intervals: of new items, and of items of a text, simulated and on a real cache.

python benchmarks/simulations/conformal.py [--replications 1000] [--cache cache/summeval]
"""

from __future__ import annotations

import argparse
import math
from pathlib import Path
from typing import NamedTuple

import numpy as np
from lager.data.cache.feature_cache import FeatureCache
from lager.train.aggregator.conformal import conformal_radii
from lager.train.strategies.fit import fit_strategy
from numpy.typing import NDArray

LEVELS = (0.8, 0.9)
CLUSTERS = (10, 20, 40, 100)
_NEW_CLUSTERS = 20_000


class Scenario(NamedTuple):
    """How errors are drawn: clusters of five or unequal ones, likeness within one, spread by a cluster's size."""

    unequal: bool
    likeness: float
    growth: float

    def __str__(self) -> str:
        """Return a line's name in the table."""
        sizes = "unequal" if self.unequal else "equal"
        grows = {0.5: ", error grows with size", -0.2: ", error falls with size"}.get(self.growth, "")
        return f"{sizes}, likeness {self.likeness:g}{grows}"


SCENARIOS = [Scenario(False, likeness, 0.0) for likeness in (0.0, 0.7)]
SCENARIOS += [Scenario(True, likeness, growth) for growth in (0.0, 0.5, -0.2) for likeness in (0.0, 0.7)]


class Errors(NamedTuple):
    """Absolute errors of items, and their clusters' numbers from 0."""

    error: NDArray[np.float64]
    cluster: NDArray[np.intp]


def draw(rng: np.random.Generator, n_clusters: int, scenario: Scenario) -> Errors:
    """Draw clusters of 5 items, or of 1 to some 40 (median 4), with normal errors."""
    sizes = np.full(n_clusters, 5)
    if scenario.unequal:
        sizes = np.maximum(1, np.rint(rng.lognormal(1.3, 1.0, n_clusters))).astype(int)
    cluster = np.repeat(np.arange(n_clusters), sizes)
    shared, own = rng.normal(size=n_clusters)[cluster], rng.normal(size=len(cluster))
    error = np.abs(math.sqrt(scenario.likeness) * shared + math.sqrt(1 - scenario.likeness) * own)
    return Errors(error * (1 + scenario.growth * np.log(sizes[cluster])), cluster)


def covered(calibrating: Errors, new: Errors) -> list[float]:
    """Return the share of new items that are covered, and the mean of their clusters' shares, for each level."""
    radii = conformal_radii(calibrating.error, len(np.unique(calibrating.cluster)), levels=LEVELS)
    size = np.bincount(new.cluster)
    size = size[size > 0]
    codes = np.unique(new.cluster, return_inverse=True)[1]
    shares = []
    for radius in radii.values():
        inside = new.error <= radius
        shares += [float(inside.mean()), float((np.bincount(codes, weights=inside) / size).mean())]
    return shares


def simulated(scenario: Scenario, n_clusters: int, replications: int) -> NDArray[np.float64]:
    """Return what `covered` says of each of so many calibration sets."""
    new = draw(np.random.default_rng(0), _NEW_CLUSTERS, scenario)
    place = SCENARIOS.index(scenario)
    drawn = (
        draw(np.random.default_rng([number, n_clusters, place]), n_clusters, scenario) for number in range(replications)
    )
    return np.array([covered(one, new) for one in drawn])


def judged(folder: Path, n_training: int = 10) -> Errors:
    """Return the errors of ridge, fitted on some clusters of a cache, on the others."""
    readouts = FeatureCache.open(folder).readouts()
    assert readouts.cluster is not None
    names, codes = np.unique(readouts.cluster.astype(str), return_inverse=True)
    training = np.isin(codes, np.random.default_rng(42).permutation(len(names))[:n_training])
    rest = readouts.take(~training)
    aggregator = fit_strategy("ridge", readouts.take(training))
    return Errors(np.abs(aggregator.predict(rest) - rest.human), codes[~training])


def split(errors: Errors, n_calibration: int, splits: int) -> NDArray[np.float64]:
    """Return what `covered` says of random halves of the clusters of a real judge."""
    found = []
    for number in range(splits):
        drawn = np.random.default_rng(number).permutation(np.unique(errors.cluster))[:n_calibration]
        calibrating = np.isin(errors.cluster, drawn)
        parts = (Errors(errors.error[rows], errors.cluster[rows]) for rows in (calibrating, ~calibrating))
        found.append(covered(*parts))
    return np.array(found)


def row(name: str, n_clusters: int, shares: NDArray[np.float64]) -> str:
    """Return a line of the table."""
    means, spreads = 100 * shares.mean(axis=0), 100 * shares.std(axis=0)
    cells = [f"{means[at]:.1f} ± {spreads[at]:.1f} | {means[at + 1]:.1f}" for at in (0, 2)]
    return f"| {name} | {n_clusters} | {' | '.join(cells)} |"


def main() -> None:
    """Print the table of docs/uncertainty.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replications", type=int, default=1000)
    parser.add_argument("--cache", type=Path, help="with human scores and clusters, such as SummEval's")
    arguments = parser.parse_args()
    print("| errors | clusters | items at 80 % | texts | items at 90 % | texts |\n|---|---|---|---|---|---|")
    for scenario in SCENARIOS:
        for n_clusters in CLUSTERS:
            print(row(str(scenario), n_clusters, simulated(scenario, n_clusters, arguments.replications)), flush=True)
    if arguments.cache:
        errors = judged(arguments.cache)
        for n_clusters in (40, 80):
            print(row(f"{arguments.cache.name}, ridge", n_clusters, split(errors, n_clusters, 200)), flush=True)


if __name__ == "__main__":
    main()
