"""Does `lager plan` keep its word: numbers of labels beside the truth, replays of pilots, and draws by doubt.

Run: python benchmarks/simulations/plan.py stated
     python benchmarks/simulations/plan.py replays [--replays 200]
     python benchmarks/simulations/plan.py draws summeval-raters.jsonl hanna.jsonl [--replays 200]
"""

from __future__ import annotations

import argparse
import json
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np
from lager import LagerError, draw_items, estimate_means, evaluate_scores, plan_from_pilot, plan_labels
from numpy.typing import NDArray

Floats = NDArray[np.float64]


class World(NamedTuple):
    """What is known beforehand: the judge's correlation, likeness inside clusters, clusters and their items."""

    correlation: float
    likeness: float
    n_clusters: int
    size: int
    per_cluster: int = 1


WORLDS = (
    World(0.0, 0.0, 1000, 1),
    World(0.7, 0.0, 1000, 1),
    World(0.7, 0.5, 500, 4, 4),
    World(0.7, 0.1, 100, 20),
    World(0.9, 0.2, 400, 5, 5),
)


class Items(NamedTuple):
    """Human scores, the judge's, clusters; and rows in the order in which they are labelled."""

    human: Floats
    judge: Floats
    cluster: NDArray[np.intp]
    order: NDArray[np.intp]

    def labelled(self, n: int) -> Floats:
        """Return the human scores of the first n items in the order, NaN for the others."""
        out = np.full(len(self.human), np.nan)
        out[self.order[:n]] = self.human[self.order[:n]]
        return out


def draw(rng: np.random.Generator, world: World) -> Items:
    """Draw items; labels go through the clusters in random order, so many of each at a time."""
    cluster = np.repeat(np.arange(world.n_clusters), world.size)

    def alike() -> Floats:
        own = np.sqrt(1 - world.likeness) * rng.normal(size=len(cluster))
        return np.asarray(np.sqrt(world.likeness) * rng.normal(size=world.n_clusters)[cluster] + own)

    human = alike()
    judge = world.correlation * human + np.sqrt(1 - world.correlation**2) * alike()
    inside = np.argsort(rng.random((world.n_clusters, world.size)), axis=1)
    turn, clusters = inside // world.per_cluster, rng.permutation(world.n_clusters)
    order = np.lexsort((inside.ravel(), clusters[cluster], turn.ravel()))
    return Items(human, judge, cluster, order)


def half_width(items: Items, n: int, *, alone: bool) -> float:
    """Return the half-width of the mean's interval with n labels; a known chance spares the test of random labels."""
    weight, chance = 0.0 if alone else None, np.full(len(items.human), n / len(items.human))
    cluster = items.cluster if len(np.unique(items.cluster)) < len(items.cluster) else None
    found = estimate_means(
        items.labelled(n), {"judge": items.judge}, cluster=cluster, probability=chance, weight=weight, resamples=0
    )
    (mean,) = found.means
    return (mean.high - mean.low) / 2


def stated(width: float, draws: int) -> Iterator[tuple[World, str, int, float]]:
    """Yield planned labels and their ratio to what was needed, which goes with the square of the half-width."""
    for world in WORLDS:
        plan = plan_labels(
            "mean", width, correlation=world.correlation, likeness=world.likeness, per_cluster=world.per_cluster,
            n_items=world.n_clusters * world.size, n_clusters=world.n_clusters,
        )  # fmt: skip
        for what, n in (("alone", plan.alone), ("with judge", plan.with_judge)):
            if n is None:
                continue
            rng = np.random.default_rng(1)
            reached = np.mean([half_width(draw(rng, world), n, alone=what == "alone") for _ in range(draws)])
            yield world, what, n, float((width / reached) ** 2)


