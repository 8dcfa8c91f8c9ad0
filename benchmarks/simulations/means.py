"""How often 95 % intervals of `lager estimate` hold the true mean, and how wide they are beside those of labels alone.

Run: python benchmarks/simulations/means.py [--draws 2000] [--only fitted]
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np
from lager.data.errors import LagerError
from lager.evaluate.agreement.fold_scores import FoldScores
from lager.evaluate.estimate.cluster_sums import ClusterSums
from lager.evaluate.estimate.clustered_mean import clustered_means, difference, interval
from lager.evaluate.estimate.proxies import mixed, read_proxies
from lager.evaluate.estimate.random_labels import random_labels_p
from lager.evaluate.estimate.sampling_weights import sampling_weights
from lager.train.solvers.folds import cluster_folds
from numpy.typing import NDArray

Floats = NDArray[np.float64]
MEAN = 3.0


class Scenario(NamedTuple):
    """How items are drawn and labelled.

    `labelled` clusters have labels, in `clusters` mode whole ones and four times as many have none; in `items` mode a
    fifth of the items of all. `correlation` is the judge's with people; `judge` one, several, fitted on the labels by
    folds, or drawn by its doubt with known probabilities.
    """

    design: str
    labelled: int
    unequal: bool
    likeness: float
    correlation: float
    judge: str = "one"

    def __str__(self) -> str:
        """Return a line's name in the table."""
        sizes = "unequal" if self.unequal else "equal"
        return (
            f"{self.judge:<8} {self.design:<8} {self.labelled:>3} {sizes:<7} {self.likeness:.1f} {self.correlation:.1f}"
        )


def scenarios() -> Iterator[Scenario]:
    """Yield all scenarios."""
    for judge, design in (("one", "clusters"), ("fitted", "clusters"), ("one", "items"), ("doubt", "items")):
        for labelled in (10, 20, 40):
            yield Scenario(design, labelled, True, 0.7, 0.6, judge)
    for judge in ("one", "fitted"):
        for labelled in (10, 20, 40):
            yield Scenario("clusters", labelled, True, 0.7, 0.0, judge)
            yield Scenario("clusters", labelled, True, 0.2, 0.9, judge)
            yield Scenario("clusters", labelled, False, 0.7, 0.6, judge)
    for labelled in (10, 20, 40):
        yield Scenario("clusters", labelled, True, 0.7, 0.6, "several")


class Drawn(NamedTuple):
    """Items of two systems: human scores, which are labelled, the judges' scores, clusters, probabilities."""

    human: Floats
    labelled: NDArray[np.bool_]
    judges: Mapping[str, Floats | FoldScores]
    cluster: NDArray[np.intp]
    domain: NDArray[np.intp]
    probability: Floats | None


def draw(rng: np.random.Generator, scenario: Scenario) -> Drawn:
    """Draw clusters of items of two systems, of which the second is .3 better, and a judge who prefers it by 1."""
    n_clusters = 5 * scenario.labelled
    sizes = np.full(n_clusters, 6)
    if scenario.unequal:
        sizes = np.maximum(2, np.rint(rng.lognormal(np.log(6) - 0.32, 0.8, n_clusters))).astype(int)
    cluster = np.repeat(np.arange(n_clusters), sizes)
    domain = rng.integers(0, 2, len(cluster))

    def alike() -> Floats:
        own = np.sqrt(1 - scenario.likeness) * rng.normal(size=len(cluster))
        return np.asarray(np.sqrt(scenario.likeness) * rng.normal(size=n_clusters)[cluster] + own)

    def seen(correlation: float) -> Floats:
        return correlation * quality + np.sqrt(1 - correlation**2) * alike()

    quality = alike()
    human = MEAN + quality + 0.3 * (domain - 0.5)
    judge = 3.4 + seen(scenario.correlation) + domain
    probability = None
    labelled = cluster < scenario.labelled if scenario.design == "clusters" else rng.random(len(cluster)) < 0.2
    if scenario.judge == "doubt":
        doubt = np.exp(0.7 * seen(0.5))
        probability = np.clip(doubt / doubt.mean() * 0.2, 0.05, 1.0)
        labelled = rng.random(len(cluster)) < probability
    judges: dict[str, Floats | FoldScores] = {"judge": judge}
    if scenario.judge == "several":
        judges = {str(layer): seen(scenario.correlation * layer / 8) + rng.normal() for layer in range(9)}
    if scenario.judge == "fitted":
        columns = np.column_stack([seen(scenario.correlation * layer / 8) for layer in range(9)])
        judges = {"fitted": fitted(columns, human, np.flatnonzero(labelled), cluster)}
    return Drawn(human, labelled, judges, cluster, domain, probability)


