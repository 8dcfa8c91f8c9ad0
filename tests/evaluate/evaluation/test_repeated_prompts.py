"""One row a rater and no clusters: a prompt is never on both sides of a fold, a hold-out or a draw."""

from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from lager.data.cache.feature_cache import FeatureCache
from lager.data.errors import LagerError
from lager.data.run.cache_writer import CacheWriter
from lager.evaluate.agreement.agreement import evaluate_scores
from lager.evaluate.evaluation.cache_evaluation import evaluate_cache
from lager.evaluate.evaluation.file_evaluation import evaluate_score_files
from lager.evaluate.evaluation.scoring import labelled_folds
from lager.evaluate.score.calibrate import calibrate
from lager.evaluate.sweep.cells import drawn_rows
from lager.evaluate.sweep.sweep import run_sweep
from lager.train.aggregator.aggregator import Aggregator
from lager.train.files.aggregator_file import AggregatorRecord, in_sample
from lager.train.strategies.fit import fit_strategy
from lager.train.strategies.registry import lookup
from lager.train.training_run import train_on_cache
from support.caches import identity, make_items, make_shard, write
from support.published import write_jsonl

TOLD = "100 prompts repeat, in 300 rows"


def rater_rows(path, *, seed=0, n_prompts=100, n_raters=3, clusters=None) -> FeatureCache:
    """Three rows a prompt, one for each rater, who agree with each other; the judge's read-outs are noise."""
    rng = np.random.default_rng(seed)
    of_row = rng.permutation(np.repeat(np.arange(n_prompts), n_raters))
    items = make_items(len(of_row))
    opinion = rng.uniform(1, 5, n_prompts)[of_row] + rng.normal(scale=0.5, size=len(of_row))
    table = items.table.with_columns(
        pl.Series("scores", [[one] for one in np.clip(np.rint(opinion), 1, 5)]),
        pl.Series("cluster", [None] * len(of_row) if clusters is None else clusters(of_row), dtype=pl.String),
        pl.lit(None, dtype=pl.String).alias("group"),
    )
    items = replace(items, table=table, fields=tuple({"prompt": f"prompt {seed} {one}"} for one in of_row))
    logits = rng.normal(size=(n_prompts, 5, 5)).astype(np.float32)[of_row]
    shard = replace(make_shard(items), logits=logits, logits_normed=2 * logits)
    writer = CacheWriter.start(path, identity=identity(), item_id=items.item_id, shard_size=512)
    write(writer, 0, shard, items)
    return writer.finalize()


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    return rater_rows(tmp_path_factory.mktemp("raters") / "c")


def prompts_of(cache, rows):
    return set(cache.prompt_keys()[rows].tolist())


def test_labels_that_say_nothing_of_the_judge_give_nought_out_of_fold(tmp_path):
    caches = [rater_rows(tmp_path / str(seed), seed=seed) for seed in range(6)]
    found = [evaluate_cache(one, ["ridge"], folds=5, resamples=0) for one in caches]
    rhos = [one.agreement["ridge"].metrics["spearman"].estimate for one in found]
    assert abs(np.mean(rhos)) < 0.2  # 0.62 where rows of a prompt are parted; one figure's deviation is 0.12
    assert all(sum(TOLD in note for note in one.notes) == 1 for one in found)


def test_folds_keep_prompts_whole_and_join_clusters_that_share_one(tmp_path, cache):
    # Two prompts to a text; `parted` has each text under two names, by chance.
    texts = rater_rows(tmp_path / "t", clusters=lambda of_row: [f"text{one // 2}" for one in of_row])
    parted = rater_rows(
        tmp_path / "p", clusters=lambda of_row: [f"text{one // 2} {row % 2}" for row, one in enumerate(of_row)]
    )
    for one in (cache, texts, parted):
        rows, folds = labelled_folds(one.readouts(), 5, 42)
        for fold in folds:
            assert not prompts_of(one, rows[fold.train]) & prompts_of(one, rows[fold.test])
    assert len(set(texts.readouts().cluster)) == 50 <= len(set(parted.readouts().cluster)) < 55
    assert (texts.clusters.n_prompts, parted.clusters.n_prompts > 50) == (0, True)


