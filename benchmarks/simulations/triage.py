"""How often the risk below a threshold of `lager triage` is above what was asked, and how many items are decided alone.

Run: python benchmarks/simulations/triage.py [--draws 1000] [--raters summeval-raters.jsonl] [--needed]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Callable
from pathlib import Path
from typing import NamedTuple

import numpy as np
from lager import triage
from lager.evaluate.triage.learnt_doubt import learn_doubt
from numpy.typing import NDArray

ITEMS = 1_000_000
JUDGES = ("gemini_flash", "gemini_pro", "gpt-4o", "gpt-4o-mini", "llama-31", "mistral-v03")


class Scenario(NamedTuple):
    """A population: mean size of clusters (1: items alone), the largest, and how errors hang on doubt.

    `likeness` is the correlation of an item's error with those of its cluster; where it is humped, the largest
    doubts err least, so that the risk does not rise all the way. `cap`: the most items that a cluster counts as.
    """

    name: str
    size: float
    largest: int
    likeness: float
    steep: float
    humped: bool = False
    unit: str = "item"
    cap: int | None = None


SCENARIOS = (
    Scenario("items alone", 1, 1, 0.0, 0.3),
    Scenario("items alone, risk 10.1 % at every doubt", 1, 1, 0.0, 0.0),
    Scenario("equal clusters of 5", 5, 5, 0.3, 0.3),
    Scenario("equal clusters of 5, risk 10.1 % at every doubt", 5, 5, 0.3, 0.0),
    Scenario("equal clusters of 5, risk falls again", 5, 5, 0.3, 0.3, humped=True),
    Scenario("unequal clusters of 5 in the mean, up to 40", 5, 40, 0.3, 0.3),
    Scenario("unequal clusters, counting as 8 at most", 5, 40, 0.3, 0.3, cap=8),
    Scenario("unequal clusters, one item a cluster", 5, 40, 0.3, 0.3, unit="cluster"),
)


class Population(NamedTuple):
    """A million items; `start` is the first item of each cluster, which are in order."""

    wrong: NDArray[np.float64]
    doubt: NDArray[np.float64]
    start: NDArray[np.intp]
    size: NDArray[np.intp]

    def rows(self, clusters: NDArray[np.intp]) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
        """Return the items of some clusters, and the number of each item's draw."""
        size = self.size[clusters]
        within = np.arange(size.sum()) - np.repeat(np.cumsum(size) - size, size)
        return np.repeat(self.start[clusters], size) + within, np.repeat(np.arange(len(clusters)), size)

    def risks(self, cap: int) -> Callable[[float], tuple[float, float]]:
        """Return what gives the true risk at a threshold, a cluster counting as `cap` items, and the share decided."""
        order = np.argsort(self.doubt)
        weight = np.repeat(np.minimum(1.0, cap / self.size), self.size)[order]
        doubt, risk = self.doubt[order], np.cumsum(weight * self.wrong[order]) / np.cumsum(weight)

        def at(threshold: float) -> tuple[float, float]:
            n = int(np.searchsorted(doubt, threshold, side="right"))
            return float(risk[n - 1]), n / len(doubt)

        return at


def population(scenario: Scenario, seed: int) -> Population:
    """Draw a population; an error's chance is of its doubt, and of its cluster by a common factor of mean 1."""
    rng = np.random.default_rng(seed)
    n = int(1.2 * ITEMS / scenario.size) + 10
    size = np.ones(n, dtype=np.intp)
    if scenario.largest == scenario.size:
        size[:] = int(scenario.size)
    elif scenario.largest > 1:
        drawn = np.rint(rng.lognormal(np.log(scenario.size) - 0.32, 0.8, n)).astype(np.intp)
        size = np.clip(drawn, 1, scenario.largest)
    size = size[: int(np.searchsorted(np.cumsum(size), ITEMS)) + 1]
    total = int(size.sum())
    doubt = rng.uniform(size=total)
    chance = np.full(total, 0.101) if scenario.steep == 0 else scenario.steep * doubt
    if scenario.humped:
        chance = np.where(doubt > 0.8, 0.02, scenario.steep * doubt)
    if scenario.likeness:
        # beta factors of variance: likeness at the mean chance
        shape = (1 - scenario.likeness) / scenario.likeness * 0.1
        factor = rng.gamma(max(shape, 0.3), 1 / max(shape, 0.3), len(size))
        chance = np.minimum(chance * np.repeat(factor, size), 1.0)
    wrong = (rng.uniform(size=total) < chance).astype(np.float64)
    return Population(wrong, doubt, np.cumsum(size) - size, size)


