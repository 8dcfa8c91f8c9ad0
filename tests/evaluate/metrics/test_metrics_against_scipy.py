"""Every metric, plain and weighted, is what scipy, scikit-learn or krippendorff give for the items written out."""

import itertools
import math
import warnings

import krippendorff
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lager.evaluate.metrics.metrics import METRICS
from lager.evaluate.weighted.context import Context, nearest_label
from lager.evaluate.weighted.pairing import Pairing
from lager.evaluate.weighted.ranking import Ranking
from lager.evaluate.weighted.segments import Segments
from scipy import stats
from sklearn.metrics import accuracy_score, cohen_kappa_score, f1_score, precision_score, recall_score, roc_auc_score
from sklearn.preprocessing import minmax_scale

LABELS = np.array([0.0, 1.0, 2.0, 3.0, 4.0])
CONTEXT = Context(labels=LABELS, threshold=0.5)


def nearest(values):
    """The nearest label of each value by a plain search; `argmin` takes the first, the lower one, of two."""
    return np.abs(np.asarray(values)[:, None] - LABELS).argmin(axis=1)


def kappa(x, y):
    with np.errstate(invalid="ignore"), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return cohen_kappa_score(nearest(x), nearest(y), labels=range(5), weights="quadratic")


def pairs_in_order(x, y):
    """Every pair, one by one."""
    signs = [
        (np.sign(x[i] - x[j]) * np.sign(y[i] - y[j]) + 1) / 2
        for i, j in itertools.combinations(range(len(x)), 2)
        if y[i] != y[j]
    ]
    return np.mean(signs) if signs else math.nan


def alpha(x, y):
    if len(set(x) | set(y)) == 1:
        return math.nan
    return krippendorff.alpha(reliability_data=[x, y], level_of_measurement="interval")


def divergence(x, y):
    q, p = (np.bincount(nearest(values), minlength=5) + 0.5 for values in (x, y))
    return stats.entropy(p, q)


def calibration(x, y):
    middle = (stats.rankdata(x) - 0.5) / len(x)
    bins = np.minimum(np.floor(10 * middle + 1e-12), 9)
    return sum(abs(np.mean((x - y)[bins == b])) * np.mean(bins == b) for b in set(bins))


REFERENCE = {
    "spearman": lambda x, y: stats.spearmanr(x, y).statistic,
    "pearson": lambda x, y: stats.pearsonr(x, y).statistic,
    "kendall": lambda x, y: stats.kendalltau(x, y, variant="b").statistic,
    "mae": lambda x, y: np.abs(x - y).mean(),
    "rmse": lambda x, y: math.sqrt(((x - y) ** 2).mean()),
    "accuracy": lambda x, y: accuracy_score(nearest(y), nearest(x)),
    "qwk": kappa,
    "pairwise_accuracy": pairs_in_order,
    "krippendorff_alpha": alpha,
    "f1": lambda x, y: f1_score(y >= 2, x >= 2, zero_division=np.nan),
    "precision": lambda x, y: precision_score(y >= 2, x >= 2, zero_division=np.nan),
    "recall": lambda x, y: recall_score(y >= 2, x >= 2, zero_division=np.nan),
    "auroc": lambda x, y: roc_auc_score(y >= 2, x) if len(set(y >= 2)) == 2 else math.nan,
    "kl": divergence,
    "minmax_mse": lambda x, y: ((minmax_scale(x) - minmax_scale(y)) ** 2).mean(),
    "wasserstein": stats.wasserstein_distance,
    "calibration_error": calibration,
    "range_used": lambda x, y: np.ptp(x) / 4,
}


def reference(name, x, y):
    """What the other library says, NaN where the metric is undefined."""
    x, y = np.asarray(x, float), np.asarray(y, float)
    if METRICS[name].needs_variation and (len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) == 0):
        return math.nan
    return REFERENCE[name](x, y) if len(x) else math.nan


def compute(name, x, y, weights, starts=(0,), *, context=CONTEXT):
    segments = Segments(np.array(starts), len(x))
    sides = (Ranking(np.asarray(values, float), segments) for values in (x, y))
    return METRICS[name].compute(Pairing(*sides, context).weighted(np.asarray(weights, float)))


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("values", [2, 5, 13, 1000])
def test_plain_metrics_equal_scipy_with_few_and_many_ties(name, values):
    rng = np.random.default_rng(values)
    x = rng.integers(values, size=300) / 3
    y = np.round(x + rng.normal(size=300) * values / 6)
    found = compute(name, x, y, np.ones((300, 1)))
    assert found.shape == (1, 1)
    assert found[0, 0] == pytest.approx(reference(name, x, y), abs=1e-11, nan_ok=True)


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("n_resamples", [3, 40])
def test_weights_equal_written_out_items_in_every_segment(name, n_resamples):
    rng = np.random.default_rng(7)
    n, starts = 90, [0, 1, 3, 40, 41, 60]
    x, y = rng.integers(6, size=n) / 3, rng.integers(9, size=n) / 2
    weights = rng.integers(4, size=(n, n_resamples))
    weights[:40, 0] = 0
    found = compute(name, x, y, weights, starts)
    for segment, (start, end) in enumerate(zip(starts, [*starts[1:], n], strict=True)):
        for resample in range(n_resamples):
            rows = np.repeat(np.arange(start, end), weights[start:end, resample])
            expected = reference(name, x[rows], y[rows])
            assert found[segment, resample] == pytest.approx(expected, abs=1e-11, nan_ok=True)


