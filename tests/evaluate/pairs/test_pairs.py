"""`lager pairs`: preferences from scores, and their agreement with people's."""

import hashlib
import json
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from lager.cli import main_or_raise
from lager.data.cache.shard_rows import take_rows
from lager.data.cache.shards import ShardData
from lager.data.errors import LagerError
from lager.data.items.items import TABLE_SCHEMA
from lager.data.open_items import open_items
from lager.data.run.cache_writer import CacheWriter
from lager.data.scale import Scale
from lager.evaluate.pairs.judged_pairs import judge_pairs
from lager.evaluate.pairs.read_pairs import read_pairs
from lager.train.files.aggregator_file import AggregatorRecord, save_aggregator
from lager.train.strategies.fit import fit_strategy
from lager.train.training_run import train_on_cache
from scipy import stats
from support.caches import make_cache
from support.schemas import check_output

RATING, ORDER = Scale.parse("1-5"), Scale.parse("A=1,B=0")


def pair_cache(path, final, preferred, *, scale=RATING, groups=None, invalid=frozenset(), sides="AB", prompts=None):
    """A cache of pairs: `final` (n_pairs, 2, n_labels) are the last layer's logits, the layers before know nothing."""
    final = np.asarray(final, np.float32)
    n = 2 * len(final)
    logits = np.zeros((n, 2, len(scale)), np.float32)
    logits[:, 1] = final.reshape(n, -1)
    valid = np.array([row not in invalid for row in range(n)])
    logits[~valid] = np.nan
    ids = [f"{pair}/{side}" for pair in range(len(final)) for side in "AB"]
    told = ids if prompts is None else map(str, prompts)
    hashes = b"".join(hashlib.sha256(name.encode()).digest() for name in told)
    shard = ShardData(
        item_id=ids, prompt_sha256=np.frombuffer(hashes, np.uint8).reshape(n, 32), n_tokens=np.full(n, 9, np.int32),
        logits=logits, logits_normed=logits, logsumexp=np.where(valid, 9.0, np.nan).astype(np.float32),
        position=np.full(n, 8, np.int32), valid=valid, reason=["" if ok else "too long" for ok in valid],
    )  # fmt: skip
    table = pl.DataFrame(
        {"item_id": ids, "scores": [[]] * n, "group": np.repeat(groups or ["all"] * len(final), 2).tolist(),
         "cluster": [None] * n, "system": [None] * n}, schema=TABLE_SCHEMA,
    ).with_columns(
        pl.Series("pair", np.repeat([f"p{i}" for i in range(len(final))], 2).tolist()),
        pl.Series("side", list(sides) * len(final)),
        pl.Series("preferred", np.repeat(preferred, 2).tolist()),
    )  # fmt: skip
    identity = {"inputs": {"template": "direct"}, "readout_inputs": {"weights": "w0"}, "scale": scale.as_json(),
                "recorded": {}}  # fmt: skip
    writer = CacheWriter.start(path, identity=identity, item_id=ids, shard_size=n)
    writer.write(0, take_rows(shard, slice(0, n)), items=table)
    return writer.finalize()


def certain(*labels):
    """Logits that leave no doubt about a label, for two items a pair."""
    return [[60.0 * (np.arange(5) == label - 1) for label in pair] for pair in labels]


def test_the_higher_score_is_preferred_and_ties_count_half(tmp_path):
    cache = pair_cache(tmp_path / "c", certain((5, 1), (2, 4), (3, 3), (1, 2)), ["A", "A", "B", "tie"])
    found = judge_pairs(cache, ["e-score"])
    np.testing.assert_array_equal(found.preferences["e-score"].pick, [1, 0, 0.5, 0])
    figures = found.figures["e-score"]
    assert figures["accuracy"].value == pytest.approx((1 + 0 + 0.5) / 3)
    assert figures["accuracy"].n == 3
    assert figures["ties"].value == pytest.approx(0.25)
    assert set(figures) == {"accuracy", "ties", "brier"}


def test_the_probability_is_that_of_a_higher_draw(tmp_path):
    rng = np.random.default_rng(0)
    cache = pair_cache(tmp_path / "c", rng.normal(size=(50, 2, 5)), ["A"] * 50)
    found = judge_pairs(cache, ["e-score"]).preferences["e-score"]
    proba = np.exp(cache.logits_normed[:, -1].astype(float))
    proba /= proba.sum(axis=1, keepdims=True)
    for pair in range(3):
        a, b = (rng.choice(5, size=200_000, p=proba[2 * pair + side]) for side in (0, 1))
        assert found.probability[pair] == pytest.approx((a > b).mean() + (a == b).mean() / 2, abs=5e-3)


