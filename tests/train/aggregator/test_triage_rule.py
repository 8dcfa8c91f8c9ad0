"""The rule of who decides, as it stands in aggregator files."""

import json
from dataclasses import replace

import numpy as np
import pytest
from lager.data.cache.readouts import Readouts
from lager.data.errors import LagerError
from lager.data.files.canonical import seal
from lager.data.scale import Scale
from lager.train.aggregator.item_doubt import SIGNALS, doubt_signals
from lager.train.aggregator.triage_rule import TriageRule
from lager.train.files.aggregator_file import AggregatorRecord, load_aggregator, save_aggregator
from lager.train.strategies.fit import fit_strategy, untrained

SCALE = Scale.parse("1-5")
RULE = TriageRule(
    0.7, (0.1, 1.0, 0.0, -2.0, 0.0, 0.0, 0.5), 1.0, 0.1, 0.9, "errors among the items", SCALE, 100, 20, "r", "f", "i"
)


def readouts(n=6, n_layers=4, seed=0):
    rng = np.random.default_rng(seed)
    logits = rng.normal(size=(n, n_layers + 1, 5)).astype(np.float32)
    return Readouts(
        None, logits, 2 * logits, np.arange(10, 10 + n, dtype=np.int32), np.full(n, np.nan), None, None, SCALE
    )


def record(rule=RULE):
    return AggregatorRecord(untrained("lager", n_layers=4, scale=SCALE, preset="converged"), triage=rule)


@pytest.mark.parametrize("rule", [RULE, replace(RULE, coefficients=None, error=None)])
def test_a_file_gives_back_the_rule(tmp_path, rule):
    save_aggregator(tmp_path / "a.json", record(rule))
    assert load_aggregator(tmp_path / "a.json").triage == rule


def test_it_holds_on_its_own_scale_alone():
    assert record().triage_for(SCALE) == RULE
    assert record().triage_for(Scale.parse("1-4")) is None


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"threshold": "low"}, "no threshold"),
        ({"threshold": True}, "no threshold"),
        ({"coefficients": [1.0] * 3}, "no 7 coefficients"),
        ({"coefficients": [1.0] * 6 + ["x"]}, "no 7 coefficients"),
        ({"error": -1}, "which error is large"),
        ({"risk": 1.0}, "no risk and confidence"),
        ({"confidence": None}, "no risk and confidence"),
        ({"n": 0}, "no counts"),
        ({"n_clusters": 2.5}, "no counts"),
        ({"estimand": 3}, "what it was made on"),
        ({"scale": {}}, "scale"),
        ({"more": 1}, "other fields"),
    ],
)
def test_files_of_others_are_hostile_until_checked(tmp_path, changed, message):
    save_aggregator(tmp_path / "a.json", record())
    raw = json.loads((tmp_path / "a.json").read_text())
    raw["triage"] |= changed
    (tmp_path / "b.json").write_text(json.dumps(seal(raw)))
    with pytest.raises(LagerError, match=message):
        load_aggregator(tmp_path / "b.json")


def test_signals_are_of_the_distribution_that_scores_and_of_every_layer():
    some, aggregator = readouts(), record().aggregator
    signals = doubt_signals(aggregator, some, np.full(6, 0.5))
    assert signals.shape == (6, len(SIGNALS))
    proba = aggregator.predict_proba(some)
    mean = proba @ SCALE.array
    assert signals[:, 0] == pytest.approx(np.sqrt(proba @ SCALE.array**2 - mean**2))
    by_entry = np.exp(2.0 * some.logits)
    score = (by_entry / by_entry.sum(axis=2, keepdims=True)) @ SCALE.array / 4
    assert signals[:, 2] == pytest.approx(score.std(axis=1), abs=1e-6)
    assert signals[:, 3] == pytest.approx(np.abs(score[:, 4] - score[:, 2]), abs=1e-6)
    assert signals[:, 4] == pytest.approx(np.log(0.5))
    assert signals[:, 5] == pytest.approx(np.log(np.arange(10, 16)))


def test_a_judge_that_stops_early_looks_no_further():
    whole = readouts()
    labelled = replace(whole, human=np.linspace(1, 5, 6))
    early = fit_strategy("lager-early:2", labelled)
    cut = replace(whole, logits=whole.logits.copy(), logits_normed=whole.logits_normed.copy())
    cut.logits[:, 3:] = cut.logits_normed[:, 3:] = np.nan
    signals = doubt_signals(early, cut, np.full(6, np.nan))
    assert np.isfinite(signals).all()
    assert (signals[:, 4] == 0).all()
    assert signals == pytest.approx(doubt_signals(early, whole, np.full(6, 0.3)))


def test_learnt_doubt_is_the_logit_and_the_plain_one_the_deviation():
    signals = doubt_signals(record().aggregator, readouts(), np.ones(6))
    learnt = RULE.doubt(record().aggregator, readouts(), np.full(6, np.nan))
    assert learnt == pytest.approx(0.1 + signals[:, 0] - 2 * signals[:, 2] + 0.5 * signals[:, 5])
    plain = replace(RULE, coefficients=None).doubt(record().aggregator, readouts(), np.full(6, np.nan))
    assert plain == pytest.approx(signals[:, 0])
