"""What lager-shrunk loses to the better of lager and lager-tuned, and gains where labels are few.

Run: python benchmarks/simulations/shrunk.py [--problems 17]  (of each truth and number of labels; 17 make 204 in all)
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
from lager.train.solvers.rank_correlation import spearman
from lager.train.strategies.fit import fit_strategy

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "tests"))
from support.readouts import from_arrays
from support.shrinkage import N_ENTRIES, TRUTHS, draw_items, informative_layers

SIZES = (50, 100, 300, 1000)
FRESH = 20_000
NAMES = ("lager", "lager-tuned", "lager-shrunk")


def problem(truth: str, n: int, number: int) -> dict[str, float]:
    """Return each strategy's Spearman on fresh items of one simulated problem."""
    rng = np.random.default_rng([number, n, TRUTHS.index(truth)])
    signal, tilt = informative_layers(truth, rng), rng.normal(scale=0.5, size=(N_ENTRIES, 5))
    train = from_arrays(*draw_items(n, signal, tilt, rng))
    test = from_arrays(*draw_items(FRESH, signal, tilt, rng))
    return {name: spearman(fit_strategy(name, train).predict(test), test.human) or 0.0 for name in NAMES}


def main() -> None:
    """Print the table of docs/strategies.md."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--problems", type=int, default=17)
    count = parser.parse_args().problems
    regrets, gains = [], []
    print("| truth | labels | lager | lager-tuned | lager-shrunk | mean regret |")
    print("|---|---|---|---|---|---|")
    for truth in TRUTHS:
        for n in SIZES:
            found = [problem(truth, n, number) for number in range(count)]
            own = [max(one["lager"], one["lager-tuned"]) - one["lager-shrunk"] for one in found]
            means = " | ".join(f"{np.mean([one[name] for one in found]):.4f}" for name in NAMES)
            print(f"| {truth} | {n:,} | {means} | {np.mean(own):+.4f} |")
            regrets += own
            gains += [one["lager-shrunk"] - one["lager-tuned"] for one in found] if n == SIZES[0] else []
    print(f"\n{len(regrets)} problems: regret {np.mean(regrets):+.4f} on average,", end=" ")
    print(f"{np.quantile(regrets, 0.95):+.4f} at the 95th percentile, {max(regrets):+.4f} at worst;", end=" ")
    print(f"gain over lager-tuned at {SIZES[0]} labels {np.mean(gains):+.4f}")


if __name__ == "__main__":
    main()
