"""The ten strategies of the released code, computed by the commands from its own results, give its own figures."""

import json

import pytest
from lager.data.release_import import import_release
from lager.evaluate.cache_evaluation import evaluate_cache
from lager.train.aggregator_file import save_aggregator
from lager.train.training_run import train_on_cache

NAMES = {
    "vscore": "direct_score",
    "e-score": "e_score",
    "lager": "lager_wo",
    "lager-tuned": "lager_w",
    "lager-max": "logits_agg_max_score",
    "lager-tuned-max": "logits_agg_weighted_max_score",
    "prob": "prob_agg_e_score",
    "prob-max": "prob_agg_max_score",
    "prob-tuned": "prob_weighted_agg_e_score",
    "prob-tuned-max": "prob_weighted_agg_max_score",
}


@pytest.mark.shared
def test_all_ten_strategies_match_the_released_code(shared, tmp_path):
    folder = shared / "reference" / "release-parity"
    expected = json.loads((folder / "p_expected.json").read_text())
    train, test = (
        import_release(folder / f"p_{name}.json.gz", cache=tmp_path / name, model="m") for name in ("valid", "test")
    )
    save_aggregator(tmp_path / "agg.json", train_on_cache(train, preset="release").record)
    found = evaluate_cache(test, list(NAMES), aggregators=[tmp_path / "agg.json"], preset="release", resamples=0)
    assert found.agreement.n == expected["n"]
    for name, theirs in NAMES.items():
        metrics = found.agreement[name].pooled
        ours = [metrics["pearson"].estimate, metrics["spearman"].estimate]
        assert ours == pytest.approx(expected["corr_pearson_spearman"][theirs], abs=1e-6), name
