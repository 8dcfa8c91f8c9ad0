"""How often a judge at the boundary passes the alternative annotator test: each rater is nearer epsilon more often.

Three raters of whom one at most is off on an item, and a judge. Items of a cluster are of one kind with probability
`likeness`. Against each rater the mean of d is epsilon exactly, so that a test at 5 % should reject in 5 % of draws.
The verdict needs two of three after the correction.

Run: python benchmarks/simulations/alt_test.py [--draws 2000]
"""

from __future__ import annotations

import argparse

import numpy as np
from lager.evaluate.alt_test.alt_test import against_raters
from numpy.typing import NDArray

EPSILON, JUDGE_OFF, RATER_OFF = 0.2, 0.35, 0.15
#: Clusters, items of each, and how alike these are.
DESIGNS = ((60, 1, 0.0), (300, 1, 0.0), (15, 8, 0.6), (30, 4, 0.6), (100, 16, 0.3), (100, 16, 0.6))


def draw(
    n_clusters: int, size: int, likeness: float, rng: np.random.Generator
) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.intp]]:
    """Return a judge's and three raters' scores, and the clusters."""
    chances = [JUDGE_OFF, RATER_OFF, RATER_OFF, RATER_OFF, 1 - JUDGE_OFF - 3 * RATER_OFF]
    cluster = np.repeat(np.arange(n_clusters), size)
    shared = rng.choice(5, size=n_clusters, p=chances)[cluster]
    own = rng.choice(5, size=len(cluster), p=chances)
    kind = np.where(rng.random(len(cluster)) < np.sqrt(likeness), shared, own)
    raters = np.full((len(cluster), 3), 3.0)
    for rater in range(3):
        raters[kind == rater + 1, rater] = 5.0
    return np.where(kind == 0, 5.0, 3.0), raters, cluster


def rates(n_clusters: int, size: int, likeness: float, draws: int) -> dict[str, float]:
    """Return the shares of raters rejected at 5 %, and of draws let through, by items and by clusters."""
    rng = np.random.default_rng([n_clusters, size, round(100 * likeness)])
    found: dict[str, list[float]] = {}
    for _ in range(draws):
        judge, raters, cluster = draw(n_clusters, size, likeness, rng)
        for name, given in (("items", None), ("clusters", cluster)):
            compared = against_raters(judge, raters, alignment="neg-rmse", cluster=given)
            p = compared.found.p(EPSILON, alternative="less")
            found.setdefault(f"size, {name}", []).append(float(np.mean(p <= 0.05)))
            found.setdefault(f"let through, {name}", []).append(float(compared.at(EPSILON).may_replace))
    return {name: float(np.mean(values)) for name, values in found.items()}


def main() -> None:
    """Print the table of docs/decisions.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=2000)
    draws = parser.parse_args().draws
    names = ("size, items", "size, clusters", "let through, items", "let through, clusters")
    print("| clusters x items | likeness | test, t of items | t of clusters | verdict, t of items | t of clusters |")
    print("|---|---|---|---|---|---|")
    for design in DESIGNS:
        found = rates(*design, draws)
        cells = " | ".join(f"{100 * found[name]:.1f}" for name in names)
        print(f"| {design[0]} x {design[1]} | {design[2]:g} | {cells} |", flush=True)


if __name__ == "__main__":
    main()
