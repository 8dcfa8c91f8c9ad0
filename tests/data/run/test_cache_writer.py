from dataclasses import replace

import numpy as np
import pytest
from lager.data.errors import LagerError
from lager.data.run.cache_writer import CacheWriter
from support.caches import identity, make_cache, make_items, make_shard, rows_of, write

ITEMS = make_items(40)
SHARD = make_shard(ITEMS)


def start(path, **changes):
    return CacheWriter.start(path, **{"identity": identity(), "item_id": ITEMS.item_id, "shard_size": 16, **changes})


def done(writer, k):
    rows = rows_of(SHARD, writer.rows(k))
    return writer.is_done(k, item_id=rows.item_id, prompt_sha256=rows.prompt_sha256)


def test_a_resumed_cache_keeps_its_finished_shards_and_equals_an_uninterrupted_one(tmp_path):
    writer = start(tmp_path / "c")
    write(writer, 1, SHARD, ITEMS)
    again = start(tmp_path / "c")
    assert [done(again, k) for k in range(again.n_shards)] == [False, True, False]
    for k in (0, 2):
        write(again, k, SHARD, ITEMS)
    assert again.finalize().content_hash == make_cache(tmp_path / "whole").content_hash


def test_the_stored_shard_size_wins_with_a_notice(tmp_path):
    start(tmp_path / "c")
    again = start(tmp_path / "c", shard_size=5)
    assert again.shard_size == 16
    assert "shards of 16 rows" in again.notice


def test_other_settings_are_refused_by_name(tmp_path):
    start(tmp_path / "c", identity=identity(dtype="bfloat16"))
    with pytest.raises(LagerError, match=r"other settings \(dtype differ\)"):
        start(tmp_path / "c", identity=identity(dtype="float32"))
    with pytest.raises(LagerError, match="other items"):
        start(tmp_path / "c", identity=identity(dtype="bfloat16"), item_id=ITEMS.item_id[:5])
    with pytest.raises(LagerError, match="without --private"):
        start(tmp_path / "c", identity=identity(dtype="bfloat16"), private=True)


def test_a_folder_with_something_else_in_it_is_never_written_to(tmp_path):
    (tmp_path / "thesis.tex").write_text("years of work")
    with pytest.raises(LagerError, match="is not a feature cache"):
        start(tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["thesis.tex"]


@pytest.mark.parametrize("fault", ["truncated", "flipped", "other prompts", "removed"])
def test_a_shard_that_is_not_sound_is_not_done(tmp_path, fault):
    make_cache(tmp_path / "c")
    writer = start(tmp_path / "c")
    assert writer.finished() is not None
    assert done(writer, 1)
    path = tmp_path / "c" / "shards" / "00001.h5"
    data = bytearray(path.read_bytes())
    if fault == "truncated":
        path.write_bytes(data[:-100])
    elif fault == "flipped":
        place = data.index(b"item17")  # in the text heap, which has no checksum of its own
        data[place] ^= 1
        path.write_bytes(data)
    elif fault == "removed":
        path.unlink()
    else:
        rows = rows_of(SHARD, writer.rows(1))
        assert not writer.is_done(1, item_id=rows.item_id, prompt_sha256=rows.prompt_sha256 + np.uint8(1))
        return
    assert not done(writer, 1)
    assert writer.finished() is None


def test_changed_prompts_take_the_manifest_away_until_all_is_true_again(tmp_path):
    before = make_cache(tmp_path / "c")
    writer = start(tmp_path / "c")
    rows = rows_of(SHARD, writer.rows(0))
    writer.write(0, replace(rows, prompt_sha256=rows.prompt_sha256 ^ np.uint8(1)), items=ITEMS.table[:16])
    assert writer.finished() is None
    after = writer.finalize()
    assert after.content_hash != before.content_hash
    assert after.items_hash != before.items_hash


def test_a_shard_that_another_process_wrote_meanwhile_stays_as_it_is(tmp_path):
    mine, theirs = start(tmp_path / "c"), start(tmp_path / "c")
    write(theirs, 0, SHARD, ITEMS, cost={"run": "theirs"})
    before = (tmp_path / "c" / "shards" / "00000.h5").read_bytes()
    write(mine, 0, SHARD, ITEMS, cost={"run": "mine"})
    assert (tmp_path / "c" / "shards" / "00000.h5").read_bytes() == before


def test_finalising_with_a_hole_names_the_shard(tmp_path):
    writer = start(tmp_path / "c")
    write(writer, 0, SHARD, ITEMS)
    with pytest.raises(LagerError, match=r"2 of 3 shards are missing \(1-2\)"):
        writer.finalize()


def test_prompts_are_stored_only_when_asked_for(tmp_path):
    without = make_cache(tmp_path / "a")
    assert not any(b"prompt 3" in path.read_bytes() for path in (tmp_path / "a").rglob("*.*"))
    cache = make_cache(tmp_path / "b", texts=[f["prompt"] for f in ITEMS.fields])
    assert cache.items["text"][3] == "prompt 3"
    assert cache.content_hash == without.content_hash


def test_the_provenance_adds_up_what_each_run_cost(tmp_path):
    writer = start(tmp_path / "c")
    for k, (run, tokens) in enumerate([("monday", 10), ("monday", 20), ("tuesday", 5)]):
        cost = {
            "run": run,
            "start": run,
            "end": f"{run} {k}",
            "devices": ["cpu"],
            "device_seconds": 1.5,
            "tokens": tokens,
        }
        write(writer, k, SHARD, ITEMS, cost=cost)
    runs = writer.finalize().manifest["provenance"]["runs"]
    assert [(r["run"], r["tokens"], r["device_seconds"], r["shards"]) for r in runs] == [
        ("monday", 30, 3.0, 2),
        ("tuesday", 5, 1.5, 1),
    ]


def test_a_private_cache_has_a_secret_that_the_manifest_does_not_tell(tmp_path):
    writer = start(tmp_path / "c", private=True)
    assert len(writer.salt) == 32
    for k in range(writer.n_shards):
        write(writer, k, SHARD, ITEMS)
    writer.finalize()
    assert writer.salt.hex() not in (tmp_path / "c" / "manifest.json").read_text()
    assert start(tmp_path / "c", private=True).salt == writer.salt
