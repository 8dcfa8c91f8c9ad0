"""How often `lager check` says PASS and FAIL of a judge that has changed by so much, and sees a shift at a layer.

Run: python benchmarks/simulations/check.py [--draws 1000] [--what score,size,agreement,layers]
"""

from __future__ import annotations

import argparse
from functools import cache

import numpy as np
from lager import check_scores, readout_shift
from numpy.typing import NDArray
from scipy.stats import spearmanr

CLUSTERS = (25, 50, 100)
MARGIN, AGREEMENT_MARGIN = 0.1, 0.05
SIZES = (0.1, 0.2, 0.3)
SHIFTS = (0.0, 0.05, 0.1, 0.15, 0.2)
DROPS = (0.0, 0.025, 0.05, 0.1)
LAYERS, LAYER_SHIFTS = 25, (0.0, 0.025, 0.05, 0.1)
SPREAD, LIKENESS = 0.3, 0.3  # of the changes of single items, and within a cluster


def clusters(rng: np.random.Generator, n: int) -> NDArray[np.intp]:
    """Return the cluster of each item: unequal ones, five items in the mean."""
    sizes = np.maximum(1, np.rint(rng.lognormal(np.log(5) - 0.32, 0.8, n))).astype(np.intp)
    return np.repeat(np.arange(n), sizes)


def alike(rng: np.random.Generator, cluster: NDArray[np.intp], likeness: float = LIKENESS) -> NDArray[np.float64]:
    """Return standard normal values, alike within a cluster."""
    own = np.sqrt(1 - likeness) * rng.normal(size=len(cluster))
    return np.asarray(np.sqrt(likeness) * rng.normal(size=cluster.max() + 1)[cluster] + own)


def of_scores(n_clusters: int, shift: float, draws: int) -> list[str]:
    """Return the verdicts on the mean change where it is `shift` in truth."""
    out = []
    for number in range(draws):
        rng = np.random.default_rng([number, n_clusters, int(1000 * shift), 1])
        cluster = clusters(rng, n_clusters)
        score = rng.uniform(1, 5, size=len(cluster))
        change = shift + SPREAD * alike(rng, cluster)
        out.append(check_scores(score, score + change, cluster=cluster, margin=MARGIN).score.verdict)
    return out


def of_sizes(n_clusters: int, size: float, draws: int) -> list[str]:
    """Return the verdicts on the size of single changes, of mean `size` in truth, against a margin of 0.2."""
    out = []
    for number in range(draws):
        rng = np.random.default_rng([number, n_clusters, int(1000 * size), 2])
        cluster = clusters(rng, n_clusters)
        score = rng.uniform(1, 5, size=len(cluster))
        factor = rng.gamma(2, 0.5, n_clusters)[cluster]
        change = size * factor * rng.exponential(size=len(cluster)) * rng.choice([-1, 1], size=len(cluster))
        found = check_scores(score, score + change, cluster=cluster, margin=10.0, item_margin=2 * MARGIN)
        out.append(found.size.verdict)
    return out


class Judges:
    """People, a judge, and the same judge with so much more noise that its Spearman is lower by a drop."""

    def __init__(self, drop: float) -> None:
        rng = np.random.default_rng(3)
        human, judge, noise = self._draw(rng, np.repeat(np.arange(20_000), 5))
        then, low, high = spearmanr(human, judge)[0], 0.05, 5.0
        self.noise = 0.2
        if drop:
            for _ in range(30):
                self.noise = (low + high) / 2
                low, high = (self.noise, high) if spearmanr(human, judge + self.noise * noise)[0] > then - drop else (
                    low, self.noise)  # fmt: skip

    def draw(
        self, rng: np.random.Generator, cluster: NDArray[np.intp], *, same: bool
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        """Return people's scores and the judge's then and now; `same` gives both readings equal noise."""
        human, judge, noise = self._draw(rng, cluster)
        if same:
            return human, judge + self.noise * alike(rng, cluster), judge + self.noise * noise
        return human, judge, judge + self.noise * noise

    def _draw(
        self, rng: np.random.Generator, cluster: NDArray[np.intp]
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float64]]:
        quality = alike(rng, cluster)
        return quality + 0.5 * alike(rng, cluster), quality + 0.8 * alike(rng, cluster), alike(rng, cluster)


@cache
def judges_of(drop: float) -> Judges:
    """Return the judges of a drop, whose noise takes a while to find."""
    return Judges(drop)


def of_agreement(n_clusters: int, drop: float, draws: int) -> list[str]:
    """Return the verdicts on Spearman where it fell by `drop` in truth."""
    judges, out = judges_of(drop), []
    for number in range(draws):
        rng = np.random.default_rng([number, n_clusters, int(1000 * drop), 4])
        cluster = clusters(rng, n_clusters)
        human, then, now = judges.draw(rng, cluster, same=drop == 0)
        found = check_scores(then, now, human=human, cluster=cluster, margin=10.0, agreement_margin=AGREEMENT_MARGIN)
        out.append(found.agreement.verdict)
    return out


def of_layers(n_clusters: int, shift: float, draws: int) -> float:
    """Return how often a shift at one of 25 layers is seen, in %."""
    seen = 0
    for number in range(draws):
        rng = np.random.default_rng([number, n_clusters, int(1000 * shift), 5])
        cluster = clusters(rng, n_clusters)
        shared = alike(rng, cluster)
        then = rng.uniform(1, 5, size=(len(cluster), LAYERS))
        change = 0.2 * np.column_stack([0.6 * shared + 0.8 * alike(rng, cluster) for _ in range(LAYERS)])
        change[:, 12] += shift
        seen += readout_shift(then, then + change, cluster=cluster, permutations=199, seed=number).seen
    return 100 * seen / draws


def table(title: str, planted: tuple[float, ...], verdicts: dict[tuple[int, float], list[str]]) -> None:
    """Print PASS / FAIL in % of each number of clusters and each planted change."""
    print(f"| {title}: clusters | {' | '.join(f'{one:g}' for one in planted)} |\n|---|{'---|' * len(planted)}")
    for n_clusters in CLUSTERS:
        cells = []
        for one in planted:
            found = verdicts[n_clusters, one]
            shares = [100 * found.count(verdict) / len(found) for verdict in ("PASS", "FAIL")]
            cells.append(" / ".join(f"{share:.1f}" for share in shares))
        print(f"| {n_clusters} | {' | '.join(cells)} |", flush=True)


def main() -> None:
    """Print the tables of docs/decisions.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--what", default="score,size,agreement,layers")
    options = parser.parse_args()
    draws, what = options.draws, options.what.split(",")
    for name, planted, run in (
        ("score", SHIFTS, of_scores), ("size", SIZES, of_sizes),
        ("agreement", DROPS, of_agreement),
    ):  # fmt: skip
        if name in what:
            table(name, planted, {(n, one): run(n, one, draws) for n in CLUSTERS for one in planted})
    if "layers" in what:
        print(f"| layers: clusters | {' | '.join(f'{one:g}' for one in LAYER_SHIFTS)} |\n|---|{'---|' * 4}")
        for n_clusters in CLUSTERS:
            seen = [f"{of_layers(n_clusters, shift, draws):.1f}" for shift in LAYER_SHIFTS]
            print(f"| {n_clusters} | {' | '.join(seen)} |", flush=True)


if __name__ == "__main__":
    main()