def power(distance: float, draws: int) -> Iterator[tuple[World, str, int, float]]:
    """Yield planned labels of each of two systems, and how often they are then told apart; .8 is asked."""
    for world in (World(0.0, 0.0, 800, 1), World(0.7, 0.0, 800, 1), World(0.7, 0.4, 200, 4, 4)):
        plan = plan_labels(
            "difference", distance, correlation=world.correlation, likeness=world.likeness,
            per_cluster=world.per_cluster, n_items=world.n_clusters * world.size, n_clusters=world.n_clusters,
        )  # fmt: skip
        for what, n in (("apart, alone", plan.alone), ("apart, with judge", plan.with_judge)):
            if n is None:
                continue
            apart, rng = [], np.random.default_rng(6)
            for _ in range(draws):
                both = [draw(rng, world) for _ in range(2)]
                human = np.concatenate([items.labelled(n) + distance * k for k, items in enumerate(both)])
                judge = np.concatenate([items.judge for items in both])
                cluster = np.concatenate([items.cluster + k * world.n_clusters for k, items in enumerate(both)])
                system, weight = np.repeat([0, 1], len(judge) // 2), 0.0 if what.endswith("alone") else None
                try:
                    found = estimate_means(
                        human, {"judge": judge}, system=system, cluster=cluster, weight=weight, resamples=0
                    )
                except LagerError:  # one draw in a thousand
                    continue
                apart.append(found.differences[0].high < 0)
            yield world, what, n, float(np.mean(apart))


def agreement(width: float, draws: int) -> Iterator[tuple[World, str, int, float]]:
    """Yield the same for the half-width of a Spearman correlation."""
    for world in (World(0.5, 0.0, 2000, 1), World(0.5, 0.5, 500, 4, 4), World(0.8, 0.0, 2000, 1)):
        spearman = 6 / np.pi * np.arcsin(world.correlation / 2)
        plan = plan_labels(
            "agreement", width, correlation=spearman, likeness=world.likeness, per_cluster=world.per_cluster
        )
        widths, rng = [], np.random.default_rng(2)
        for _ in range(draws):
            items = draw(rng, world)
            found = evaluate_scores(
                items.labelled(plan.alone), {"judge": items.judge}, cluster=items.cluster, metrics=("spearman",)
            )
            one = found.strategies[0].metrics["spearman"]
            widths.append((one.high - one.low) / 2)
        yield world, "agreement", plan.alone, float((width / np.mean(widths)) ** 2)


def replays(world: World, n_pilot: int, width: float, n_replays: int) -> dict[str, float]:
    """Return in which share of pilots the half-width was reached at the planned number, and at its upper end."""
    reached: dict[str, list[bool]] = {name: [] for name in ("alone", "alone_high", "with_judge", "with_judge_high")}
    rng = np.random.default_rng(3)
    for _ in range(n_replays):
        items = draw(rng, world)
        plan = plan_from_pilot("mean", width, items.labelled(n_pilot), {"judge": items.judge}, cluster=items.cluster)
        for name, found in reached.items():
            n = getattr(plan, name) or len(items.human)
            found.append(half_width(items, n, alone=name.startswith("alone")) <= width)
    return {name: float(np.mean(found)) for name, found in reached.items()}


def agreement_replays(world: World, n_pilot: int, width: float, n_replays: int) -> dict[str, float]:
    """Return the same for the half-width of a Spearman correlation."""
    reached: dict[str, list[bool]] = {"alone": [], "alone_high": []}
    rng = np.random.default_rng(5)
    for _ in range(n_replays):
        items = draw(rng, world)
        judges = {"judge": items.judge}
        plan = plan_from_pilot("agreement", width, items.labelled(n_pilot), judges, cluster=items.cluster)
        for name, found in reached.items():
            n = getattr(plan, name) or len(items.human)
            figures = evaluate_scores(items.labelled(n), judges, cluster=items.cluster, metrics=("spearman",))
            one = figures.strategies[0].metrics["spearman"]
            found.append((one.high - one.low) / 2 <= width)
    return {name: float(np.mean(found)) for name, found in reached.items()}


class Rated(NamedTuple):
    """Items of a criterion with what draws are by."""

    human: Floats
    judge: Floats
    doubt: Floats
    cluster: NDArray[np.str_]


def summeval(path: Path, criterion: str) -> Rated:
    """Return SummEval's items: the mean of the six published judges, and how far they are apart."""
    known = {"article_id", "summary_id", "criterion", "scores"}
    rows = [row for line in path.read_text().splitlines() if (row := json.loads(line))["criterion"] == criterion]
    judges = np.array([[row[name] for name in rows[0] if name not in known] for row in rows], dtype=float)
    human = np.array([np.mean(row["scores"]) for row in rows])
    return Rated(human, judges.mean(axis=1), judges.std(axis=1), np.array([row["article_id"] for row in rows]))


def hanna(path: Path, criterion: str) -> Rated:
    """Return HANNA's items; people's scores of the other five criteria stand in for judges, which nobody published."""
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    names = [name for name, value in rows[0].items() if isinstance(value, int | float)]
    others = np.array([[row[name] for name in names if name != criterion] for row in rows], dtype=float)
    human = np.array([row[criterion] for row in rows], dtype=float)
    return Rated(human, others.mean(axis=1), others.std(axis=1), np.array([row["prompt_id"] for row in rows]))


def draws(rated: Rated, n_pilot: int, n: int, n_replays: int) -> dict[str, tuple[float, float]]:
    """Return mean half-width and coverage of the mean of all labels, for n items drawn at random and by doubt."""
    rng = np.random.default_rng(4)
    truth = rated.human.mean()
    out: dict[str, list[tuple[float, bool]]] = {"random": [], "doubt": []}
    for _ in range(n_replays):
        pilot = np.full(len(rated.human), np.nan)
        rows = rng.choice(len(pilot), n_pilot, replace=False)
        pilot[rows] = rated.human[rows]
        drawn = draw_items(n, pilot, rated.doubt, judge=rated.judge, seed=int(rng.integers(1 << 30)))
        more = np.zeros(len(pilot), dtype=bool)
        more[rng.choice(np.flatnonzero(np.isnan(pilot)), n, replace=False)] = True
        even = np.full(len(pilot), (n_pilot + n) / len(pilot))
        for name, taken, probability in (("random", more, even), ("doubt", drawn.drawn, drawn.probability)):
            human = np.where(taken, rated.human, pilot)
            (one,) = estimate_means(
                human, {"judge": rated.judge}, cluster=rated.cluster, probability=probability, resamples=0
            ).means
            out[name].append(((one.high - one.low) / 2, one.low <= truth <= one.high))
    return {name: tuple(np.mean(found, axis=0)) for name, found in out.items()}


def main() -> None:
    """Print what was asked."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("what", choices=("stated", "replays", "draws"))
    parser.add_argument("files", nargs="*", type=Path)
    parser.add_argument("--replays", type=int, default=200)
    parser.add_argument("--pilot", type=int, default=60, help="labels of a pilot")
    options = parser.parse_args()
    if options.what == "stated":
        for world, what, n, ratio in (*stated(0.15, options.replays), *agreement(0.1, options.replays)):
            print(f"{tuple(world)} {what}: {n} labels, {ratio:.3f} of what is needed", flush=True)
        for world, what, n, share in power(0.4, options.replays):
            print(f"{tuple(world)} {what}: {n} labels, told apart in {share:.3f}", flush=True)
    elif options.what == "replays":
        for world in (World(0.7, 0.0, 1000, 1), World(0.7, 0.5, 250, 4, 4), World(0.0, 0.1, 50, 20)):
            print(tuple(world), options.pilot, replays(world, options.pilot, 0.13, options.replays), flush=True)
        for world in WORLDS[1:3]:
            found = agreement_replays(world, 100, 0.07, options.replays)
            print(tuple(world), "agreement", found, flush=True)
    else:
        for path, read, criteria in zip(
            options.files, (summeval, hanna), (("coherence", "relevance"), ("coherence", "engagement")), strict=True
        ):
            for criterion in criteria:
                for n_pilot in (0, 50):
                    found = draws(read(path, criterion), n_pilot, 100, options.replays)
                    said = ", ".join(f"{name} {width:.3f} ({held:.0%})" for name, (width, held) in found.items())
                    print(f"{path.stem} {criterion}, pilot {n_pilot}: {said}", flush=True)


if __name__ == "__main__":
    main()