def violations(scenario: Scenario, n_clusters: int, draws: int, risk: float, confidence: float) -> str:
    """Return a line of the table: how often the true risk is above `risk`, and what was found."""
    whole = population(scenario, 7)
    cap = scenario.cap or scenario.largest
    truth = whole.risks(1 if scenario.unit == "cluster" else cap)
    above, shares = 0, []
    for number in range(draws):
        rng = np.random.default_rng([number, n_clusters, SCENARIOS.index(scenario)])
        rows, cluster = whole.rows(rng.integers(len(whole.size), size=n_clusters))
        found = triage(
            whole.wrong[rows], whole.doubt[rows], cluster=None if scenario.largest == 1 else cluster, risk=risk,
            confidence=confidence, unit=scenario.unit, seed=number,
            largest_cluster=None if scenario.largest == 1 else cap,
        )  # fmt: skip
        if found.threshold is not None:
            true, share = truth(found.threshold)
            above += true > risk
            shares.append(share)
    return _line(scenario.name, n_clusters, draws, above, shares)


def summeval(path: Path, draws: int, error: float, risk: float, confidence: float) -> list[str]:
    """Return a line for each published judge: articles drawn with replacement, the risk on all of them as truth."""
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    human = np.array([np.mean(row["scores"]) for row in rows])
    scores = np.array([[row[judge] for judge in JUDGES] for row in rows], dtype=np.float64)
    doubt = scores.std(axis=1)
    article = np.unique([row["article_id"] for row in rows], return_inverse=True)[1]
    members = [np.flatnonzero(article == one) for one in range(article.max() + 1)]
    lines = []
    for place, judge in enumerate(JUDGES):
        wrong = (np.abs(scores[:, place] - human) >= error).astype(np.float64)
        above, shares = 0, []
        for number in range(draws):
            drawn = np.random.default_rng([number, place]).integers(len(members), size=len(members))
            items = np.concatenate([members[one] for one in drawn])
            sizes = [len(members[one]) for one in drawn]
            cluster = np.repeat(np.arange(len(drawn)), sizes)
            found = triage(wrong[items], doubt[items], cluster=cluster, risk=risk, confidence=confidence, seed=number)
            if found.threshold is not None:
                alone = doubt <= found.threshold
                above += wrong[alone].mean() > risk
                shares.append(float(alone.mean()))
        lines.append(_line(f"{judge}, error {error:g}, risk {100 * risk:g} %", len(members), draws, above, shares))
    return lines


def needed(n_clusters: int, draws: int, *, risk: float = 0.1) -> str:
    """Return how often the number of labels that is told, where no threshold is found, finds one."""
    scenario = SCENARIOS[2]
    whole = population(scenario, 7)
    told, found = [], []
    for number in range(draws):
        rng = np.random.default_rng([number, n_clusters, 99])
        rows, cluster = whole.rows(rng.integers(len(whole.size), size=n_clusters))
        first = triage(whole.wrong[rows], whole.doubt[rows], cluster=cluster, risk=risk, seed=number)
        if first.labels_needed is None:
            continue
        told.append(first.labels_needed)
        more = min(2000, int(np.ceil(first.labels_needed / 5)))
        rows, cluster = whole.rows(rng.integers(len(whole.size), size=more))
        again = triage(whole.wrong[rows], whole.doubt[rows], cluster=cluster, risk=risk, seed=number)
        found.append(again.threshold is not None)
    return (
        f"| {n_clusters} clusters of 5 | {len(told)} of {draws} | {np.median(told):.0f} "
        f"[{np.quantile(told, 0.1):.0f}, {np.quantile(told, 0.9):.0f}] | {100 * np.mean(found):.0f} |"
    )


