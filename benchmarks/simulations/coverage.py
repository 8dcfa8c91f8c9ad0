"""How often nominal 95 % intervals hold the truth: Spearman to AUROC, alone and as differences, of 8 to 50 clusters.

Run: python benchmarks/simulations/coverage.py [--replications 400] [--scenarios 0,1] [--systems]
"""

from __future__ import annotations

import argparse
import sys
from typing import NamedTuple

import numpy as np
from lager.data.scale import Scale
from lager.evaluate.agreement.agreement import evaluate_scores
from numpy.typing import NDArray
from scipy import stats

SCALE = Scale.parse("1-5")
METRICS = ("spearman", "pearson", "kendall", "mae", "rmse", "accuracy", "qwk", "krippendorff_alpha",
           "pairwise_accuracy", "auroc", "f1", "minmax_mse")  # fmt: skip
CLUSTERS = (8, 12, 20, 50)
_TRUTH_CLUSTERS = 8000


class Scenario(NamedTuple):
    """How items are drawn: clusters of five or unequal ones, criteria, likeness within a cluster, judge's error."""

    equal: bool
    groups: int
    likeness: float
    error: float

    def __str__(self) -> str:
        """Return a line's name in the table."""
        sizes = "equal" if self.equal else "unequal"
        level = "pooled" if self.groups == 1 else f"mean of {self.groups} groups"
        return f"{level}, {sizes}, likeness {self.likeness:g}"


SCENARIOS = [
    Scenario(equal, groups, likeness, error)
    for groups in (1, 4)
    for equal in (True, False)
    for likeness, error in ((0.7, 1.0), (0.2, 0.35))
]


class Drawn(NamedTuple):
    """Items with human means of three raters and two equally good judges."""

    human: NDArray[np.float64]
    judges: dict[str, NDArray[np.float64]]
    group: NDArray[np.int_]
    cluster: NDArray[np.int_]


def draw(rng: np.random.Generator, n_clusters: int, scenario: Scenario) -> Drawn:
    """Draw texts in clusters; every text is rated on every criterion, with a quality that criteria share in part."""
    sizes = np.full(n_clusters, 5)
    if not scenario.equal:
        sizes = np.maximum(1, np.rint(rng.lognormal(np.log(5) - 0.32, 0.8, n_clusters))).astype(int)
    cluster = np.repeat(np.arange(n_clusters), sizes)

    def alike() -> NDArray[np.float64]:
        own = np.sqrt(1 - scenario.likeness) * rng.normal(size=len(cluster))
        return np.asarray(np.sqrt(scenario.likeness) * rng.normal(size=n_clusters)[cluster] + own)

    shared, parts = alike(), []
    for _ in range(scenario.groups):
        quality = shared if scenario.groups == 1 else np.sqrt(0.6) * shared + np.sqrt(0.4) * alike()
        raters = 3 + quality[:, None] + 0.7 * rng.normal(size=(len(cluster), 3))
        human = np.clip(np.rint(raters), 1, 5).mean(axis=1)
        parts.append([human, *(np.clip(3 + 0.8 * quality + scenario.error * alike(), 1, 5) for _ in "ab")])
    human, first, second = (np.concatenate(column) for column in zip(*parts, strict=True))
    group = np.repeat(np.arange(scenario.groups), len(cluster))
    return Drawn(human, {"a": first, "b": second}, group, np.tile(cluster, scenario.groups))


def figures(drawn: Drawn, *, grouped: bool, interval: str, resamples: int) -> list[tuple[float, ...]]:
    """Return estimate, low and high of each metric of one judge, then of its differences to the other."""
    found = evaluate_scores(
        drawn.human,
        drawn.judges,
        group=drawn.group if grouped else None,
        cluster=drawn.cluster,
        metrics=METRICS,
        scale=SCALE,
        baseline="b",
        interval=interval,
        resamples=resamples,
    )
    assert found.comparison is not None
    alone = [(one.estimate, one.low, one.high) for one in found["a"].metrics.values()]
    paired = [(one.difference, one.low, one.high) for one in found.comparison.differences["a"].values()]
    return [tuple(np.nan if value is None else value for value in row) for row in (*alone, *paired)]


def coverage(scenario: Scenario, n_clusters: int, replications: int, interval: str) -> NDArray[np.float64]:
    """Return the share of intervals that hold the truth, of those there are: shape (2, n_metrics)."""
    grouped = scenario.groups > 1
    big = draw(np.random.default_rng(0), _TRUTH_CLUSTERS, scenario)
    truth = np.array(figures(big, grouped=grouped, interval=interval, resamples=0))[:, 0]
    truth[len(METRICS) :] = 0.0  # the judges are equally good
    hits = np.full((replications, len(truth)), np.nan)
    for number in range(replications):
        rng = np.random.default_rng([number, n_clusters, SCENARIOS.index(scenario)])
        drawn = draw(rng, n_clusters, scenario)
        _, low, high = np.array(figures(drawn, grouped=grouped, interval=interval, resamples=400)).T
        hits[number] = np.where(np.isnan(low), np.nan, (low <= truth) & (truth <= high))
    return np.asarray(np.nanmean(hits, axis=0)).reshape(2, len(METRICS))


