"""How long stage 3 takes: the ten strategies of the paper's ablation, with intervals and without.

    python benchmarks/timings/evaluate.py                          # 2,000 items, 33 x 5 read-outs, 1,000 resamples
    python benchmarks/timings/evaluate.py --items 1000000 --resamples 0 --no-loop

Compared with a plain loop that takes one data frame per item, as evaluation scripts often do, without intervals.
Set OMP_NUM_THREADS to the cores that should count.
"""

import argparse
import resource
import time

import numpy as np
import polars as pl
from lager.data.cache.readouts import Readouts
from lager.data.scale import Scale
from lager.evaluate.agreement.agreement import evaluate_scores
from lager.train.aggregator.predictions import predict_all
from lager.train.strategies.fit import derived, fit_strategy, untrained
from lager.train.strategies.registry import ABLATION, lookup
from scipy import stats
from scipy.special import softmax

SCALE = Scale.parse("1-5")
N_ENTRIES = 33
CORRELATIONS = ("spearman", "pearson", "kendall")


def made_up_readouts(n: int, *, groups: int, seed: int = 0) -> tuple[Readouts, np.ndarray]:
    """Read-outs whose later layers know more, and the scores of three raters, whose mean is the human score."""
    rng = np.random.default_rng(seed)
    quality = rng.uniform(1, 5, size=n)
    raters = np.clip(np.round(quality[:, None] + rng.normal(size=(n, 3))), 1, 5)
    logits = rng.normal(size=(n, N_ENTRIES, 5), scale=2).astype(np.float32)
    depth = np.linspace(0, 0.5, N_ENTRIES, dtype=np.float32)
    for entry in range(N_ENTRIES):
        logits[:, entry] -= depth[entry] * (np.arange(1, 6) - quality[:, None]) ** 2
    readouts = Readouts(
        item_id=np.arange(n).astype(object),
        logits=logits,
        logits_normed=logits,
        n_tokens=np.full(n, 100, np.int32),
        human=raters.mean(axis=1),
        group=(np.arange(n) % groups).astype(str).astype(object),
        cluster=(np.arange(n) // groups).astype(str).astype(object),
        scale=SCALE,
    )
    return readouts, raters


def score(readouts: Readouts, train: Readouts) -> dict[str, np.ndarray]:
    tuned = fit_strategy("lager-tuned", train)
    n_layers = readouts.logits.shape[1] - 1
    aggregators = {
        name: derived(tuned, name) if lookup(name).needs_fitting else untrained(name, n_layers=n_layers, scale=SCALE)
        for name in ABLATION
    }
    return predict_all(aggregators, readouts)


def loop_over_data_frames(readouts: Readouts, weights: np.ndarray) -> dict[str, tuple[float, ...]]:
    """The ten strategies, each a pass with one data frame an item, then three correlations; no intervals."""
    uniform = np.full(len(weights), 1 / len(weights))
    scores = {
        name: [score_of_frame(name, readouts.logits[item], uniform, weights) for item in range(len(readouts))]
        for name in ABLATION
    }
    correlations = (stats.spearmanr, stats.pearsonr, stats.kendalltau)
    return {name: tuple(f(s, readouts.human).statistic for f in correlations) for name, s in scores.items()}


def score_of_frame(name: str, readout: np.ndarray, uniform: np.ndarray, tuned: np.ndarray) -> float:
    """One strategy's score of one item, from a frame with a row for each layer."""
    values = SCALE.array
    frame = pl.DataFrame(
        {"layer": range(len(readout)), "logits": readout.tolist(), "probs": softmax(readout, axis=1).tolist()}
    )
    logits, probs = np.array(frame["logits"].to_list()), np.array(frame["probs"].to_list())
    weights = tuned if "tuned" in name else uniform
    if name in {"vscore", "e-score"}:
        mixed = softmax(logits[-1])
    else:
        mixed = weights @ probs if name.startswith("prob") else softmax(weights @ logits)
    return float(values[mixed.argmax()] if name == "vscore" or name.endswith("-max") else mixed @ values)


def timed(what: str, call):
    start, processor = time.perf_counter(), time.process_time()
    result = call()
    seconds, processor = time.perf_counter() - start, time.process_time() - processor
    print(f"  {what:<66} {seconds:8.3f} s  (processor {processor:7.3f} s)")
    return result, seconds


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--items", type=int, default=2000)
    parser.add_argument("--resamples", type=int, default=1000)
    parser.add_argument("--groups", type=int, default=4)
    parser.add_argument("--no-loop", action="store_true", help="leave the plain loop out")
    options = parser.parse_args()
    n, resamples = options.items, options.resamples
    readouts, raters = made_up_readouts(n, groups=options.groups)
    train, _ = made_up_readouts(1000, groups=4, seed=1)
    print(f"ten strategies, {n:,} items, {N_ENTRIES} x {len(SCALE)} read-outs")
    timed("fit lager-tuned on 1,000 items", lambda: fit_strategy("lager-tuned", train))
    scores, seconds_scores = timed("fit, and score by ten strategies", lambda: score(readouts, train))
    human = readouts.human

    plain, seconds = timed(
        "Spearman, Pearson, Kendall, no intervals",
        lambda: evaluate_scores(human, scores, metrics=CORRELATIONS, resamples=0),
    )
    if resamples:
        timed(
            f"Spearman, Pearson, Kendall, {resamples:,} resamples of items",
            lambda: evaluate_scores(human, scores, metrics=CORRELATIONS, resamples=resamples),
        )
    everything = {"group": readouts.group, "cluster": readouts.cluster, "scale": SCALE, "resamples": resamples}
    timed(
        f"every metric, {options.groups} groups and pooled, {resamples:,} resamples of clusters",
        lambda: evaluate_scores(human, scores, **everything),
    )
    timed(
        "the same, differences to a baseline, and the human reference",
        lambda: evaluate_scores(human, scores, baseline="e-score", annotators=raters.tolist(), **everything),
    )
    if resamples:
        timed(
            "the same with BCa intervals",
            lambda: evaluate_scores(
                human, scores, baseline="e-score", annotators=raters.tolist(), interval="bca", **everything
            ),
        )
    if not options.no_loop:
        weights = np.array(fit_strategy("lager-tuned", train).weights)
        looped, seconds_loop = timed(
            "the same figures without intervals, looping over data frames",
            lambda: loop_over_data_frames(readouts, weights),
        )
        worst = max(
            abs(plain[name].metrics[metric].estimate - value)
            for name, values in looped.items()
            for metric, value in zip(CORRELATIONS, values, strict=True)
        )
        ratio = seconds_loop / (seconds + seconds_scores)
        print(f"  the loop takes {ratio:.0f} times as long as both; largest difference {worst:.1e}")
    print(f"  peak memory {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 2**20:.1f} GiB")


if __name__ == "__main__":
    main()
