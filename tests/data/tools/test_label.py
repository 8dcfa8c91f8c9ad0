"""Labels that come after the extraction, and what people say of a cache."""

import json

import numpy as np
import polars as pl
import pytest
from lager.data.cache.feature_cache import FeatureCache
from lager.data.cache.manifest import read_run
from lager.data.cache.shards import read_shard
from lager.data.errors import LagerError
from lager.data.remote.push import push
from lager.data.run.cache_writer import CacheWriter
from lager.data.tools.describe import describe_cache
from lager.data.tools.label import label_cache
from lager.data.tools.verify import verify_cache
from support.caches import make_cache
from support.commands import run_command


def unlabelled(path):
    """A cache without human scores."""
    made = make_cache(path)
    writer = CacheWriter(path, read_run(path))
    items = made.items.with_columns(pl.Series("scores", [[]] * made.n_items, dtype=pl.List(pl.Float64)))
    for k, entry in enumerate(made.manifest["shards"]):
        rows = writer.rows(k)
        writer.relabel(k, read_shard(path / entry["file"]), items=items[rows.start : rows.stop])
    return writer.finalize()


def test_scores_and_raters_come_later_and_read_outs_stay(tmp_path, capsys):
    before = unlabelled(tmp_path / "c")
    assert np.isnan(before.mean_scores).all()
    (tmp_path / "r.csv").write_text("id,ann,bob\nitem0,3,5\nitem1,,2\n")
    code, said, _ = run_command(capsys, "cache", "label", tmp_path / "c", tmp_path / "r.csv", "--raters", "ann,bob")
    assert (code, said.splitlines()[1]) == (0, f"  with human scores: 2 of {before.n_items} items")
    cache = FeatureCache.open(tmp_path / "c")
    assert cache.scores[:3] == [[3, 5], [2], []]
    assert cache.items["rated_by"].to_list()[:2] == [["ann", "bob"], ["bob"]]
    assert (cache.content_hash, cache.items_hash) == (before.content_hash, before.items_hash)
    assert verify_cache(tmp_path / "c") == []
    (tmp_path / "s.csv").write_text("id,score\nitem1,4\nitem2,1\n")
    done = label_cache(tmp_path / "c", tmp_path / "s.csv")
    assert (done.n_given, done.n_changed, done.n_labelled) == (2, 1, 3)
    assert done.cache.scores[:4] == [[3, 5], [4], [1], []]
    assert done.cache.items["rated_by"].to_list()[0] == ["ann", "bob"]
    assert verify_cache(tmp_path / "c") == []


def test_a_file_that_is_not_right_changes_nothing(tmp_path):
    before = make_cache(tmp_path / "c")
    (tmp_path / "s.csv").write_text("id,score\nitem1,9\n")
    with pytest.raises(LagerError, match="9"):
        label_cache(tmp_path / "c", tmp_path / "s.csv")
    (tmp_path / "s.csv").write_text("id,score\nitem1,\n")
    with pytest.raises(LagerError, match="a human score of no item"):
        label_cache(tmp_path / "c", tmp_path / "s.csv")
    push(tmp_path / "c", tmp_path / "copy", shown=False)
    (tmp_path / "s.csv").write_text("id,score\nitem1,4\n")
    with pytest.raises(LagerError, match="is a copy of another one: label it where that was extracted"):
        label_cache(tmp_path / "copy", tmp_path / "s.csv")
    assert FeatureCache.open(tmp_path / "c").items.equals(before.items)


def test_what_is_said_of_a_cache_is_in_manifest_info_and_card(tmp_path, capsys):
    before = make_cache(tmp_path / "c")
    command = ("cache", "describe", tmp_path / "c", "--licence", "cc-by-4.0", "--source", "essays | <b>")
    assert run_command(capsys, *command)[0] == 0
    assert describe_cache(tmp_path / "c", base_model="lab/judge") == {
        "licence": "cc-by-4.0", "source": "essays | <b>", "base_model": "lab/judge",
    }  # fmt: skip
    assert verify_cache(tmp_path / "c") == []
    assert FeatureCache.open(tmp_path / "c").content_hash == before.content_hash
    info = json.loads(run_command(capsys, "cache", "info", tmp_path / "c", "--json")[1])
    assert (info["licence"], info["base_model"], info["keeps"]) == ("cc-by-4.0", "lab/judge", "raters")
    push(tmp_path / "c", tmp_path / "copy", shown=False)
    card = (tmp_path / "copy" / "README.md").read_text()
    assert 'license: "cc-by-4.0"' in card
    assert "<b>" not in card
    assert describe_cache(tmp_path / "c", licence="", source="") == {"base_model": "lab/judge"}
    code, _, said = run_command(capsys, "cache", "describe", tmp_path / "c")
    assert (code, "nothing to say" in said) == (1, True)