@settings(max_examples=120, deadline=None)
@given(
    st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3), st.integers(0, 3)), min_size=1, max_size=25),
    st.sampled_from(sorted(METRICS)),
)
def test_any_small_sample_equals_scipy_or_is_undefined_with_it(rows, name):
    x, y, weights = (np.array(column) for column in zip(*rows, strict=True))
    drawn = np.repeat(np.arange(len(x)), weights)
    found = compute(name, x, y, weights[:, None])[0, 0]
    assert found == pytest.approx(reference(name, x[drawn], y[drawn]), abs=1e-11, nan_ok=True)


@pytest.mark.parametrize("name", ["spearman", "pearson", "kendall"])
@pytest.mark.parametrize(
    ("x", "y"), [([2, 2, 2], [1, 2, 3]), ([1, 2, 3], [0.1, 0.1, 0.1]), ([1.0], [2.0])], ids=["judge", "human", "single"]
)
def test_constant_or_single_input_is_undefined_not_zero(name, x, y):
    assert np.isnan(compute(name, x, y, np.ones((len(x), 1)))).all()
    assert np.isnan(compute(name, x, y, np.full((len(x), 50), 2.0))).all()


@pytest.mark.parametrize("name", ["spearman", "pearson", "kendall"])
def test_differences_below_three_decimals_still_rank_and_those_below_rounding_do_not(name):
    y = np.arange(50.0)
    assert compute(name, 3 + y * 1e-5, y, np.ones((50, 1)))[0, 0] == pytest.approx(1, abs=1e-6)
    assert np.isnan(compute(name, 3 + y * 1e-9, y, np.ones((50, 1)))).all()


@pytest.mark.parametrize("name", ["spearman", "pearson", "kendall"])
def test_perfect_agreement_never_exceeds_one(name):
    x = np.random.default_rng(0).normal(size=200)
    assert compute(name, x, x, np.ones((200, 40))).max() <= 1.0
    assert compute(name, x, -x, np.ones((200, 40))).min() >= -1.0


def test_kendall_of_many_continuous_items_equals_scipy():
    rng = np.random.default_rng(3)
    y = rng.normal(size=5000)
    x, y = (np.argsort(np.argsort(side)).astype(float) for side in (y + rng.normal(size=5000), y))
    assert compute("kendall", x, y, np.ones((5000, 1)))[0, 0] == pytest.approx(REFERENCE["kendall"](x, y), abs=1e-13)


def test_halfway_between_two_labels_counts_as_the_lower_one():
    values = np.array([0.5, 1.5, 1.50001, -3, 9])
    assert nearest_label(values, LABELS).tolist() == [0, 1, 2, 0, 4]
    assert nearest_label(np.array([2.0, 2.01]), np.array([1.0, 3.0])).tolist() == [0, 1]


@pytest.mark.parametrize("n_resamples", [1, 40])
def test_pairs_are_of_one_cluster_and_a_cluster_drawn_twice_counts_twice(n_resamples):
    rng = np.random.default_rng(3)
    starts, cluster = [0, 30], rng.integers(6, size=60)
    x, y = rng.integers(4, size=60), rng.integers(4, size=60)
    weights = rng.integers(3, size=(6, n_resamples))
    context = Context(cluster=cluster)
    found = compute("pairwise_accuracy", x, y, weights[cluster], starts, context=context)
    for segment, rows in enumerate((np.arange(30), np.arange(30, 60))):
        for resample in range(n_resamples):
            right = pairs = 0.0
            for c in range(6):
                members = rows[cluster[rows] == c]
                for i, j in itertools.combinations(members, 2):
                    if y[i] != y[j]:
                        pairs += weights[c, resample]
                        right += weights[c, resample] * (1 + np.sign(x[i] - x[j]) * np.sign(y[i] - y[j])) / 2
            expected = right / pairs if pairs else math.nan
            assert found[segment, resample] == pytest.approx(expected, abs=1e-12, nan_ok=True)


@pytest.mark.parametrize(
    "name", ["qwk", "krippendorff_alpha", "minmax_mse", "f1", "precision", "recall", "auroc", "pairwise_accuracy"]
)
def test_what_compares_with_nothing_is_undefined_not_zero(name):
    assert np.isnan(compute(name, [1, 1, 1], [1, 1, 1], np.ones((3, 1)))).all()
    assert np.isnan(compute(name, [1, 1, 1], [1, 1, 1], np.full((3, 40), 2.0))).all()


def test_constant_scores_that_miss_have_an_alpha_at_or_below_zero():
    assert compute("krippendorff_alpha", [1, 1, 1], [2, 2, 2], np.ones((3, 1)))[0, 0] == pytest.approx(-2 / 3)


def test_calibration_keeps_tied_scores_in_one_bin_and_finds_a_shift():
    y = np.random.default_rng(0).uniform(1, 5, size=1000)
    assert compute("calibration_error", y, y, np.ones((1000, 1)))[0, 0] == pytest.approx(0, abs=1e-12)
    assert compute("calibration_error", y + 0.25, y, np.ones((1000, 1)))[0, 0] == pytest.approx(0.25)
    constant = compute("calibration_error", np.full(1000, y.mean()), y, np.ones((1000, 1)))
    assert constant[0, 0] == pytest.approx(0, abs=1e-12)
