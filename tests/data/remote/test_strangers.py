"""A cache from someone else does not lead outside its own folder, or claim more than it holds."""

import json
import os
import shutil

import numpy as np
import polars as pl
import pytest
from lager.data.cache.feature_cache import FeatureCache
from lager.data.cache.manifest import file_entry
from lager.data.cache.shards import claimed_bytes, read_shard, write_shard
from lager.data.errors import LagerError
from lager.data.files import bounds
from lager.data.files.canonical import seal, sha256_file
from lager.data.remote.pull import pull
from lager.data.run.cache_writer import CacheWriter
from lager.data.tools.export import export_cache
from lager.data.tools.repair import repair_cache
from lager.data.tools.verify import verify_cache
from support.caches import identity, make_cache, make_items


@pytest.fixture
def cache(tmp_path):
    make_cache(tmp_path / "cache")
    return tmp_path / "cache"


def test_shards_that_unpack_to_too_much_are_told_before_they_are_read_each_and_together(cache, monkeypatch):
    claimed = [claimed_bytes(path) for path in sorted((cache / "shards").glob("*.h5"))]
    assert len(claimed) > 2
    monkeypatch.setattr(bounds, "_MOST_GAIN", 0)
    monkeypatch.setattr(bounds, "_FREE_BYTES", max(claimed))
    faults = verify_cache(cache)
    assert (faults[-1].file, faults[-1].what.split()[:4]) == (
        "shards",
        ["they", "claim", str(sum(claimed[:2])), "bytes"],
    )
    monkeypatch.setattr(bounds, "_FREE_BYTES", max(claimed) - 1)
    assert any(fault.what.startswith(f"it claims {max(claimed)} bytes") for fault in verify_cache(cache))


@pytest.mark.parametrize("name", ["items.parquet", "shards/00001.h5", "shards", "manifest.json", "run.json", "extra"])
def test_a_link_in_a_cache_is_refused_by_readers_and_writers(cache, tmp_path, name):
    outside = tmp_path / "outside"
    if (cache / name).exists():
        (cache / name).rename(outside)
    else:
        outside.mkdir()
    (cache / name).symlink_to(outside)
    with pytest.raises(LagerError, match="is a link"):
        FeatureCache.open(cache)
    assert "is a link" in verify_cache(cache)[0].what
    with pytest.raises(LagerError, match="is a link"):
        repair_cache(cache)
    with pytest.raises(LagerError, match="is a link"):
        CacheWriter.start(cache, identity=identity(), item_id=make_items(40).item_id)


def test_a_pipe_in_a_cache_is_refused_and_not_waited_for(cache):
    (cache / "items.parquet").unlink()
    os.mkfifo(cache / "items.parquet")
    with pytest.raises(LagerError, match="no plain file"):
        FeatureCache.open(cache)


def test_the_folder_itself_may_be_reached_through_a_link(cache, tmp_path):
    (tmp_path / "link").symlink_to(cache)
    assert FeatureCache.open(tmp_path / "link").n_items == 40


def test_shards_of_other_shapes_than_the_manifest_says_are_told_by_name(cache, tmp_path):
    make_cache(tmp_path / "other", n=30)
    shutil.copy(tmp_path / "other" / "shards" / "00001.h5", cache / "shards" / "00001.h5")
    manifest = json.loads((cache / "manifest.json").read_text())
    manifest["shards"][1] |= file_entry(cache / "shards" / "00001.h5", name="shards/00001.h5", rows=16)
    (cache / "manifest.json").write_text(json.dumps(seal(manifest)))
    with pytest.raises(LagerError, match=r"00001\.h5.*\(14, 5, 5\), the manifest says \(16, 5, 5\)"):
        pull(cache, tmp_path / "pulled")
    assert not (tmp_path / "pulled").exists()


@pytest.mark.parametrize("scores", [[1e300], [float("nan")], [None], [0.5], None])
def test_human_scores_that_do_not_lie_on_the_scale_are_refused(cache, scores):
    table = pl.read_parquet(cache / "items.parquet")
    changed = pl.Series("scores", [scores, *table["scores"].to_list()[1:]], dtype=pl.List(pl.Float64))
    table.with_columns(changed).write_parquet(cache / "items.parquet")
    manifest = json.loads((cache / "manifest.json").read_text())
    manifest["items"]["sha256"] = sha256_file(cache / "items.parquet")
    (cache / "manifest.json").write_text(json.dumps(seal(manifest)))
    with pytest.raises(LagerError, match="does not lie on 1-5"):
        FeatureCache.open(cache)


@pytest.mark.parametrize(
    ("place", "value"),
    [
        (("shards", 0, "file"), "../outside.h5"),
        (("shards", 0, "file"), "/etc/passwd"),
        (("shards", 0, "file"), "shards/../../x.h5"),
        (("shards", 0, "file"), "shards/00000.h5\n"),
        (("shards", 1, "file"), "shards/00000.h5"),
        (("items", "file"), "../items.parquet"),
        (("shards", 0, "rows"), 2**62),
        (("shards", 0, "rows"), True),
        (("n_entries",), 5.0),
        (("fingerprint_inputs", "template"), "another"),
        (("provenance",), []),
        (("recorded",), None),
    ],
)
def test_a_manifest_that_was_sealed_with_such_a_value_is_refused(cache, place, value):
    manifest = json.loads((cache / "manifest.json").read_text())
    holder = manifest
    for key in place[:-1]:
        holder = holder[key]
    holder[place[-1]] = value
    (cache / "manifest.json").write_text(json.dumps(seal(manifest)))
    with pytest.raises(LagerError, match=r"manifest\.json is malformed"):
        FeatureCache.open(cache)


@pytest.mark.parametrize(
    "change", [{"n_items": 2**40, "shard_size": 1}, {"salt": "x"}, {"private": 1}, {"n_items": -1}]
)
def test_a_run_record_that_plans_without_end_is_refused(cache, change):
    run = json.loads((cache / "run.json").read_text())
    (cache / "run.json").write_text(json.dumps(seal(run | change)))
    with pytest.raises(LagerError, match=r"run\.json is malformed"):
        repair_cache(cache)


def test_read_outs_that_are_not_finite_are_neither_merged_nor_exported(cache, tmp_path):
    path = cache / "shards" / "00000.h5"
    data = read_shard(path)
    data.logits[2] = np.inf
    path.unlink()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(type(data), "check", lambda self: None)  # a stranger's writer checks nothing
        write_shard(path, data, attributes={})
    manifest = json.loads((cache / "manifest.json").read_text())
    manifest["shards"][0] |= {"sha256": sha256_file(path), "bytes": path.stat().st_size}
    (cache / "manifest.json").write_text(json.dumps(seal(manifest)))
    opened = FeatureCache.open(cache)
    with pytest.raises(LagerError, match=r"00000\.h5: a valid row has a read-out that is not finite"):
        opened.read_shard(0)
    with pytest.raises(LagerError, match="not finite"):
        export_cache(opened, out=tmp_path / "out", file_format="numpy")
    assert any("not finite" in fault.what for fault in verify_cache(cache))
