"""The strict reader of shards agrees with the HDF5 library on what is sound, and refuses the rest."""

import random
import struct

import h5py
import numpy as np
import pytest
from lager.data.cache.plain_hdf5 import PlainHDF5
from lager.data.cache.shards import read_attributes, read_shard, write_shard
from lager.data.errors import LagerError
from support.caches import make_items, make_shard


def write(path, *, n=20, n_layers=4, text="x"):
    shard = make_shard(make_items(n), n_layers=n_layers, invalid=frozenset({3}))
    rng = np.random.default_rng(0)
    states = rng.normal(size=(n, n_layers + 1, 64)).astype("<f2")
    optional = {"hidden_last": states, "label_form": np.ones(n, np.uint8), "generated": ["ä" * i for i in range(n)]}
    optional["hidden_scale_last"] = np.ones((n, n_layers + 1), "<f4")
    write_shard(path, type(shard)(**{**vars(shard), "optional": optional}), attributes={"note": text})
    return path


@pytest.fixture
def shard(tmp_path):
    return write(tmp_path / "s.h5")


@pytest.mark.parametrize("n", [4, 2500])  # one chunk and several
def test_everything_reads_as_with_the_hdf5_library(tmp_path, n):
    path = write(tmp_path / "s.h5", n=n, n_layers=2, text="ä" * 100_000)
    with PlainHDF5(path) as mine, h5py.File(path) as theirs:
        assert list(mine.names) == list(theirs)
        assert mine.attribute("lager") == theirs.attrs["lager"]
        for name, dataset in theirs.items():
            values = mine.read(name)
            assert mine.shape(name) == dataset.shape
            if h5py.check_string_dtype(dataset.dtype):
                assert values == [value.decode() for value in dataset[()]]
            else:
                assert values.dtype == dataset.dtype
                np.testing.assert_array_equal(values, dataset[()])


@pytest.mark.parametrize("name", ["logits", "item_id", "hidden_last"])
@pytest.mark.parametrize("rows", [range(3), range(1000, 1030), range(2499, 2500), range(7, 7)])
def test_a_range_of_rows_is_that_part_of_the_whole(tmp_path_factory, name, rows):
    path = tmp_path_factory.getbasetemp() / "many.h5"
    path = path if path.exists() else write(path, n=2500, n_layers=2)
    with PlainHDF5(path) as file:
        np.testing.assert_array_equal(file.read(name, rows), file.read(name)[rows.start : rows.stop])
        with pytest.raises(ValueError, match="2500 rows"):
            file.read(name, range(2400, 2501))


def test_chunks_that_no_filter_shrinks_are_stored_as_they_are_and_read(tmp_path):
    path = tmp_path / "s.h5"
    noise = np.frombuffer(np.random.default_rng(0).bytes(64), np.uint8)
    with h5py.File(path, "w", libver=("earliest", "v110")) as file:
        file.create_dataset("a", data=noise, chunks=(64,), compression="gzip", shuffle=True, fletcher32=True)
        file.create_dataset("b", data=np.arange(6, dtype="<f8").reshape(2, 3))
        file.create_dataset("c", data=np.arange(7, dtype="<i8"), chunks=(4,), fletcher32=True)
    with PlainHDF5(path) as mine:
        np.testing.assert_array_equal(mine.read("a"), noise)
        np.testing.assert_array_equal(mine.read("b", range(1, 2)), [[3, 4, 5]])
        np.testing.assert_array_equal(mine.read("c"), np.arange(7))


def test_the_library_and_this_reader_compute_the_same_checksum(tmp_path):
    rng = np.random.default_rng(0)
    for size in (2, 3, 8191, 8192, 100_001):
        for fill in (rng.integers(0, 256, size), np.zeros(size), np.full(size, 255)):
            path = tmp_path / "s.h5"
            with h5py.File(path, "w", libver=("earliest", "v110")) as file:
                file.create_dataset("a", data=fill.astype(np.uint8), chunks=(size,), fletcher32=True)
            with PlainHDF5(path) as mine:
                np.testing.assert_array_equal(mine.read("a"), fill)


def test_a_flipped_bit_never_gives_other_values(shard):
    sound, original = shard.read_bytes(), read_shard(shard)
    rng = random.Random(0)
    refused = 0
    for _ in range(300):
        changed = bytearray(sound)
        changed[rng.randrange(len(changed))] ^= 1 << rng.randrange(8)
        shard.write_bytes(changed)
        try:
            back = read_shard(shard)
        except LagerError:
            refused += 1
            continue
        for name, values in original.datasets().items():
            if not isinstance(values, list):  # text has no checksum of its own
                np.testing.assert_array_equal(back.datasets()[name], values, err_msg=name)
    assert refused > 100


def test_every_cut_is_refused(shard):
    data = shard.read_bytes()
    for length in [0, 7, 8, 95, 96, *range(100, len(data), 997), len(data) - 1]:
        shard.write_bytes(data[:length])
        with pytest.raises(LagerError, match="damaged"):
            read_shard(shard)
        with pytest.raises(LagerError, match="damaged"):
            read_attributes(shard)


def bombs(path, *, rows):
    """A dataset of zeros: about a thousandth of its size on disk."""
    with h5py.File(path, "w", libver=("earliest", "v110")) as file:
        file.create_dataset("a", (rows, 1 << 20), "u1", chunks=(1, 1 << 20), compression="gzip")[:] = 0


def test_a_dataset_much_larger_than_what_is_stored_of_it_is_refused(tmp_path):
    bombs(tmp_path / "s.h5", rows=300)
    with PlainHDF5(tmp_path / "s.h5") as file, pytest.raises(ValueError, match="claims 314572800 bytes and stores"):
        file.read("a")


def test_text_that_is_told_many_times_over_is_refused(shard):
    data = bytearray(shard.read_bytes())
    with h5py.File(shard) as file:
        start = file["generated"].id.get_offset()
    longest = data[start + 19 * 16 : start + 20 * 16]
    length, address, index = struct.unpack("<IQI", longest)
    at = data.index(("ä" * 19).encode(), address)
    for row in range(20):  # every row is the same text, and it reaches to the end of its heap
        data[start + row * 16 : start + row * 16 + 16] = struct.pack("<IQI", 3000, address, index)
    data[at - 8 : at] = struct.pack("<Q", 3000)
    assert length == 38
    shard.write_bytes(data)
    with pytest.raises(LagerError, match="more text than the file holds"):
        read_shard(shard)


def test_an_index_that_leads_back_to_itself_is_refused(shard):
    data = bytearray(shard.read_bytes())
    at = data.index(b"TREE\x01\x00")
    data[at + 5] = 1  # a node above the leaves, whose child is the node itself
    data[at + 24 + 40 : at + 24 + 48] = struct.pack("<Q", at)
    shard.write_bytes(data)
    with pytest.raises(LagerError, match="index is damaged"):
        read_shard(shard)


def test_a_missing_file_is_told_as_such(tmp_path):
    with pytest.raises(LagerError, match="No such file"):
        read_shard(tmp_path / "s.h5")
