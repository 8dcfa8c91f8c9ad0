"""What other tools read from an export is what the cache holds."""

import json
import resource
import subprocess
import sys
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from lager.data.cache.feature_cache import FeatureCache
from lager.data.cache.manifest import content_hash
from lager.data.cache.shards import ShardData, row_digests
from lager.data.errors import LagerError
from lager.data.run.cache_writer import CacheWriter
from lager.data.tools.export import export_cache
from safetensors import safe_open
from safetensors.numpy import load_file
from support.caches import identity, make_cache, make_items, make_shard, write

ITEMS = make_items(40)


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """A cache with all that one may hold."""
    states = np.random.default_rng(0).uniform(-1, 1, size=(40, 5, 3)).astype(np.float16)
    optional = {
        "hidden_last": states,
        "hidden_scale_last": np.ones((40, 5), np.float32),
        "label_form": np.arange(40, dtype=np.uint8),
        "generated": [f"I say {i}" for i in range(40)],
    }
    shard = replace(make_shard(ITEMS, invalid=frozenset({7})), optional=optional)
    path = tmp_path_factory.mktemp("caches") / "c"
    items = replace(ITEMS, table=ITEMS.table.with_columns(pl.Series("text", [f"prompt {i}" for i in range(40)])))
    writer = CacheWriter.start(path, identity=identity(), item_id=ITEMS.item_id, shard_size=16)
    for k in range(writer.n_shards):
        write(writer, k, shard, items)
    return writer.finalize()


def exported(folder, file_format):
    if file_format == "safetensors":
        return load_file(folder / "readouts.safetensors")
    return {path.stem: np.load(path, mmap_mode="r", allow_pickle=False) for path in folder.glob("*.npy")}


@pytest.mark.parametrize("file_format", ["safetensors", "numpy"])
def test_an_export_read_by_the_formats_own_library_has_the_caches_content_hash(cache, tmp_path, file_format):
    folder = export_cache(cache, out=tmp_path / "out", file_format=file_format)
    arrays, items = exported(folder, file_format), pl.read_parquet(folder / "items.parquet")
    texts = {"item_id": items["item_id"].to_list(), "reason": items["reason"].to_list()}
    optional = {name: arrays.pop(name) for name in ("hidden_last", "hidden_scale_last", "label_form")}
    data = ShardData(**texts, **arrays, optional=optional)
    assert content_hash(data.item_id, row_digests(data)) == cache.content_hash
    np.testing.assert_array_equal(arrays["logits"], cache.logits)
    assert items.drop("valid", "reason").equals(cache.items)
    assert items["valid"].to_list() == cache.valid.tolist()
    about = json.loads((folder / "cache.json").read_text())
    assert about["arrays"]["logits"] == {"shape": [40, 5, 5], "dtype": "float32"}
    assert (about["fingerprint"], about["scale"]) == (cache.fingerprint, cache.manifest["scale"])


def test_safetensors_says_itself_what_it_holds_and_gives_single_rows(cache, tmp_path):
    folder = export_cache(cache, out=tmp_path / "out", file_format="safetensors")
    with safe_open(folder / "readouts.safetensors", "numpy") as file:
        assert file.metadata()["content_hash"] == cache.content_hash
        assert json.loads(file.metadata()["scale"])["labels"] == ["1", "2", "3", "4", "5"]
        np.testing.assert_array_equal(file.get_slice("logits")[20:22], cache.logits[20:22])


def test_an_export_is_never_written_over_and_another_format_is_refused(cache, tmp_path):
    export_cache(cache, out=tmp_path / "out", file_format="numpy")
    with pytest.raises(LagerError, match="exists already"):
        export_cache(cache, out=tmp_path / "out", file_format="numpy")
    with pytest.raises(LagerError, match="'csv': expected safetensors or numpy"):
        export_cache(cache, out=tmp_path / "csv", file_format="csv")


def test_a_damaged_shard_leaves_no_export_behind(tmp_path):
    make_cache(tmp_path / "c")
    opened = FeatureCache.open(tmp_path / "c")
    (tmp_path / "c" / "shards" / "00002.h5").write_bytes(b"damaged")
    with pytest.raises(LagerError, match=r"00002\.h5"):
        export_cache(opened, out=tmp_path / "out", file_format="numpy")
    assert [path.name for path in tmp_path.iterdir()] == ["c"]


def test_a_full_disk_is_one_line_and_leaves_no_export_behind(cache, tmp_path):
    code = f"from lager.cli import main; main(['cache', 'export', {str(cache.path)!r}, '--out', 'out'])"
    limited = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path,
        preexec_fn=lambda: resource.setrlimit(resource.RLIMIT_FSIZE, (6000, 6000)),
    )  # fmt: skip
    assert limited.returncode == 1
    assert limited.stderr.startswith("error: cannot write out")
    assert list(tmp_path.iterdir()) == []