def test_a_hold_out_and_a_limited_draw_keep_prompts_whole(cache):
    run = train_on_cache(cache, strategy="ridge", holdout=0.25)
    seen = in_sample(run.record, cache.prompt_keys())
    assert run.held_out.n + run.record.aggregator.training["n"] == 300
    assert int(seen.sum()) == run.record.aggregator.training["n"]
    assert [TOLD in note for note in run.notes].count(True) == 1
    assert abs(run.held_out.spearman["ridge"]) < 0.4
    drawn = train_on_cache(cache, strategy="ridge", limit=50).record
    assert (drawn.aggregator.training["n"], int(in_sample(drawn, cache.prompt_keys()).sum())) == (48, 48)
    with pytest.raises(LagerError, match=r"limit is 2 items, and no cluster has so few: give 3 or more"):
        train_on_cache(cache, limit=2)
    assert not any("repeat" in note for note in train_on_cache(cache, strategy="lager").notes)


def test_inner_folds_calibration_and_sweeps_take_a_prompt_as_one_cluster(tmp_path, cache):
    assert fit_strategy("ridge", cache.readouts()).training["clusters"] == 100
    lager = Aggregator.untrained(fit_strategy("lager", cache.readouts()).definition, 4, cache.scale, "converged")
    found = calibrate(AggregatorRecord(lager, cache.readout_id, cache.fingerprint), cache)
    assert (found.record.calibration.n, found.record.calibration.n_clusters) == (300, 100)
    assert sum(TOLD in note for note in found.notes) == 1
    rows = drawn_rows(cache.readouts(), 60, 0, seed=1)
    assert len(prompts_of(cache, rows)) == 60
    done = run_sweep(cache, rater_rows(tmp_path / "t", seed=9), tmp_path / "sweep", strategies=["lager"], sizes=[20],
                     seeds=1, folds=0, jobs=1)  # fmt: skip
    assert sum(TOLD in note for note in done.notes) == 1


def test_intervals_leave_out_prompts_whole_and_pairs_are_of_all_items(cache):
    found = evaluate_cache(cache, ["lager"], resamples=200).agreement
    prompt = cache.prompt_keys().astype(str)
    same = evaluate_scores(
        cache.mean_scores, {"lager": scores_of(cache)}, cluster=prompt, scale=cache.scale, resamples=200, seed=42
    )
    assert found.n_clusters == 100
    for metric in ("spearman", "mae", "qwk"):
        assert found["lager"].metrics[metric] == same["lager"].metrics[metric]
    alone = evaluate_scores(cache.mean_scores, {"lager": scores_of(cache)}, scale=cache.scale, resamples=200, seed=42)
    pairs = [one["lager"].metrics["pairwise_accuracy"].estimate for one in (found, alone, same)]
    assert pairs[0] == pairs[1]
    assert pairs[2] == pytest.approx(0.5)  # of a prompt the judge says one thing


def test_files_of_scores_take_rows_of_one_prompt_as_a_cluster(tmp_path):
    rng = np.random.default_rng(0)
    rows = [{"id": str(n), "score": int(rng.integers(1, 6)), "prompt_sha256": f"p{n // 3}"} for n in range(60)]
    human = write_jsonl(tmp_path / "human.jsonl", rows)
    judge = write_jsonl(tmp_path / "judge.jsonl", [{"id": row["id"], "score": 3 + rng.normal()} for row in rows])
    found = evaluate_score_files(human, [f"{judge}:score"], resamples=100)
    assert found.agreement.n_clusters == 20
    assert "20 prompts repeat, in 60 rows" in " ".join(found.notes)
    for row in rows:
        row["prompt_sha256"] = row["id"]
    again = evaluate_score_files(write_jsonl(human, rows), [f"{judge}:score"], resamples=100)
    assert again.agreement.n_clusters is None


def scores_of(cache):
    readouts = cache.readouts()
    return Aggregator.untrained(lookup("lager"), 4, cache.scale, "converged").predict(readouts)
