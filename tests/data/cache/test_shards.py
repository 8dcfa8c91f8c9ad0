import shutil

import h5py
import numpy as np
import pytest
from lager.data.cache.shards import read_attributes, read_shard, row_digests, write_shard
from lager.data.errors import LagerError
from support.caches import make_items, make_shard


@pytest.fixture
def shard():
    return make_shard(make_items(20), invalid=frozenset({3}))


def test_a_shard_reads_back_as_it_was_written(tmp_path, shard):
    write_shard(tmp_path / "00000.h5", shard, attributes={"shard": 0, "note": "ä"})
    back = read_shard(tmp_path / "00000.h5")
    for name, values in shard.datasets().items():
        np.testing.assert_array_equal(getattr(back, name), values, err_msg=name)
    assert read_attributes(tmp_path / "00000.h5") == {"shard": 0, "note": "ä"}
    assert [p.name for p in tmp_path.iterdir()] == ["00000.h5"]


def test_row_digests_see_every_dataset_and_only_their_own_row(shard):
    before = row_digests(shard)
    for name, values in shard.datasets().items():
        changed = list(values) if isinstance(values, list) else values.copy()
        changed[5] = "other" if isinstance(changed[5], str) else (~changed[5] if name == "valid" else changed[5] + 1)
        after = row_digests(type(shard)(**{**vars(shard), name: changed}))
        assert [i for i in range(20) if after[i] != before[i]] == [5], name


def test_storage_is_as_the_format_says(tmp_path, shard):
    write_shard(tmp_path / "s.h5", shard, attributes={})
    with h5py.File(tmp_path / "s.h5") as file:
        logits = file["logits"]
        assert (logits.chunks, logits.compression, logits.shuffle, logits.fletcher32) == (
            (20, 5, 5),
            "gzip",
            True,
            True,
        )
        assert {d.shape[0] for d in file.values()} == {20}


def test_rows_that_do_not_line_up_or_are_not_finite_are_never_written(tmp_path, shard):
    broken = shard.logits.copy()
    broken[0, 0, 0] = np.inf
    for change in (
        {"reason": shard.reason[:-1]},
        {"logits": broken},
        {"reason": [""] * 20},
        {"logits": shard.logits[:, :2]},
    ):
        with pytest.raises(ValueError, match=r"row|shape|finite"):
            write_shard(tmp_path / "s.h5", type(shard)(**{**vars(shard), **change}), attributes={})
    assert list(tmp_path.iterdir()) == []


def test_a_truncated_shard_is_damaged(tmp_path, shard):
    path = tmp_path / "s.h5"
    write_shard(path, shard, attributes={})
    path.write_bytes(path.read_bytes()[:-500])
    with pytest.raises(LagerError, match="damaged"):
        read_shard(path)
    with pytest.raises(LagerError, match="damaged"):
        read_attributes(path)


@pytest.mark.parametrize(
    "attack", ["external link", "soft link", "virtual", "external storage", "wrong type", "missing", "short", "huge"]
)
def test_a_hostile_shard_is_refused(tmp_path, shard, attack):
    path, other = tmp_path / "s.h5", tmp_path / "other.h5"
    write_shard(path, shard, attributes={})
    shutil.copy(path, other)
    with h5py.File(path, "r+") as file:
        del file["n_tokens"]
        if attack == "external link":
            file["n_tokens"] = h5py.ExternalLink("other.h5", "/n_tokens")
        elif attack == "soft link":
            file["n_tokens"] = h5py.SoftLink("/position")
        elif attack == "virtual":
            layout = h5py.VirtualLayout(shape=(20,), dtype="<i4")
            layout[:] = h5py.VirtualSource(str(other), "n_tokens", shape=(20,))
            file.create_virtual_dataset("n_tokens", layout)
        elif attack == "external storage":
            file.create_dataset("n_tokens", (20,), "<i4", external=[("raw.bin", 0, 80)])
        elif attack == "wrong type":
            file["n_tokens"] = np.zeros(20)
        elif attack == "short":
            file["n_tokens"] = np.zeros(19, "<i4")
        elif attack == "huge":
            del file["item_id"]
            file.create_dataset("n_tokens", (1 << 40,), "<i4", chunks=(1 << 10,))
            file.create_dataset("item_id", (1 << 40,), h5py.string_dtype(), chunks=(1 << 10,))
    with pytest.raises(LagerError, match="damaged"):
        read_shard(path)
