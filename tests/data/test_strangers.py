"""A cache from someone else does not lead outside its own folder, or claim more than it holds."""

import os
import shutil

import pytest
from lager.data.cache import FeatureCache
from lager.data.cache_writer import CacheWriter
from lager.data.errors import LagerError
from lager.data.repair import repair_cache
from lager.data.strangers import check_strangers_shards
from lager.data.verify import verify_cache
from support.caches import identity, make_cache, make_items


@pytest.fixture
def cache(tmp_path):
    make_cache(tmp_path / "cache")
    return tmp_path / "cache"


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
    check_strangers_shards(cache)
    make_cache(tmp_path / "other", n=30)
    shutil.copy(tmp_path / "other" / "shards" / "00001.h5", cache / "shards" / "00001.h5")
    with pytest.raises(LagerError, match=r"00001\.h5.*\(14, 5, 5\), expected \(16, 5, 5\)"):
        check_strangers_shards(cache)