def test_turning_the_order_shows_consistency_and_position_bias(tmp_path):
    # Scores are the probability that the one shown first is better.
    def shown_first(p):
        return [np.log(p), np.log(1 - p)]

    first_wins = [[shown_first(p) for p in pair] for pair in ((0.9, 0.8), (0.9, 0.1), (0.6, 0.7), (0.2, 0.7))]
    cache = pair_cache(tmp_path / "c", first_wins, ["A", "A", "A", "B"], scale=ORDER)
    found = judge_pairs(cache, ["e-score"], resamples=50)
    figures = found.figures["e-score"]
    np.testing.assert_allclose(found.preferences["e-score"].probability, [0.55, 0.9, 0.45, 0.25], atol=1e-6)
    assert figures["accuracy"].value == pytest.approx(0.75)
    assert figures["consistency"].value == pytest.approx(0.5)  # the second and the fourth
    assert figures["accuracy_both"].value == pytest.approx(0.5)
    assert figures["position_bias"].value == pytest.approx(np.mean([0.85, 0.5, 0.65, 0.45]) - 0.5, abs=1e-6)


def test_groups_count_alike_and_intervals_hold_the_figure(tmp_path):
    rng = np.random.default_rng(1)
    labels = [(5, 1) if rng.random() < 0.8 else (1, 5) for _ in range(100)]
    cache = pair_cache(tmp_path / "c", certain(*labels), ["A"] * 100, groups=["many"] * 90 + ["few"] * 10)
    figure = judge_pairs(cache, ["e-score"]).figures["e-score"]["accuracy"]
    right = np.array([pair == (5, 1) for pair in labels])
    assert figure.value == pytest.approx((right[:90].mean() + right[90:].mean()) / 2)
    assert figure.pooled == pytest.approx(right.mean())
    assert figure.low < figure.value < figure.high


def test_intervals_are_the_jackknife_over_clusters_by_hand(tmp_path):
    labels = [(5, 1), (5, 1), (1, 5), (5, 1), (1, 5), (5, 1), (5, 1), (5, 1)]
    cache = pair_cache(tmp_path / "c", certain(*labels), ["A"] * 8)
    figure = judge_pairs(cache, ["e-score"]).figures["e-score"]["accuracy"]
    right = np.array([pair == (5, 1) for pair in labels], float)
    z = np.arctanh(2 * right.mean() - 1)
    left_out = np.arctanh([2 * np.delete(right, place).mean() - 1 for place in range(8)])
    reach = stats.t.ppf(0.975, 7) * np.sqrt(np.sum((left_out - z) ** 2))
    assert (figure.low, figure.high) == pytest.approx(tuple((np.tanh(z + np.array([-reach, reach])) + 1) / 2))


def test_a_pair_without_a_score_is_left_out_and_told(tmp_path, capsys):
    cache = pair_cache(tmp_path / "c", certain((5, 1), (5, 1), (1, 5)), ["A"] * 3, invalid=frozenset({2}))
    out = tmp_path / "out"
    main_or_raise(["pairs", str(cache.path), "--strategy", "e-score", "--out", str(out), "--json"])
    printed = capsys.readouterr()
    told = check_output("pairs", printed.out)
    assert told == json.loads((out / "pairs.json").read_text())
    assert told["strategies"][0]["scored"] == 2
    assert told["strategies"][0]["figures"]["accuracy"]["value"] == 0.5
    assert "1 of 3 pairs have an item without a score" in printed.err
    rows = pl.read_csv(out / "preferences.csv")
    assert rows["pick"].to_list() == [1.0, None, 0.0]
    with pytest.raises(LagerError, match="exists already"):
        main_or_raise(["pairs", str(cache.path), "--out", str(out)])


def test_the_table_names_what_it_shows(tmp_path, capsys):
    cache = pair_cache(tmp_path / "c", certain((5, 1), (2, 4)), ["A", "A"])
    main_or_raise(["pairs", str(cache.path)])
    printed = capsys.readouterr().out
    assert "2 pairs, each response by itself" in printed
    assert all(word in printed for word in ("accuracy", "Brier", "e-score", "lager"))


def test_aggregators_score_pairs_too(tmp_path):
    cache = pair_cache(tmp_path / "c", certain((5, 1), (2, 4)), ["A", "A"])
    trained = make_cache(tmp_path / "train", 40)
    save_aggregator(tmp_path / "a.json", train_on_cache(trained, strategy="lager-tuned").record)
    with pytest.raises(LagerError, match="4 layers"):  # another model's
        judge_pairs(cache, [], aggregators=[tmp_path / "a.json"])
    with pytest.raises(LagerError, match="needs fitting"):
        judge_pairs(cache, ["lager-tuned"])


