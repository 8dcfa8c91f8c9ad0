"""Every metric, plain and under weights, is what scipy gives for the items written out."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from lager.evaluate.metrics import METRICS
from lager.evaluate.pairing import Pairing
from lager.evaluate.ranking import Ranking
from lager.evaluate.segments import Segments
from scipy import stats


def pearson(x, y):
    return stats.pearsonr(x, y).statistic


REFERENCE = {
    "spearman": lambda x, y: stats.spearmanr(x, y).statistic,
    "pearson": pearson,
    "kendall": lambda x, y: stats.kendalltau(x, y, variant="b").statistic,
    "mae": lambda x, y: np.abs(x - y).mean(),
    "rmse": lambda x, y: math.sqrt(((x - y) ** 2).mean()),
}


def reference(name, x, y):
    """What scipy says, NaN where a correlation is undefined."""
    if not METRICS[name].on_scale and (len(x) < 2 or np.ptp(x) == 0 or np.ptp(y) == 0):
        return math.nan
    return REFERENCE[name](x, y) if len(x) else math.nan


def compute(name, x, y, weights, starts=(0,)):
    segments = Segments(np.array(starts), len(x))
    pairing = Pairing(Ranking(np.asarray(x, float), segments), Ranking(np.asarray(y, float), segments))
    return METRICS[name].compute(pairing.weighted(np.asarray(weights, float)))


@pytest.mark.parametrize("name", METRICS)
@pytest.mark.parametrize("values", [2, 5, 13, 1000])
def test_plain_metrics_equal_scipy_with_few_and_many_ties(name, values):
    rng = np.random.default_rng(values)
    x = rng.integers(values, size=300) / 3
    y = np.round(x + rng.normal(size=300) * values / 6)
    found = compute(name, x, y, np.ones((300, 1)))
    assert found.shape == (1, 1)
    assert found[0, 0] == pytest.approx(REFERENCE[name](x, y), abs=1e-12)


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
            assert found[segment, resample] == pytest.approx(expected, abs=1e-12, nan_ok=True)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(st.integers(-3, 3), st.integers(-3, 3), st.integers(0, 3)), min_size=1, max_size=25),
    st.sampled_from(sorted(METRICS)),
)
def test_any_small_sample_equals_scipy_or_is_undefined_with_it(rows, name):
    x, y, weights = (np.array(column) for column in zip(*rows, strict=True))
    drawn = np.repeat(np.arange(len(x)), weights)
    found = compute(name, x, y, weights[:, None])[0, 0]
    assert found == pytest.approx(reference(name, x[drawn], y[drawn]), abs=1e-12, nan_ok=True)


@pytest.mark.parametrize("name", ["spearman", "pearson", "kendall"])
@pytest.mark.parametrize(
    ("x", "y"), [([2, 2, 2], [1, 2, 3]), ([1, 2, 3], [0.1, 0.1, 0.1]), ([1.0], [2.0])], ids=["judge", "human", "single"]
)
def test_constant_or_single_input_is_undefined_not_zero(name, x, y):
    assert np.isnan(compute(name, x, y, np.ones((len(x), 1)))).all()
    assert np.isnan(compute(name, x, y, np.full((len(x), 50), 2.0))).all()


@pytest.mark.parametrize("name", ["spearman", "pearson", "kendall"])
def test_differences_far_below_three_decimals_still_rank(name):
    y = np.arange(50.0)
    x = 3 + y * 1e-9
    assert compute(name, x, y, np.ones((50, 1)))[0, 0] == pytest.approx(1, abs=1e-6)


@pytest.mark.parametrize("name", ["spearman", "pearson", "kendall"])
def test_perfect_agreement_never_exceeds_one(name):
    x = np.random.default_rng(0).normal(size=200)
    assert compute(name, x, x, np.ones((200, 40))).max() <= 1.0
    assert compute(name, x, -x, np.ones((200, 40))).min() >= -1.0


def test_kendall_of_many_continuous_items_equals_scipy():
    rng = np.random.default_rng(3)
    y = rng.normal(size=5000)
    x = y + rng.normal(size=5000)
    assert compute("kendall", x, y, np.ones((5000, 1)))[0, 0] == pytest.approx(REFERENCE["kendall"](x, y), abs=1e-13)