def fitted(columns: Floats, human: Floats, rows: NDArray[np.intp], cluster: NDArray[np.intp]) -> FoldScores:
    """Return least squares on the columns, nearly as many as clusters, fitted by five folds of clusters."""
    fold, models = np.zeros(len(human), dtype=np.intp), []
    for number, split in enumerate(cluster_folds(cluster[rows], len(rows), 5, 1)):
        fold[rows[split.test]] = number
        train = rows[split.train]
        design = np.column_stack([np.ones(len(human)), columns])
        models.append(design @ np.linalg.lstsq(design[train], human[train], rcond=None)[0])
    return FoldScores(np.array(models), fold)


class Seen(NamedTuple):
    """Of one draw: which intervals hold, their widths, and whether labels are taken for not random."""

    held: tuple[bool, bool, bool, bool]
    width: tuple[float, float]
    refused: bool


def one_draw(rng: np.random.Generator, scenario: Scenario, *, test: bool) -> Seen:
    """Estimate the mean of all, with the judge and from labels alone, and the systems' difference."""
    drawn = draw(rng, scenario)
    n = len(drawn.human)
    codes = drawn.cluster.astype(np.intp)
    weight = sampling_weights(drawn.labelled, drawn.probability, None, n)
    proxies = read_proxies(drawn.judges, n, drawn.domain)
    human = np.where(drawn.labelled, drawn.human, np.nan)
    try:
        proxy, _ = mixed(list(proxies.values()), np.nan_to_num(human), weight, codes, seed=1)
    except LagerError:
        proxy = next(iter(proxies.values()))
    ends, widths = [], []
    for domain in (np.zeros(n, dtype=np.intp), drawn.domain.astype(np.intp)):
        sums = ClusterSums.of(human, proxy.for_domains(domain, weight), weight, domain=domain, cluster=codes)
        for given in (None, 0.0):
            found = clustered_means(sums, given)
            if domain.any():
                low, high = interval(*difference(found, 1, 0), 0.95)
                ends.append(low <= 0.3 <= high)
            else:
                low, high = interval(found.mean[0], found.error[0], found.freedom[0], 0.95)
                ends.append(low <= MEAN <= high)
                widths.append(high - low)
    refused = test and random_labels_p(proxy.scores, drawn.labelled, domain=drawn.domain, cluster=codes, seed=1) < 0.001
    return Seen(tuple(ends), tuple(widths), refused)


def coverage(scenario: Scenario, draws: int, *, test: bool = False) -> tuple[Floats, float, float]:
    """Return coverage in per cent (mean, labels alone, difference, labels alone), width against labels, refusals."""
    rng = np.random.default_rng(20261128)
    seen = [one_draw(rng, scenario, test=test) for _ in range(draws)]
    held = 100 * np.mean([one.held for one in seen], axis=0)
    width = np.mean([one.width for one in seen], axis=0)
    return held, float(width[0] / width[1]), 100 * float(np.mean([one.refused for one in seen]))


def main() -> None:
    """Print a line for each scenario."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=2000)
    parser.add_argument("--only", default="")
    parser.add_argument("--test", action="store_true", help="count false refusals too")
    options = parser.parse_args()
    print("judge    labelled    n clusters like corr | mean  alone  diff. alone | width")
    for scenario in scenarios():
        if options.only in str(scenario):
            held, width, refused = coverage(scenario, options.draws, test=options.test)
            said = f" refused {refused:.2f} %" if options.test else ""
            print(f"{scenario} | {' '.join(f'{one:5.1f}' for one in held)} | {width:.3f}{said}", flush=True)


if __name__ == "__main__":
    main()
