"""Caches that earlier versions wrote open, verify and say what they said; see golden/README.md."""

import json
import shutil
from pathlib import Path

import h5py
import numpy as np
import pytest
from lager.data.cache.feature_cache import FeatureCache
from lager.data.cache.shard_rows import join_rows, row_differences
from lager.data.errors import LagerError
from lager.data.files.canonical import seal, sha256_file
from lager.data.tools.export import export_cache
from lager.data.tools.repair import repair_cache
from lager.data.tools.verify import verify_cache
from support.golden import IDS, golden_rows, write_golden

GOLDEN = Path(__file__).parent / "golden"
FINGERPRINT = "07e57ba4297f58211cba6fac2bc4dbd49cda5008c31fedddb95e11a119bf7962"
READOUT_ID = "eff00b11f16f9df68c386d5070ad4752e0bc335cdee75e247120aa58f6053a23"
ITEMS_HASH = "da17d6e0f9a4441f8a377e3c402d4da079fa1adbf17f3469469b9176f4037563"
CONTENT_HASH = "6fcd71c4f6818225b8df8795f2fc78cda72810994d0fe00260de2587e506d480"


@pytest.fixture(params=["1-first", "1-item-rows"])
def golden(request, tmp_path):
    return shutil.copytree(GOLDEN / request.param, tmp_path / "golden")


def hashes(cache):
    return cache.fingerprint, cache.readout_id, cache.items_hash, cache.content_hash


def test_a_golden_cache_opens_verifies_and_has_its_hashes(golden):
    assert verify_cache(golden) == []
    cache = FeatureCache.open(golden)
    assert hashes(cache) == (FINGERPRINT, READOUT_ID, ITEMS_HASH, CONTENT_HASH)


def test_a_golden_cache_holds_what_was_written(golden):
    cache = FeatureCache.open(golden)
    data = join_rows([cache.read_shard(k) for k in range(len(cache.manifest["shards"]))])
    differences = row_differences(golden_rows(), data)
    assert len(differences) == 12
    assert not any(far.any() for far in differences.values())
    assert data.optional["generated"] == golden_rows().optional["generated"]
    assert cache.items["item_id"].to_list() == IDS
    assert cache.scores == [[1.0, 2.0], [], [1.5], [2.0]]
    assert cache.items["group"].to_list() == ["x", "y", None, "x"]
    assert cache.items["text"].to_list() == ["first", "second", "third", "4 <>"]
    assert (cache.scale.labels, cache.n_layers, cache.poolings) == (("1", "2"), 2, ("last",))


def test_a_golden_cache_is_repaired_and_exported(golden, tmp_path):
    (golden / "manifest.json").unlink()
    assert repair_cache(golden).complete
    cache = FeatureCache.open(golden)
    assert hashes(cache) == (FINGERPRINT, READOUT_ID, ITEMS_HASH, CONTENT_HASH)
    export_cache(cache, out=tmp_path / "arrays", file_format="numpy")
    np.testing.assert_array_equal(np.load(tmp_path / "arrays" / "logits.npy"), golden_rows().logits)


def test_what_is_written_today_has_the_golden_hashes(tmp_path):
    assert hashes(write_golden(tmp_path / "c")) == (FINGERPRINT, READOUT_ID, ITEMS_HASH, CONTENT_HASH)


def resealed(golden, **changes):
    manifest = json.loads((golden / "manifest.json").read_text())
    (golden / "manifest.json").write_text(json.dumps(seal(manifest | changes)))


def test_what_a_later_version_may_add_is_passed_over(golden):
    path = golden / "shards" / "00000.h5"
    with h5py.File(path, "a", libver=("earliest", "v110")) as file:
        file.create_dataset("surprise", data=np.zeros((file["logits"].shape[0], 3), np.float32))
    manifest = json.loads((golden / "manifest.json").read_text())
    manifest["shards"][0] |= {"sha256": sha256_file(path), "bytes": path.stat().st_size, "more": 1}
    resealed(golden, **manifest, surprise={"of": "a later version"})
    assert verify_cache(golden) == []
    assert FeatureCache.open(golden).content_hash == CONTENT_HASH


@pytest.mark.parametrize(("version", "told"), [(2, "install a newer lager"), (0, "is not the manifest")])
def test_a_version_that_is_not_known_is_refused(golden, version, told):
    resealed(golden, format_version=version)
    with pytest.raises(LagerError, match=told):
        FeatureCache.open(golden)
