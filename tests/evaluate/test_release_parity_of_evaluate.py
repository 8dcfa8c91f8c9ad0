"""The ten strategies of the released code, computed by the commands from its own results, give its own figures."""

import json

import pytest
from lager.data.tools.import_release import import_release
from lager.evaluate.evaluation.cache_evaluation import evaluate_cache
from lager.train.files.aggregator_file import save_aggregator
from lager.train.training_run import train_on_cache
from support.readouts import RELEASED_NAMES


@pytest.mark.shared
def test_all_ten_strategies_match_the_released_code(shared, tmp_path):
    folder = shared / "reference" / "release-parity"
    expected = json.loads((folder / "p_expected.json").read_text())
    train, test = (
        import_release(folder / f"p_{name}.json.gz", cache=tmp_path / name, model="m") for name in ("valid", "test")
    )
    save_aggregator(tmp_path / "agg.json", train_on_cache(train, preset="release").record)
    found = evaluate_cache(
        test, list(RELEASED_NAMES), aggregators=[tmp_path / "agg.json"], preset="release", resamples=0
    )
    assert found.agreement.n == expected["n"]
    for name, theirs in RELEASED_NAMES.items():
        metrics = found.agreement[name].pooled
        ours = [metrics["pearson"].estimate, metrics["spearman"].estimate]
        assert ours == pytest.approx(expected["corr_pearson_spearman"][theirs], abs=1e-6), name
