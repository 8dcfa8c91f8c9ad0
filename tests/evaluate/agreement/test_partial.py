"""Correlations with another column partialled out."""

import numpy as np
import pytest
from lager.cli import main_or_raise
from lager.data.errors import LagerError
from lager.evaluate.agreement.agreement import evaluate_scores
from lager.evaluate.agreement.item_level import PARTIAL
from lager.evaluate.evaluation.cache_evaluation import evaluate_cache
from scipy import stats
from support.caches import make_cache
from support.schemas import check_output

PLAIN = {
    "spearman": lambda a, b: stats.spearmanr(a, b)[0],
    "pearson": lambda a, b: stats.pearsonr(a, b)[0],
    "kendall": lambda a, b: stats.kendalltau(a, b)[0],
}


def partial(metric, x, y, z):
    r, a, b = (PLAIN[metric](*pair) for pair in ((x, y), (x, z), (y, z)))
    return (r - a * b) / np.sqrt((1 - a**2) * (1 - b**2))


@pytest.fixture(scope="module")
def drawn():
    """A judge that sees nothing but the length, and one that sees quality as well; half of quality is length."""
    rng = np.random.default_rng(0)
    group, cluster = np.arange(240) % 2, np.arange(240) // 8
    length = rng.integers(20, 200, 240).astype(float)
    quality = length / 50 + rng.normal(size=240)
    human = np.rint(np.clip(quality, 1, 5))
    judges = {"blind": length + 5 * rng.normal(size=240), "sees": quality + 0.5 * rng.normal(size=240)}
    return human, judges, length, group, cluster


@pytest.mark.parametrize("grouped", [False, True])
def test_figures_are_partial_correlations_in_each_group(drawn, grouped):
    human, judges, length, group, cluster = drawn
    options = {"group": group if grouped else None, "cluster": cluster, "metrics": PARTIAL, "resamples": 100}
    found = evaluate_scores(human, judges, partial=length, **options)
    for name, scores in judges.items():
        for metric in PARTIAL:
            parts = [group == one for one in (0, 1)] if grouped else [np.ones(240, dtype=bool)]
            expected = np.mean([partial(metric, scores[own], human[own], length[own]) for own in parts])
            one = found[name].metrics[metric]
            assert one.estimate == pytest.approx(expected, abs=1e-9)
            assert one.low < one.estimate < one.high
    plain = evaluate_scores(human, judges, **options)
    assert plain["blind"].metrics["spearman"].low > 0.3
    assert found["blind"].metrics["spearman"].low < 0 < found["blind"].metrics["spearman"].high
    assert found["sees"].metrics["spearman"].low > 0.3


def test_the_jackknife_partials_out_without_each_cluster(drawn):
    human, judges, length, _, cluster = drawn
    found = evaluate_scores(human, judges, partial=length, cluster=cluster, metrics=("pearson",), resamples=100)
    z = np.arctanh([partial("pearson", judges["sees"][keep], human[keep], length[keep])
                    for keep in (cluster != one for one in range(30))])  # fmt: skip
    point = np.arctanh(partial("pearson", judges["sees"], human, length))
    reach = stats.t.ppf(0.975, 29) * np.sqrt(((z - point) ** 2).sum())
    one = found["sees"].metrics["pearson"]
    assert (one.low, one.high) == pytest.approx(tuple(np.tanh([point - reach, point + reach])), abs=1e-9)


def test_a_constant_column_changes_nothing_and_one_that_tells_all_leaves_nothing(drawn):
    human, judges, length, _, _ = drawn
    constant = evaluate_scores(human, judges, partial=np.ones(240), metrics=PARTIAL, resamples=0)
    plain = evaluate_scores(human, judges, metrics=PARTIAL, resamples=0)
    assert constant["sees"].metrics == plain["sees"].metrics
    one = evaluate_scores(human, {"length": length}, partial=length, metrics=PARTIAL, resamples=0)["length"].metrics
    assert all(value.estimate is None for value in one.values())
    assert one["spearman"].reason == "the column that is partialled out tells all of a side"


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"metrics": ["mae"]}, "mae has no partial form: choose from spearman, pearson, kendall"),
        ({"metrics": PARTIAL, "partial": np.ones(3)}, "expected one number for each"),
        ({"metrics": PARTIAL, "partial": np.full(240, np.nan)}, "missing or infinite for some item"),
        ({"metrics": PARTIAL, "level": "system", "system": np.arange(240) % 6}, "are of items, not of systems' means"),
    ],
)
def test_what_has_no_partial_figure_is_refused(drawn, options, message):
    human, judges, length, _, _ = drawn
    with pytest.raises(LagerError, match=message):
        evaluate_scores(human, judges, **{"partial": length, "resamples": 0, **options})


def test_the_command_shows_figures_with_length_out_beside_the_others(tmp_path, capsys):
    cache = make_cache(tmp_path / "c", 60)
    arguments = ["evaluate", str(cache.path), "--strategy", "lager", "--strategy", "length", "--partial", "length"]
    main_or_raise([*arguments, "--resamples", "50"])
    assert "length out" in capsys.readouterr().out
    main_or_raise([*arguments, "--resamples", "50", "--json"])
    rows = {row["strategy"]: row for row in check_output("evaluate", capsys.readouterr().out)["results"]}
    group, scores = cache.column("group"), evaluate_cache(cache, ["lager"], resamples=0).scored[0].scores
    expected = [partial("kendall", *(one[group == g] for one in (scores, cache.mean_scores, cache.n_tokens)))
                for g in sorted(set(group))]  # fmt: skip
    assert rows["lager"]["partial"]["kendall"]["estimate"] == pytest.approx(np.mean(expected), abs=1e-9)
    assert rows["length"]["partial"] is None
    with pytest.raises(LagerError, match="only length can be partialled out"):
        main_or_raise([*arguments[:-1], "mass"])
    with pytest.raises(LagerError, match="of which nothing would be left"):
        evaluate_cache(cache, ["length"], partial="length", resamples=0)


def test_scores_out_of_fold_are_partialled_on_one_footing(tmp_path):
    found = evaluate_cache(make_cache(tmp_path / "c", 60), ["ridge"], folds=3, partial="length", resamples=20)
    one = found.partial["ridge"].metrics["spearman"]
    assert one.low < one.estimate < one.high
    assert one.estimate != pytest.approx(found.agreement["ridge"].metrics["spearman"].estimate, abs=1e-6)
