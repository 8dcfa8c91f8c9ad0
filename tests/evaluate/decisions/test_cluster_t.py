"""The t of a mean over clusters is that of the matrices which define CR2 and Satterthwaite's degrees of freedom."""

import numpy as np
import pytest
from lager import LagerError
from lager.evaluate.decisions.cluster_t import cluster_t
from scipy import stats


def by_matrices(values: np.ndarray, cluster: np.ndarray) -> tuple[float, float, float]:
    """Mean, error and degrees of freedom as Pustejovsky & Tipton (2018) write them, with X a column of ones."""
    n = len(values)
    x = np.ones((n, 1))
    bread = np.linalg.inv(x.T @ x)
    hat = x @ bread @ x.T
    mean = float((bread @ x.T @ values)[0])
    variance, directions = 0.0, []
    for name in np.unique(cluster):
        rows = np.flatnonzero(cluster == name)
        left = np.eye(len(rows)) - hat[np.ix_(rows, rows)]
        roots, vectors = np.linalg.eigh(left)
        adjust = vectors @ np.diag(roots**-0.5) @ vectors.T
        variance += float((bread @ x[rows].T @ adjust @ (values[rows] - mean))[0] ** 2)
        directions.append((np.eye(n) - hat)[:, rows] @ adjust @ x[rows] @ bread)
    p = np.hstack(directions)
    spread = p.T @ p
    return mean, variance**0.5, float(np.trace(spread) ** 2 / np.sum(spread**2))


@pytest.mark.parametrize("sizes", [(3, 1, 7, 2), (5, 5, 5), (1, 40), (1, 1, 1, 2, 30, 6)])
def test_error_and_freedom_are_those_of_the_matrices(sizes):
    rng = np.random.default_rng(len(sizes))
    cluster = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    values = rng.normal(size=len(cluster)) + rng.normal(size=len(sizes))[cluster]
    found = cluster_t(values, cluster)
    assert [found.mean, found.error, found.freedom] == pytest.approx(by_matrices(values, cluster), rel=1e-10)
    assert (found.n_items, found.n_clusters) == (len(values), len(sizes))


def test_items_by_themselves_give_the_t_test_of_one_sample():
    values = np.random.default_rng(0).normal(0.3, 1, size=40)
    found = cluster_t(values)
    for alternative in ("two-sided", "less", "greater"):
        expected = stats.ttest_1samp(values, 0.2, alternative=alternative).pvalue
        assert found.p(0.2, alternative=alternative) == pytest.approx(expected, rel=1e-10)
    expected = stats.ttest_1samp(values, 0.0).confidence_interval(0.9)
    assert found.interval(0.9) == pytest.approx(tuple(expected), rel=1e-10)


def test_columns_are_taken_one_by_one_with_their_own_missing_items():
    rng = np.random.default_rng(1)
    values = rng.normal(size=(60, 3))
    values[rng.random(values.shape) < 0.2] = np.nan
    names = np.array([f"article {i}" for i in rng.integers(0, 9, 60)])
    found = cluster_t(values, names)
    for column in range(3):
        rows = ~np.isnan(values[:, column])
        alone = cluster_t(values[rows, column], names[rows])
        assert found.mean[column] == pytest.approx(alone.mean)
        assert found.p()[column] == pytest.approx(alone.p(), rel=1e-9)
        assert found.n_clusters[column] == alone.n_clusters


def test_items_of_a_cluster_that_are_one_item_repeated_count_once():
    values = np.random.default_rng(2).normal(size=20)
    repeated = cluster_t(np.repeat(values, 5), np.repeat(np.arange(20), 5))
    once = cluster_t(values)
    for of_all, of_one in ((repeated.error, once.error), (repeated.freedom, once.freedom), (repeated.p(), once.p())):
        assert of_all == pytest.approx(of_one)


def test_one_cluster_and_none_have_a_mean_and_no_error():
    one = cluster_t([1.0, 2.0, 6.0], ["a", "a", "a"])
    assert one.mean == 3
    assert np.isnan([one.error, one.freedom, one.p(), *one.interval()]).all()
    assert np.isnan(cluster_t(np.full((4, 2), np.nan)).mean).all()
    assert np.isnan([cluster_t([]).p(), cluster_t([], []).mean]).all()


def test_values_without_spread_are_sure_unless_they_are_the_null():
    found = cluster_t(np.full(30, 0.1))
    assert found.error == 0
    assert found.p(0.2, alternative="less") == 0
    assert found.p(0.2, alternative="greater") == 1
    assert [found.p(found.mean, alternative=side) for side in ("two-sided", "less", "greater")] == [1, 1, 1]


def test_shapes_and_numbers_that_mean_nothing_are_refused():
    with pytest.raises(LagerError, match=r"shape \(2,\), expected one label for each of 3"):
        cluster_t([1.0, 2.0, 3.0], ["a", "b"])
    with pytest.raises(LagerError, match="infinite"):
        cluster_t([1.0, np.inf])
    with pytest.raises(LagerError, match="expected"):
        cluster_t(np.zeros((2, 2, 2)))
    with pytest.raises(LagerError, match="two-sided, less, greater"):
        cluster_t([1.0, 2.0]).p(alternative="more")
    with pytest.raises(LagerError, match="between 0 and 1"):
        cluster_t([1.0, 2.0]).interval(95)