def learnt(n_clusters: int, strength: float, draws: int, *, risk: float = 0.1) -> str:
    """Return how learnt doubt does where another signal tells `strength` of the errors beside the plain doubt."""

    def draw(rng: np.random.Generator, n: int) -> tuple[NDArray[np.float64], ...]:
        cluster = np.repeat(np.arange(n), 5)
        signals = rng.normal(size=(len(cluster), 4))
        shared = 0.7 * rng.normal(size=n)[cluster]
        logit = -2.5 + signals[:, 0] + strength * signals[:, 1] + shared
        return (rng.uniform(size=len(cluster)) < 1 / (1 + np.exp(-logit))).astype(np.float64), signals, cluster

    big, big_signals, _ = draw(np.random.default_rng(1), 100_000)
    used, above, shares, plain_shares = 0, 0, [], []
    for number in range(draws):
        wrong, signals, cluster = draw(np.random.default_rng([number, n_clusters, int(10 * strength)]), n_clusters)
        teaches = cluster < n_clusters // 2
        found = learn_doubt(
            wrong[teaches], signals[teaches], cluster[teaches], plain=signals[teaches, 0], risk=risk, seed=number
        )
        slopes = np.array(found.coefficients[1:]) if found.helps else np.eye(4)[0]
        used += found.helps
        options = {"cluster": cluster, "risk": risk, "seed": number, "largest_cluster": 5}
        half = triage(np.where(teaches, np.nan, wrong), signals @ slopes, **options)
        alone = big_signals @ slopes <= (-np.inf if half.threshold is None else half.threshold)
        above += half.threshold is not None and big[alone].mean() > risk
        shares.append(alone.mean())
        plain = triage(wrong, signals[:, 0], **options)
        plain_shares.append((big_signals[:, 0] <= (-np.inf if plain.threshold is None else plain.threshold)).mean())
    return (
        f"| {strength:g} | {n_clusters} | {100 * used / draws:.0f} | {100 * above / draws:.1f} | "
        f"{100 * np.mean(shares):.0f} | {100 * np.mean(plain_shares):.0f} |"
    )


def _line(name: str, n_clusters: int, draws: int, above: int, shares: list[float]) -> str:
    """Return a row of the table."""
    share = f"{100 * np.mean(shares):.0f}" if shares else "-"
    return f"| {name} | {n_clusters} | {100 * above / draws:.1f} | {100 * len(shares) / draws:.0f} | {share} |"


def main() -> None:
    """Print the tables of docs/decisions.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--draws", type=int, default=1000)
    parser.add_argument("--risk", type=float, default=0.1)
    parser.add_argument("--confidence", type=float, default=0.9)
    parser.add_argument("--raters", type=Path, help="file of SummEval's experts and published judges")
    parser.add_argument("--learnt", action="store_true", help="what learnt doubt gains")
    parser.add_argument("--needed", action="store_true", help="how good the number of labels is that is told")
    options = parser.parse_args()
    if options.learnt:
        print("| other signal | clusters | learnt doubt used, % | risk above, % | decided alone, % | plain, % |")
        print(f"|{'---|' * 6}")
        for strength in (0.0, 1.0):
            for n_clusters in (400, 1000):
                print(learnt(n_clusters, strength, options.draws), flush=True)
        return
    if options.needed:
        print("| calibration | without a threshold | labels told | found with these, % |\n|---|---|---|---|")
        for n_clusters in (50, 100, 200):
            print(needed(n_clusters, options.draws), flush=True)
        return
    print("| items | clusters | risk above, % | threshold found, % | decided alone, % |\n|---|---|---|---|---|")
    if options.raters is not None:
        for error, risk in ((1.5, 0.2), (1.0, 0.1)):
            for line in summeval(options.raters, options.draws, error, risk, options.confidence):
                print(line, flush=True)
        return
    for scenario in SCENARIOS:
        for n_clusters in (500, 2000) if scenario.largest == 1 else (100, 500):
            print(violations(scenario, n_clusters, options.draws, options.risk, options.confidence), flush=True)


if __name__ == "__main__":
    main()
