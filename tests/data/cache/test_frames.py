"""A cache as a frame, and at first sight."""

import numpy as np
import polars as pl
from lager.data.cache.feature_cache import FeatureCache
from support.caches import make_cache


def test_a_frame_has_a_row_for_each_item_and_says_what_is_missing(tmp_path):
    cache = make_cache(tmp_path / "c", invalid=frozenset({2}))
    frame = cache.to_polars()
    assert frame["item_id"].to_list() == cache.item_id.tolist()
    np.testing.assert_array_equal(frame["human"], cache.mean_scores)
    assert frame["valid"].to_list() == cache.valid.tolist()
    assert frame["score_mass"].null_count() == 1
    assert frame.filter(~pl.col("valid"))["reason"].str.len_chars().min() > 0
    assert "logits" not in frame.columns
    assert cache.with_scores(write_one_score(tmp_path)).to_polars()["human"].null_count() == cache.n_items - 1


def write_one_score(folder):
    path = folder / "s.csv"
    path.write_text("id,score\nitem0,3\n")
    return path


def test_read_outs_come_as_arrays_and_to_pandas_as_lists(tmp_path):
    cache = make_cache(tmp_path / "c")
    for name, values in (("raw", cache.logits), ("normed", cache.logits_normed)):
        np.testing.assert_array_equal(cache.to_polars(logits=name)["logits"].to_numpy(), values)
    frame = cache.to_pandas(logits="raw")
    assert list(frame["item_id"]) == cache.item_id.tolist()
    np.testing.assert_array_equal(np.array(frame["logits"].tolist(), np.float32), cache.logits)


def test_a_cache_is_shown_in_ten_lines_and_in_html_with_text_escaped(tmp_path):
    made = make_cache(tmp_path / "a<b>c")
    cache = FeatureCache.open(made.path)
    lines = repr(cache).splitlines()
    assert len(lines) <= 10
    assert f"{cache.n_items}, {cache.n_items} with a read-out" in repr(cache)
    assert "<b>" not in cache._repr_html_()
    assert "&lt;b&gt;" in cache._repr_html_()
