"""Independent items and a normal interval: the numbers of the method's authors, at a given weight and at its own.

`EXPECTED` was made with ppi-python 0.2.3 (numpy 2, Python 3.11): `ppi_mean_pointestimate(y, f, unlabelled, lam=weight)`
and `ppi_mean_ci(..., alpha=0.05, lam=weight)` on `drawn(case)`.
"""

import numpy as np
import pytest
from lager import LagerError, estimate_means

#: Mean, low and high of three draws, for the judge's weight None, 0, .5 and 1.
EXPECTED = [
    {
        None: (2.9859213367118214, 2.7511824293886886, 3.220660244034954),
        0.0: (3.01505, 2.713975281028887, 3.316124718971113),
        0.5: (2.9846025, 2.7504894500264134, 3.218715549973586),
        1.0: (2.954155, 2.6717920147753786, 3.2365179852246215),
    },
    {
        None: (2.8945741546257624, 2.6635475913296323, 3.1256007179218925),
        0.0: (2.892983333333333, 2.654307997675294, 3.131658668991372),
        0.5: (2.896133333333334, 2.657997112220311, 3.134269554446357),
        1.0: (2.8992833333333334, 2.609184747167095, 3.189381919499572),
    },
    {
        None: (3.0333599999999996, 2.594878492075112, 3.4718415079248874),
        0.0: (3.0333599999999996, 2.594878492075112, 3.4718415079248874),
        0.5: (3.0368540000000004, 2.5517068158805487, 3.522001184119452),
        1.0: (3.0403480000000003, 2.4737418895649217, 3.606954110435079),
    },
]
CASES = [(case, weight) for case in range(3) for weight in (None, 0.0, 0.5, 1.0)]


def drawn(case):
    """Human scores, the judge's, and how many items are labelled; the third judge is wrong."""
    n, others = [(40, 300), (60, 60), (25, 1000)][case]
    rng = np.random.default_rng(case)
    quality = np.round(rng.normal(3, 1, n + others), 3)
    human = np.round(quality + rng.normal(0, 0.5, n + others), 3)
    judge = np.round([0.9, 0.2, -0.3][case] * quality + rng.normal(0, 0.7, n + others) + 0.4, 3)
    return human, judge, n


def estimated(case, weight):
    human, judge, n = drawn(case)
    human[n:] = np.nan
    found = estimate_means(human, {"judge": judge}, variance="iid", quantile="normal", weight=weight)
    (mean,) = found.means
    return mean


@pytest.mark.parametrize(("case", "weight"), CASES)
def test_mean_and_interval_are_those_of_the_authors_code(case, weight):
    mean = estimated(case, weight)
    np.testing.assert_allclose([mean.mean, mean.low, mean.high], EXPECTED[case][weight], rtol=0, atol=1e-8)


@pytest.mark.slow
@pytest.mark.parametrize(("case", "weight"), CASES)
def test_the_authors_code_still_says_so(case, weight):
    ppi = pytest.importorskip("ppi_py")
    human, judge, n = drawn(case)
    low, high = ppi.ppi_mean_ci(human[:n], judge[:n], judge[n:], alpha=0.05, lam=weight)
    point = ppi.ppi_mean_pointestimate(human[:n], judge[:n], judge[n:], lam=weight)
    mean = estimated(case, weight)
    theirs = [float(np.squeeze(value)) for value in (point, low, high)]
    np.testing.assert_allclose([mean.mean, mean.low, mean.high], theirs, rtol=0, atol=1e-8)


def test_a_judge_who_is_wrong_has_no_weight():
    assert estimated(2, None).weight == 0.0
    assert 0.2 < estimated(0, None).weight < 1.0


def test_labels_alone_stand_beside_it():
    mean = estimated(0, None)
    np.testing.assert_allclose(
        [mean.labelled_mean, mean.labelled_low, mean.labelled_high], EXPECTED[0][0.0], rtol=0, atol=1e-8
    )


@pytest.mark.parametrize(
    "options",
    [{"cluster": list("aabbb")}, {"probability": [0.5] * 5}, {"judges": {"a": np.arange(5.0), "b": np.ones(5)}}],
)
def test_it_is_for_one_judge_and_items_drawn_alike(options):
    human = [1.0, 2.0, np.nan, np.nan, 3.0]
    judges = options.pop("judges", {"a": np.arange(5.0)})
    with pytest.raises(LagerError, match=r"variance 'iid' is for|in four clusters or more"):
        estimate_means(human, judges, variance="iid", **options)
