"""Damage is found and named wherever it is, and what is sound is never lost."""

import json
import os
import shutil
from dataclasses import replace

import numpy as np
import pytest
from lager.data.cache.feature_cache import FeatureCache
from lager.data.cache.shards import read_shard, write_shard
from lager.data.errors import LagerError
from lager.data.files.canonical import seal
from lager.data.run.cache_writer import CacheWriter
from lager.data.run.worker_records import WorkerRecord, make_folders, this_machine
from lager.data.tools.repair import repair_cache
from lager.data.tools.verify import verify_cache
from support.caches import identity, make_cache, make_items, make_shard, write


@pytest.fixture(scope="module")
def sound(tmp_path_factory):
    path = tmp_path_factory.mktemp("sound") / "cache"
    make_cache(path, invalid=frozenset({7}))
    return path


@pytest.fixture
def cache(sound, tmp_path):
    return shutil.copytree(sound, tmp_path / "cache")


def flip(path, *, bit):
    data = bytearray(path.read_bytes())
    data[bit // 8] ^= 1 << bit % 8
    path.write_bytes(data)


def read_all(path):
    cache = FeatureCache.open(path)
    return cache.logits, cache.reason, cache.prompt_sha256


def test_a_sound_cache_has_no_faults(cache):
    assert verify_cache(cache) == []


@pytest.mark.parametrize("seed", range(60))
def test_one_flipped_bit_anywhere_is_found_with_its_file(cache, seed):
    files = sorted(path for path in cache.rglob("*") if path.is_file())
    sizes = np.array([path.stat().st_size * 8 for path in files])
    rng = np.random.default_rng(seed)
    path = files[rng.choice(len(files), p=sizes / sizes.sum())]
    flip(path, bit=int(rng.integers(path.stat().st_size * 8)))
    assert [fault.file for fault in verify_cache(cache)] == [path.relative_to(cache).as_posix()]
    with pytest.raises(LagerError, match=path.name):
        read_all(cache)


def test_every_fault_is_told_and_not_the_first_one(cache):
    flip(cache / "shards" / "00000.h5", bit=8000)
    (cache / "shards" / "00002.h5").unlink()
    flip(cache / "run.json", bit=800)
    assert sorted(fault.file for fault in verify_cache(cache)) == ["run.json", "shards/00000.h5", "shards/00002.h5"]


def test_a_manifest_that_was_sealed_again_after_a_change_is_still_found_out(cache):
    path = cache / "manifest.json"
    manifest = json.loads(path.read_text())
    path.write_text(json.dumps(seal({**manifest, "content_hash": "0" * 64})))
    assert [fault.file for fault in verify_cache(cache)] == ["manifest.json"]


def test_without_a_manifest_there_is_nothing_to_verify(cache):
    (cache / "manifest.json").unlink()
    with pytest.raises(LagerError, match="not complete"):
        verify_cache(cache)


def test_a_lost_manifest_is_made_again(cache, sound):
    (cache / "manifest.json").unlink()
    repair = repair_cache(cache)
    assert (repair.complete, repair.aside, repair.missing) == (True, [], [])
    assert FeatureCache.open(cache).content_hash == FeatureCache.open(sound).content_hash
    assert verify_cache(cache) == []


@pytest.mark.parametrize("lost_manifest", [False, True])
def test_a_damaged_shard_is_set_aside_and_the_next_run_fills_the_hole(cache, sound, lost_manifest):
    damaged = cache / "shards" / "00001.h5"
    flip(damaged, bit=damaged.read_bytes().index(b"item17") * 8)
    content = damaged.read_bytes()
    if lost_manifest:
        (cache / "manifest.json").unlink()
    repair = repair_cache(cache)
    assert (repair.complete, repair.missing) == (False, [1])
    assert (cache / "damaged" / "shards-00001.h5").read_bytes() == content
    items = make_items(40)
    writer = CacheWriter.start(cache, identity=identity(), item_id=items.item_id, shard_size=16)
    write(writer, 1, make_shard(items, invalid=frozenset({7})), items)
    assert writer.finalize().content_hash == FeatureCache.open(sound).content_hash


def test_damaged_items_are_set_aside_and_made_again_from_the_shards(cache, sound):
    flip(cache / "items.parquet", bit=400)
    repair = repair_cache(cache)
    assert (repair.complete, repair.missing) == (True, [])
    assert {path.name for path in (cache / "damaged").iterdir()} == {"items.parquet"}
    assert FeatureCache.open(cache).items.equals(FeatureCache.open(sound).items)
    assert verify_cache(cache) == []


def test_a_shard_of_another_run_is_not_taken_for_ones_own(cache, tmp_path):
    make_cache(tmp_path / "other", template="another")
    shutil.copy(tmp_path / "other" / "shards" / "00000.h5", cache / "shards" / "00000.h5")
    (cache / "manifest.json").unlink()
    assert repair_cache(cache).missing == [0]


def test_a_shard_written_by_hand_with_other_content_is_noticed(cache):
    path = cache / "shards" / "00000.h5"
    data = read_shard(path)
    path.unlink()
    write_shard(path, data, attributes={"fingerprint": FeatureCache.open(cache).fingerprint, "content_hash": "0"})
    (cache / "manifest.json").unlink()
    assert repair_cache(cache).missing == [0]


def test_repairing_twice_changes_nothing_and_loses_nothing(cache):
    flip(cache / "shards" / "00000.h5", bit=9000)
    repair_cache(cache)
    before = sorted(path.relative_to(cache) for path in cache.rglob("*"))
    assert repair_cache(cache).aside == []
    assert sorted(path.relative_to(cache) for path in cache.rglob("*")) == before


def test_nothing_is_repaired_beside_a_running_extraction(cache):
    flip(cache / "shards" / "00001.h5", bit=9000)
    make_folders(cache)
    worker = WorkerRecord("00000-x", 0, 1, "here", os.getpid(), this_machine(), ["cpu"], "now", state="reading")
    worker.write(cache)
    with pytest.raises(LagerError, match=rf"process {os.getpid()} on here extracts into .*: wait for its end"):
        repair_cache(cache)
    assert (cache / "shards" / "00001.h5").exists()
    replace(worker, state="stopped").write(cache)
    assert "shards/00001.h5" in repair_cache(cache).aside


def test_a_folder_without_a_run_record_cannot_be_repaired(tmp_path):
    with pytest.raises(LagerError, match=r"no run\.json"):
        repair_cache(tmp_path)
