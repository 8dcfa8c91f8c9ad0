import json
import os
import shutil

import numpy as np
import polars as pl
import pytest
from lager.data.cache.feature_cache import FeatureCache
from lager.data.errors import LagerError
from lager.data.files.canonical import seal
from lager.data.run.cache_writer import CacheWriter
from support.caches import identity, make_cache, make_items, make_shard, write


def test_a_cache_reads_back_what_was_written_across_shards(tmp_path):
    make_cache(tmp_path / "c", 40, shard_size=16, invalid=frozenset({4, 20}))
    cache = FeatureCache.open(tmp_path / "c")
    shard = make_shard(make_items(40), invalid=frozenset({4, 20}))
    np.testing.assert_array_equal(cache.logits, shard.logits)
    np.testing.assert_array_equal(cache.logits_normed, shard.logits_normed)
    assert cache.item_id.tolist() == shard.item_id
    assert (cache.n_items, cache.n_layers, str(cache.scale)) == (40, 4, "1-5")
    assert cache.mean_scores[0] == pytest.approx(np.mean(cache.scores[0]))
    assert 0 < np.nanmedian(cache.score_mass) <= 1


def test_readouts_leave_invalid_rows_out_and_keep_columns_aligned(tmp_path):
    cache = make_cache(tmp_path / "c", 40, invalid=frozenset({0, 39}))
    readouts = cache.readouts()
    assert len(readouts) == 38
    assert np.isfinite(readouts.logits).all()
    assert readouts.item_id[0] == "item1"
    assert readouts.group[0] == "criterion1"
    assert readouts.human[0] == cache.mean_scores[1]


def test_content_hash_depends_on_content_and_not_on_the_shards(tmp_path):
    a = make_cache(tmp_path / "a", shard_size=7)
    b = make_cache(tmp_path / "b", shard_size=40)
    c = make_cache(tmp_path / "c", seed=1)
    assert a.content_hash == b.content_hash != c.content_hash
    assert a.items_hash == b.items_hash == c.items_hash
    assert a.fingerprint == c.fingerprint != make_cache(tmp_path / "d", template="other").fingerprint


def test_content_hash_does_not_depend_on_the_order_of_items(tmp_path):
    items = make_items(40)
    turned = items.take(list(reversed(range(40))))
    writer = CacheWriter.start(tmp_path / "b", identity=identity(), item_id=turned.item_id, shard_size=16)
    for k in range(writer.n_shards):
        write(writer, k, reversed_shard(make_shard(items)), turned)
    assert writer.finalize().content_hash == make_cache(tmp_path / "a").content_hash


def reversed_shard(shard):
    return type(shard)(**{name: values[::-1] for name, values in shard.datasets().items()})


def test_a_folder_that_is_no_cache_and_one_that_is_not_finished_are_told_apart(tmp_path):
    with pytest.raises(LagerError, match="is not a feature cache"):
        FeatureCache.open(tmp_path)
    CacheWriter.start(tmp_path / "c", identity=identity(), item_id=["a"])
    with pytest.raises(LagerError, match="not complete"):
        FeatureCache.open(tmp_path / "c")


def test_a_shard_whose_bytes_changed_is_named(tmp_path):
    cache = make_cache(tmp_path / "c")
    path = tmp_path / "c" / "shards" / "00001.h5"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    with pytest.raises(LagerError, match=r"00001\.h5 changed after"):
        _ = FeatureCache.open(tmp_path / "c").logits
    with pytest.raises(LagerError, match="changed after"):
        FeatureCache.open(cache.path).check_files()


def test_a_missing_shard_changed_items_and_an_edited_manifest_are_named(tmp_path):
    make_cache(tmp_path / "c")
    for name, message in [("shards/00000.h5", "missing"), ("items.parquet", "sha256"), ("manifest.json", "checksum")]:
        copy = tmp_path / "copy"
        shutil.copytree(tmp_path / "c", copy)
        if name.endswith("h5"):
            (copy / name).unlink()
        else:
            (copy / name).write_bytes(
                (copy / name).read_bytes().replace(b"criterion", b"criteriun").replace(b'"tiny"', b'"huge"')
            )
        with pytest.raises(LagerError, match=message):
            _ = FeatureCache.open(copy).logits
        shutil.rmtree(copy)


@pytest.mark.parametrize(
    "change",
    [
        {"format": "other"},
        {"format_version": 2},
        {"shards": [{"file": "../../etc/passwd", "rows": 40, "sha256": "x"}]},
        {"shards": [{"file": "/etc/passwd", "rows": 40, "sha256": "x"}]},
        {"shards": []},
        {"shards": [{"file": "shards/00000.h5", "rows": 40, "sha256": "x", "bytes": -1}]},
        {"items": {"file": "../items.parquet", "rows": 40, "sha256": "x"}},
        {"scale": {"labels": ["1"], "values": [1]}},
        {"n_entries": "many"},
        {"fingerprint": None},
    ],
)
def test_a_manifest_from_a_stranger_is_checked_before_it_is_believed(tmp_path, change):
    make_cache(tmp_path / "c")
    path = tmp_path / "c" / "manifest.json"
    path.write_text(json.dumps(seal({**json.loads(path.read_text()), **change})))
    with pytest.raises(LagerError):
        FeatureCache.open(tmp_path / "c")


def test_shards_of_another_cache_are_noticed_even_without_checksums(tmp_path):
    make_cache(tmp_path / "a")
    make_cache(tmp_path / "b")
    shutil.copy(tmp_path / "b" / "shards" / "00001.h5", tmp_path / "a" / "shards" / "00000.h5")
    with pytest.raises(LagerError, match=r"different items|cannot be read"):
        _ = FeatureCache.open(tmp_path / "a", verify=False).logits


def test_labels_may_come_later(tmp_path):
    cache = make_cache(tmp_path / "c")
    pl.DataFrame({"id": ["item3", "item1"], "score": [2.0, 5.0]}).write_csv(tmp_path / "scores.csv")
    labelled = cache.with_scores(tmp_path / "scores.csv")
    assert labelled.mean_scores[[1, 3]].tolist() == [5, 2]
    assert np.isnan(labelled.mean_scores[0])
    assert np.isfinite(cache.mean_scores).all()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("id,score\nnobody,3\n", "1 of 1 ids are not in cache"),
        ("id,score\nitem1,9\n", "outside the scale 1-5"),
        ("id,score\nitem1,2\nitem1,3\n", "repeat an id"),
        ("id,points\nitem1,2\n", "no column 'score'"),
    ],
)
def test_score_files_that_do_not_fit_are_refused(tmp_path, text, message):
    cache = make_cache(tmp_path / "c")
    (tmp_path / "scores.csv").write_text(text)
    with pytest.raises(LagerError, match=message):
        cache.with_scores(tmp_path / "scores.csv")


@pytest.mark.skipif(os.name != "posix", reason="permissions are POSIX's")
def test_a_cache_can_be_read_from_a_folder_that_cannot_be_written(tmp_path):
    make_cache(tmp_path / "c")
    for path in [*(tmp_path / "c").rglob("*"), tmp_path / "c"]:
        path.chmod(0o555 if path.is_dir() else 0o444)
    try:
        assert len(FeatureCache.open(tmp_path / "c").logits) == 40
    finally:
        for path in [tmp_path / "c", *(tmp_path / "c").rglob("*")]:
            path.chmod(0o755)