ORDER = ("pearson", "spearman", "kendall")


def systems(n_systems: int, n_texts: int, correlation: float, noise: float, replications: int) -> str:
    """Return how often intervals hold the figures of true means and of the population, mean widths, and refusals.

    The last column is a difference, of two equally good judges.
    """
    hits, widths = {}, {}
    for number in range(replications):
        rng = np.random.default_rng([number, n_systems, n_texts])
        quality, *own = rng.normal(size=(3, n_systems))
        true = [quality, *(correlation * quality + np.sqrt(1 - correlation**2) * one for one in own)]
        shared = rng.normal(size=(n_texts, n_systems))
        text = rng.normal(size=(3, n_texts, 1))
        human, first, second = (
            (0.4 * true[k] + 0.5 * text[k] + noise * (0.7 * shared + 0.7 * rng.normal(size=shared.shape))).ravel()
            for k in range(3)
        )
        cluster, system = (places.ravel() for places in np.indices(shared.shape))
        options = {"cluster": cluster, "system": system, "level": "system", "metrics": ORDER}
        for which in ("these", "alike"):
            found = evaluate_scores(human, {"a": first, "b": second}, baseline="b", systems=which, **options)
            r = {"pearson": correlation, "spearman": 6 / np.pi * np.arcsin(correlation / 2)}
            r["kendall"] = 2 / np.pi * np.arcsin(correlation)
            for metric, figure in zip(ORDER, (stats.pearsonr, stats.spearmanr, stats.kendalltau), strict=True):
                of = [figure(true[0], true[k])[0] if which == "these" else r[metric] for k in (1, 2)]
                assert found.comparison is not None
                tests = {metric: (found["a"].metrics[metric], of[0])}
                if metric == "spearman":
                    tests["difference"] = (found.comparison.differences["a"][metric], of[0] - of[1])
                for name, (one, value) in tests.items():
                    if one.low is None or one.high is None:
                        continue
                    hits.setdefault((which, name), []).append(one.low <= value <= one.high)
                    widths.setdefault((which, name), []).append(one.high - one.low)
    kinds = [(which, name) for which in ("these", "alike") for name in (*ORDER, "difference")]
    cells = [
        f"{100 * np.mean(hits[kind]):.0f} ({np.mean(widths[kind]):.2f})" if kind in hits else "-" for kind in kinds
    ]
    refused = 1 - len(hits.get(("these", "spearman"), [])) / replications
    about = f"{n_systems} x {n_texts}, r = {correlation:g}, noise {noise:g}"
    return f"| {about} | {' | '.join(cells)} | {100 * refused:.0f} |"


def main() -> None:
    """Print the tables of docs/metrics.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--replications", type=int, default=400)
    parser.add_argument("--interval", default="jackknife")
    parser.add_argument(
        "--scenarios", help="numbers with commas between, from 0: the others are left out, to go on later"
    )
    parser.add_argument("--systems", action="store_true", help="between systems, not between items")
    options = parser.parse_args()
    if options.systems:
        names = [f"{which}: {name}" for which in ("these", "alike") for name in (*ORDER, "difference")]
        print(f"| systems x texts | {' | '.join(names)} | refused, % |\n|---|{'---|' * (len(names) + 1)}")
        for n_systems, n_texts in ((8, 30), (11, 30), (16, 100), (17, 50)):
            for correlation, noise in ((0.8, 0.6), (0.95, 0.6), (0.8, 1.5)):
                print(systems(n_systems, n_texts, correlation, noise, options.replications), flush=True)
        return
    print(f"| {options.interval} | clusters | {' | '.join(METRICS)} |\n|---|---|{'---|' * len(METRICS)}")
    chosen = range(len(SCENARIOS)) if options.scenarios is None else map(int, options.scenarios.split(","))
    for scenario in (SCENARIOS[number] for number in chosen):
        for n_clusters in CLUSTERS:
            rows = coverage(scenario, n_clusters, options.replications, options.interval)
            cells = [f"{100 * one:.0f} / {100 * other:.0f}" for one, other in rows.T]
            print(f"| {scenario} | {n_clusters} | {' | '.join(cells)} |", flush=True)
    print(f"{options.replications} replications: alone / difference of two equally good judges", file=sys.stderr)


if __name__ == "__main__":
    main()
