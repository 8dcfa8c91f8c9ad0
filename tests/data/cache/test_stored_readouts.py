"""Read-outs that stay on disk: any rows and layers of them, and nothing else, are read."""

import numpy as np
import pytest
from lager.data.cache.feature_cache import FeatureCache
from lager.data.errors import LagerError
from lager.data.machine import memory_allowed
from support.caches import make_cache

N = 50


@pytest.fixture
def cache(tmp_path) -> FeatureCache:
    make_cache(tmp_path / "c", N, shard_size=8, invalid=frozenset({3, 20}))
    return FeatureCache.open(tmp_path / "c")


@pytest.mark.parametrize(
    "rows", [range(5, 30), slice(40, None), [49, 0, 17, 17], np.array([], dtype=np.intp), [-1], None]
)
@pytest.mark.parametrize("layers", [None, [0], [3, -1, 1]])
def test_rows_and_layers_are_those_of_the_whole(cache: FeatureCache, rows, layers) -> None:
    part = cache.read(["logits", "n_tokens", "item_id"], rows=rows, layers=layers)
    index = slice(None) if rows is None else rows if isinstance(rows, slice) else np.asarray(rows, dtype=np.intp)
    whole = cache.logits[index]
    np.testing.assert_array_equal(part["logits"], whole if layers is None else whole[:, layers])
    np.testing.assert_array_equal(part["n_tokens"], cache.n_tokens[index])
    assert part["item_id"].tolist() == cache.item_id[index].tolist()


def test_only_the_shards_that_hold_the_rows_are_opened(cache: FeatureCache) -> None:
    for k in (0, 1, 4, 5, 6):
        (cache.path / "shards" / f"{k:05d}.h5").unlink()
    fresh = FeatureCache.open(cache.path)
    assert fresh.read(["logits"], rows=range(16, 32))["logits"].shape == (16, 5, 5)
    with pytest.raises(LagerError, match=r"00001\.h5 is missing"):
        fresh.read(["logits"], rows=[15])


def test_a_changed_shard_is_noticed_when_its_rows_are_read(cache: FeatureCache) -> None:
    path = cache.path / "shards" / "00002.h5"
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 1
    path.write_bytes(data)
    fresh = FeatureCache.open(cache.path)
    fresh.read(["logits"], rows=range(16))
    with pytest.raises(LagerError, match=r"00002\.h5 changed after"):
        fresh.read(["logits"], rows=range(17))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"rows": [N]}, f"has rows 0 to {N - 1}"),
        ({"layers": [5]}, "has layer entries 0 to 4"),
        ({"layers": [-6]}, "has layer entries 0 to 4"),
        ({"names": ["logit"]}, "has no dataset 'logit': it has .*item_id, logits"),
        ({"names": ["hidden_mean"]}, "has no dataset 'hidden_mean'"),
    ],
)
def test_what_is_not_there_is_refused(cache: FeatureCache, options: dict, message: str) -> None:
    with pytest.raises(LagerError, match=message):
        cache.read(**{"names": ["logits"], **options})


def test_stored_readouts_index_as_the_array_does(cache: FeatureCache) -> None:
    stored, kept = cache.readouts(keep_on_disk=True), cache.readouts()
    assert stored.stored
    assert not kept.stored
    assert len(stored) == len(kept) == N - 2
    for name in ("logits", "logits_normed"):
        lazy, array = getattr(stored, name), getattr(kept, name)
        assert (lazy.shape, lazy.ndim, lazy.dtype, lazy.nbytes) == (array.shape, 3, array.dtype, array.nbytes)
        for key in (slice(3, 9), np.array([7, 1]), np.arange(48) % 2 == 0, 5, (slice(2, 4), 1), (slice(None), -1)):
            np.testing.assert_array_equal(lazy[key], array[key])
        np.testing.assert_array_equal(lazy[:, :-1][:4], array[:4, :-1])
        np.testing.assert_array_equal(np.asarray(lazy.take(np.array([9, 2]))), array[[9, 2]])
    assert stored.human.tolist() == kept.human.tolist()


def test_blocks_give_every_row_once_in_order(cache: FeatureCache, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lager.data.cache.readouts.BLOCK_ROWS", 7)
    kept = cache.readouts()
    rows = np.array([30, 2, 2, 47, 11, 9, 8, 7, 6, 5])
    places, blocks = zip(*cache.readouts(keep_on_disk=True).take(rows).blocks(), strict=True)
    assert [(p.start, p.stop) for p in places] == [(0, 7), (7, 10)]
    np.testing.assert_array_equal(np.concatenate([b.logits for b in blocks]), kept.logits[rows])
    np.testing.assert_array_equal(np.concatenate([b.logits_normed for b in blocks]), kept.logits_normed[rows])
    np.testing.assert_array_equal(np.concatenate([b.human for b in blocks]), kept.human[rows])


def test_what_needs_everything_in_memory_says_how_much_and_what_to_do(
    cache: FeatureCache, monkeypatch: pytest.MonkeyPatch
) -> None:
    logits = cache.readouts(keep_on_disk=True).logits
    assert np.asarray(logits).shape == (48, 5, 5)
    monkeypatch.setattr("lager.data.cache.stored_readouts.KEPT_ON_DISK_ABOVE", 100)
    monkeypatch.setenv("LAGER_MEMORY", "1kB")
    with pytest.raises(LagerError, match=r"read-outs of all 48 items.*--limit.*LAGER_MEMORY"):
        np.asarray(logits)


@pytest.mark.parametrize(("text", "size"), [("8GB", 8e9), ("500 MiB", 500 * 2**20), ("1.5g", 1.5e9), ("77", 77)])
def test_the_memory_variable_is_a_size(monkeypatch: pytest.MonkeyPatch, text: str, size: float) -> None:
    monkeypatch.setenv("LAGER_MEMORY", text)
    assert memory_allowed() == size


def test_a_memory_variable_that_is_no_size_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("LAGER_MEMORY", "plenty")
    with pytest.raises(LagerError, match="LAGER_MEMORY 'plenty': expected a number"):
        memory_allowed()
    monkeypatch.delenv("LAGER_MEMORY")
    assert memory_allowed() > 1 << 28