def test_groups_that_an_aggregator_has_not_learnt_are_told(tmp_path):
    final = np.random.default_rng(0).normal(size=(20, 2, 5))
    seen, other = (
        pair_cache(tmp_path / name, final, ["A"] * 20, groups=groups * 10)
        for name, groups in (("seen", ["a", "b"]), ("other", ["a", "c"]))
    )
    readouts = replace(seen.readouts(), human=np.random.default_rng(1).integers(1, 6, 40).astype(float))
    save_aggregator(tmp_path / "a.json", AggregatorRecord(fit_strategy("ridge", readouts), seen.readout_id))
    notes = [judge_pairs(one, [], aggregators=[tmp_path / "a.json"], resamples=0).notes for one in (seen, other)]
    said = "an intercept or mean for each group (a, b): 20 of 40 items are in none of these (they have c)"
    assert [any(said in note for note in some) for some in notes] == [False, True]


def test_pairs_that_share_a_response_are_one_cluster(tmp_path):
    rng = np.random.default_rng(0)
    alone = pair_cache(tmp_path / "a", rng.normal(size=(8, 2, 5)), ["A"] * 8)
    assert read_pairs(alone).n_shared == 0
    assert list(read_pairs(alone).cluster) == [f"p{i}" for i in range(8)]
    shared = pair_cache(tmp_path / "b", rng.normal(size=(8, 2, 5)), ["A"] * 8, prompts=[*range(14), 0, 3])
    assert read_pairs(shared).n_shared == 2
    assert [len(set(read_pairs(shared).cluster[[0, 1, 7]])), len(set(read_pairs(shared).cluster))] == [1, 6]
    notes = judge_pairs(shared, ["lager"], resamples=20).notes
    assert "2 prompts are in several pairs: pairs that share one are one cluster" in notes


def test_what_is_no_pair_is_refused(tmp_path):
    with pytest.raises(LagerError, match="no column pair, side, preferred"):
        read_pairs(make_cache(tmp_path / "plain", 10))
    with pytest.raises(LagerError, match="so are 1 of 1 pairs"):
        read_pairs(pair_cache(tmp_path / "c", certain((5, 1)), ["A"], sides="AA"))
    with pytest.raises(LagerError, match="is not two items"):
        read_pairs(pair_cache(tmp_path / "d", certain((5, 1)), ["C"]))


def test_figures_and_intervals_are_whole_where_the_output_is_piped(tmp_path, capsys):
    labels = [(60.0 * first, 60.0 * (1 - first)) for first in (0.9, 0.2, 0.7, 0.1)]
    final = [[list(pair), list(pair[::-1])] for pair in labels]
    cache = pair_cache(tmp_path / "c", final, ["A", "B", "A", "B"], scale=ORDER)
    main_or_raise(["pairs", str(cache.path)])
    printed = capsys.readouterr().out
    assert "…" not in printed
    assert all(word in printed for word in ("consistent", "both right", "bias to first", "[low, high]: 95 % bootstrap"))
    main_or_raise(["pairs", str(cache.path), "--resamples", "0"])
    assert "[low, high]" not in capsys.readouterr().out


@pytest.mark.parametrize(("named", "groups"), [(("kind",), ["easy", "hard"]), ((), [None, None])])
def test_columns_that_tell_pairs_are_kept_and_name_no_group(tmp_path, named, groups):
    rows = [
        {"id": f"{kind}{n}{side}", "response": "x", "kind": kind, "pair": f"{kind}{n}", "side": side, "preferred": "A"}
        for kind in ("easy", "hard") for n in range(2) for side in "AB"
    ]  # fmt: skip
    path = tmp_path / "items.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    table = open_items(path, group=[*named, "pair", "side", "preferred"]).part(range(8)).table
    assert table["group"].unique(maintain_order=True).to_list() == list(dict.fromkeys(groups))
    assert table["pair"].to_list() == [row["pair"] for row in rows]
    assert table["side"].to_list() == ["A", "B"] * 4
    assert open_items(path, group=["pair"]).part(range(8)).table["group"].n_unique() == 4


def test_a_reason_is_told_where_there_is_no_interval(tmp_path, capsys):
    labels, preferred = [(5, 1), (1, 5), (5, 1)], ["A", "A", None]
    cache = pair_cache(tmp_path / "alone", certain(*labels), preferred, groups=["x", "y", "z"])
    main_or_raise(["pairs", str(cache.path), "--strategy", "e-score", "--json"])
    printed = capsys.readouterr()
    told = check_output("pairs", printed.out)
    assert told["without_preferred"] == 1
    assert told["strategies"][0]["figures"]["accuracy"]["reason"] == "every group is a single pair"
    assert "e-score: no interval of accuracy, ties, brier: every group is a single pair" in printed.err
    assert "1 of 3 pairs have no `preferred`" in printed.err
    same = pair_cache(tmp_path / "same", certain((5, 1), (5, 1)), ["A", "A"])
    reason = judge_pairs(same, ["e-score"]).figures["e-score"]["accuracy"].reason
    assert reason == "the figure is the same without any one cluster"
    found = judge_pairs(cache, ["e-score"], resamples=0)
    assert found.figures["e-score"]["accuracy"].reason == "no resamples"
    assert not any("interval" in note for note in found.notes)
