"""What `lager estimate` gains on real labels: widths and errors of systems' means beside those of labels alone.

Run: python benchmarks/simulations/few_labels.py summeval-raters.jsonl [--criterion coherence] [--draws 200]

The file has a row an item: article_id, summary_id, criterion, the raters' scores, and each judge's in a column. Items
are labelled at random; the truth is the mean of all labels of the file.
"""

from __future__ import annotations

import argparse
import json
import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import numpy as np
from lager import FeatureCache, LagerError, estimate_means
from lager.evaluate.decisions.judged_items import read_judged_items
from numpy.typing import NDArray

KNOWN = {"article_id", "summary_id", "criterion", "scores"}
LABELS = (100, 200, 400)


class Rated(NamedTuple):
    """All items of one criterion."""

    human: NDArray[np.float64]
    judges: Mapping[str, NDArray[np.float64]]
    system: NDArray[np.str_]
    cluster: NDArray[np.str_]


def read(path: Path, criterion: str) -> Rated:
    """Return the items of a criterion; names of judges are the other columns'."""
    rows = [row for line in path.read_text().splitlines() if (row := json.loads(line))["criterion"] == criterion]
    names = [name for name in rows[0] if name not in KNOWN]
    return Rated(
        np.array([np.mean([one for one in row["scores"] if one is not None]) for row in rows]),
        {name: np.array([row[name] for row in rows], dtype=float) for name in names},
        np.array([row["summary_id"] for row in rows]),
        np.array([row["article_id"] for row in rows]),
    )


class Gain(NamedTuple):
    """Means over draws: widths over those of labels alone, mean errors of the systems' means, coverage."""

    width: float
    system_width: float
    error: float
    error_alone: float
    judge_error: float
    held: float


def gain(rated: Rated, names: list[str], n_labels: int, draws: int) -> Gain:
    """Label items at random and estimate the mean of all and of each system."""
    rng = np.random.default_rng(n_labels)
    truth = {one: rated.human[rated.system == one].mean() for one in np.unique(rated.system)}
    found = []
    judges = {name: rated.judges[name] for name in names}
    for _ in range(draws):
        human = np.full(len(rated.human), np.nan)
        rows = rng.choice(len(human), n_labels, replace=False)
        human[rows] = rated.human[rows]
        try:
            whole = estimate_means(human, judges, cluster=rated.cluster)
            systems = estimate_means(human, judges, cluster=rated.cluster, system=rated.system, resamples=0)
        except LagerError as error:  # labels that look as if they were not drawn at random, in one of a thousand draws
            print(f"left out: {error}")
            continue
        known = [one for one in systems.means if one.low is not None]
        found.append(
            Gain(
                whole.width(),
                systems.width(),
                np.mean([abs(one.mean - truth[one.name]) for one in known]),
                np.mean([abs(one.labelled_mean - truth[one.name]) for one in known]),
                np.mean([abs(one.judge_means[names[0]] - truth[one.name]) for one in known]),
                np.mean([one.low <= truth[one.name] <= one.high for one in known]),
            )
        )
    return Gain(*np.mean(found, axis=0))


def cache_gain(path: Path, strategies: list[str], n_labels: int, draws: int) -> tuple[float, float]:
    """Return widths of the criteria's means over those of labels alone, and coverage; judges are fitted by folds."""
    cache = FeatureCache.open(path)
    group, rng = cache.column("group"), np.random.default_rng(n_labels)
    truth = {one: cache.mean_scores[group == one].mean() for one in np.unique(group)}
    widths, held = [], []
    with tempfile.TemporaryDirectory() as folder:
        file = Path(folder) / "labels.csv"
        for _ in range(draws):
            rows = rng.choice(len(cache), n_labels, replace=False)
            file.write_text("id,score\n" + "\n".join(f"{cache.item_id[row]},{cache.mean_scores[row]}" for row in rows))
            judged = read_judged_items(path, strategies=strategies, scores=file)
            judges = {name: one.scores if one.folded is None else one.folded for name, one in judged.judges.items()}
            found = estimate_means(judged.human, judges, system=judged.group, cluster=judged.cluster, resamples=0)
            widths.append(found.width())
            held += [one.low <= truth[one.name] <= one.high for one in found.means]
    return float(np.mean(widths)), float(np.mean(held))


def main() -> None:
    """Print a line for each judge and number of labels."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("file", type=Path, help="rated items, or a feature cache")
    parser.add_argument("--criterion", default="coherence")
    parser.add_argument("--mixed", action="store_true", help="all judges mixed into one, and not each by itself")
    parser.add_argument("--draws", type=int, default=100)
    options = parser.parse_args()
    if options.file.is_dir():
        layers = [f"layer:{entry}" for entry in range(FeatureCache.open(options.file).n_layers + 1)]
        for called, strategies in (("e-score", ["e-score"]), ("ridge", ["ridge"]), ("default", []), ("layers", layers)):
            for n_labels in LABELS:
                width, held = cache_gain(options.file, strategies, n_labels, options.draws)
                print(f"| {called} | {n_labels} | {width:.2f} | {held:.0%} |", flush=True)
        return
    rated = read(options.file, options.criterion)
    print("| judge | labels | width, all | width, systems | error | labels alone | judge alone | systems held |")
    print("|---|---|---|---|---|---|---|---|")
    for names in [list(rated.judges)] if options.mixed else [[name] for name in rated.judges]:
        for n_labels in LABELS:
            one = gain(rated, names, n_labels, options.draws)
            cells = f"{one.width:.2f} | {one.system_width:.2f} | {one.error:.2f} | {one.error_alone:.2f}"
            judge = f"{one.judge_error:.2f}" if len(names) == 1 else "-"
            name = names[0] if len(names) == 1 else "all mixed"
            print(f"| {name} | {n_labels} | {cells} | {judge} | {one.held:.0%} |", flush=True)


if __name__ == "__main__":
    main()
