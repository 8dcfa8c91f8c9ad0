"""A cache goes on with other items than it was begun with: what was read is taken over, by id and prompt."""

import json
import shutil

import numpy as np
import pytest
from lager.data.cache.feature_cache import FeatureCache
from lager.data.cache.shards import read_attributes
from lager.data.errors import LagerError
from lager.data.run.set_aside import EARLIER
from lager.data.tools.label import label_cache
from lager.data.tools.verify import verify_cache
from lager.extract.model.judge import load_judge
from lager.extract.options.groups import LoadOptions
from lager.extract.run import shard_reader
from support.extraction import run, write_items
from support.tiny_models import CHAT_TEMPLATE, save_judge, tiny_tokenizer


@pytest.fixture(scope="module")
def judge(tmp_path_factory):
    folder = save_judge(tmp_path_factory.mktemp("judge"), tokenizer=tiny_tokenizer(chat_template=CHAT_TEMPLATE))
    return load_judge(folder, LoadOptions(device="cpu"))


@pytest.fixture
def items(tmp_path):
    return write_items(tmp_path / "items.jsonl", 11, long={5})


@pytest.fixture
def read(monkeypatch):
    """The ids that the model read, in order."""
    ids = []
    original = shard_reader.ShardReader.read

    def noted(self, item_id, rows, **options):
        ids.extend(item_id)
        return original(self, item_id, rows, **options)

    monkeypatch.setattr(shard_reader.ShardReader, "read", noted)
    return ids


def rewrite(items, change):
    rows = change([json.loads(line) for line in items.read_text().splitlines()])
    items.write_text("".join(json.dumps(row) + "\n" for row in rows))


def shards(cache):
    return {path.name: path.stat().st_ino for path in (cache / "shards").glob("*.h5")}


def assert_like_a_fresh_one(cache, judge, items, tmp_path, **options):
    """The same items, rows and labels as an extraction at once; values to low bits."""
    fresh = run(judge, items, tmp_path / "fresh", **options)
    assert verify_cache(cache.path) == []
    assert cache.items_hash == fresh.items_hash
    assert cache.items.equals(fresh.items)
    assert cache.reason.tolist() == fresh.reason.tolist()
    np.testing.assert_allclose(cache.logits, fresh.logits, atol=1e-4)
    np.testing.assert_array_equal(cache.n_tokens, fresh.n_tokens)


def test_a_limited_run_and_then_the_full_one_read_each_item_once(judge, items, tmp_path, read, capsys):
    limited = run(judge, items, tmp_path / "c", limit=6)
    ids, logits = limited.item_id, limited.logits
    cache = run(judge, items, tmp_path / "c", extend=True, quiet=False)
    assert sorted(read) == sorted(f"q{i}" for i in range(11))
    assert "was begun with 6 items and goes on with the 11 given now" in capsys.readouterr().err
    at = [cache.item_id.tolist().index(name) for name in ids]
    np.testing.assert_array_equal(cache.logits[at], logits)
    assert not (tmp_path / "c" / EARLIER).exists()
    assert_like_a_fresh_one(cache, judge, items, tmp_path)


def test_shards_that_do_not_change_stay_as_they_are(judge, items, tmp_path, read):
    rows = items.read_text().splitlines(keepends=True)
    items.write_text("".join(rows[:9]))
    run(judge, items, tmp_path / "c")
    before = shards(tmp_path / "c")
    items.write_text("".join(rows))
    read.clear()
    cache = run(judge, items, tmp_path / "c", extend=True)
    after = shards(tmp_path / "c")
    assert {name for name in before if after[name] == before[name]} == {"00000.h5", "00001.h5"}
    assert read == ["q9", "q10"]
    assert_like_a_fresh_one(cache, judge, items, tmp_path)


def test_an_item_whose_text_changed_is_read_again_and_no_other(judge, items, tmp_path, read):
    before = run(judge, items, tmp_path / "c")
    logits = before.logits
    rewrite(
        items, lambda rows: [row | {"prompt": row["prompt"] + " indeed"} if row["id"] == "q6" else row for row in rows]
    )
    read.clear()
    with pytest.raises(
        LagerError, match="1 of its 11 items come with other prompts under the same ids: give --replace"
    ):
        run(judge, items, tmp_path / "c", extend=True)
    assert read == []
    cache = run(judge, items, tmp_path / "c", replace=True)
    assert read == ["q6"]
    assert cache.content_hash != before.content_hash
    np.testing.assert_array_equal(np.delete(cache.logits, 6, axis=0), np.delete(logits, 6, axis=0))
    assert_like_a_fresh_one(cache, judge, items, tmp_path)


@pytest.mark.slow
def test_items_may_come_go_and_change_places_and_what_was_read_is_never_lost(judge, items, tmp_path, read):
    first = run(judge, items, tmp_path / "c")
    all_rows = items.read_text()
    rewrite(items, lambda rows: [{**rows[0], "id": "new", "prompt": "a new text"}, *rows[:4:-1]])
    read.clear()
    cache = run(judge, items, tmp_path / "c", replace=True)
    assert read == ["new"]
    assert_like_a_fresh_one(cache, judge, items, tmp_path)
    assert (tmp_path / "c" / EARLIER).exists()  # q0 to q4 are not in the cache now
    items.write_text(all_rows)
    read.clear()
    again = run(judge, items, tmp_path / "c", replace=True)
    assert read == []
    assert again.content_hash == first.content_hash


@pytest.mark.parametrize(
    "options",
    [
        {"condition": "generate", "max_new_tokens": 4, "max_invalid": 1},
        {"features": ["logits", "hidden"], "pooling": ["mean"]},
        {"private": True},
    ],
    ids=["generate", "hidden", "private"],
)
def test_all_that_a_row_has_is_taken_over(judge, items, tmp_path, read, options):
    run(judge, items, tmp_path / "c", limit=6, keep_text=True, **options)
    salt = json.loads((tmp_path / "c" / "run.json").read_text())["salt"]
    cache = run(judge, items, tmp_path / "c", keep_text=True, extend=True, **options)
    assert len(read) == 11
    assert verify_cache(cache.path) == []
    assert json.loads((tmp_path / "c" / "run.json").read_text())["salt"] == salt
    assert cache.items["text"].null_count() == 0
    assert ("generated" in cache.items.columns) == ("condition" in options)
    assert cache.poolings == tuple(options.get("pooling", ()))


@pytest.mark.slow
def test_rows_without_generated_text_are_read_again_where_it_is_to_be_kept(judge, items, tmp_path, read):
    options = {"condition": "generate", "max_new_tokens": 4, "max_invalid": 1}
    run(judge, items, tmp_path / "c", limit=6, **options)
    cache = run(judge, items, tmp_path / "c", keep_text=True, extend=True, **options)
    assert len(read) == 6 + 11
    assert cache.items["generated"].null_count() == 0


def test_the_cost_of_rows_that_are_taken_over_is_still_told(judge, items, tmp_path):
    run(judge, items, tmp_path / "c", limit=6)
    cache = run(judge, items, tmp_path / "c", extend=True)
    tokens = sum(run["tokens"] for run in cache.manifest["provenance"]["runs"])
    assert tokens == pytest.approx(cache.n_tokens[cache.valid].sum(), abs=3)  # shares of a shard's cost are rounded


def stop_after(patch, n):
    """End the process, as far as the cache is concerned, before the next shard is read."""
    original = shard_reader.ShardReader.read
    calls = []

    def stopping(self, item_id, rows, **options):
        calls.append(1)
        if len(calls) > n:
            raise KeyboardInterrupt
        return original(self, item_id, rows, **options)

    patch.setattr(shard_reader.ShardReader, "read", stopping)


@pytest.mark.parametrize("n", [0, 1, 2])
def test_a_change_of_items_that_is_interrupted_goes_on_and_back(judge, items, tmp_path, monkeypatch, n):
    limited = run(judge, items, tmp_path / "c", limit=6)
    with monkeypatch.context() as patch:
        stop_after(patch, n)
        with pytest.raises(KeyboardInterrupt):
            run(judge, items, tmp_path / "c", extend=True)
    with pytest.raises(LagerError, match="not complete"):
        FeatureCache.open(tmp_path / "c")
    with monkeypatch.context() as patch:
        stop_after(patch, 0)  # all that it needs is there
        assert run(judge, items, tmp_path / "c", limit=6).content_hash == limited.content_hash
    cache = run(judge, items, tmp_path / "c", extend=True)
    assert_like_a_fresh_one(cache, judge, items, tmp_path)
    assert not (tmp_path / "c" / EARLIER).exists()


def test_a_damaged_shard_that_was_set_aside_is_read_again(judge, items, tmp_path, monkeypatch):
    run(judge, items, tmp_path / "c", limit=6)
    with monkeypatch.context() as patch:
        stop_after(patch, 0)
        with pytest.raises(KeyboardInterrupt):
            run(judge, items, tmp_path / "c", extend=True)
    (path, *_) = (tmp_path / "c" / EARLIER).glob("*.h5")
    content = bytearray(path.read_bytes())
    content[content.index(b"q")] ^= 1
    path.write_bytes(content)
    cache = run(judge, items, tmp_path / "c")
    assert_like_a_fresh_one(cache, judge, items, tmp_path)


def test_a_run_whose_cache_another_command_gave_other_items_stops_and_mixes_nothing(
    judge, items, tmp_path, monkeypatch
):
    run(judge, items, tmp_path / "other")
    original = shard_reader.ShardReader.read

    def meanwhile(self, item_id, rows, **options):
        shutil.copy(tmp_path / "other" / "run.json", tmp_path / "c" / "run.json")
        return original(self, item_id, rows, **options)

    monkeypatch.setattr(shard_reader.ShardReader, "read", meanwhile)
    with pytest.raises(LagerError, match="was given other items by another command meanwhile"):
        run(judge, items, tmp_path / "c", limit=6)
    assert list((tmp_path / "c").glob("shards/*")) == []
    monkeypatch.setattr(shard_reader.ShardReader, "read", original)
    cache = run(judge, items, tmp_path / "c")
    assert_like_a_fresh_one(cache, judge, items, tmp_path)


def test_a_shard_says_which_rows_of_the_new_list_it_holds(judge, items, tmp_path):
    run(judge, items, tmp_path / "c", limit=6)
    run(judge, items, tmp_path / "c", extend=True)
    attributes = read_attributes(tmp_path / "c" / "shards" / "00001.h5")
    assert (attributes["shard"], attributes["rows"]) == (1, [4, 8])


def test_rows_that_change_their_place_are_written_where_they_belong(judge, items, tmp_path, read):
    run(judge, items, tmp_path / "c")
    rewrite(items, lambda rows: rows[4:])
    read.clear()
    cache = run(judge, items, tmp_path / "c", replace=True)
    assert read == []
    attributes = [read_attributes(tmp_path / "c" / "shards" / f"0000{k}.h5") for k in range(2)]
    assert [one["rows"] for one in attributes] == [[0, 4], [4, 7]]
    assert_like_a_fresh_one(cache, judge, items, tmp_path)


def test_a_complete_cache_is_not_given_other_items_by_mistake(items, tmp_path):
    folder = save_judge(tmp_path / "judge", tokenizer=tiny_tokenizer())
    rewrite(items, lambda rows: [row | {"score": 3} for row in rows[:8]] + rows[8:])
    made = run(folder, items, tmp_path / "c")
    shutil.rmtree(folder)  # it is said before a model is looked for
    rewrite(items, lambda rows: [*rows[1:3], *rows[4:]])
    with pytest.raises(
        LagerError, match=r"2 of its 11 items, 2 with human scores, are not among the 9 .*q0.*--replace"
    ):
        run(folder, items, tmp_path / "c")
    with pytest.raises(LagerError, match="are not among the 9"):
        run(folder, items, tmp_path / "c", extend=True)
    assert FeatureCache.open(tmp_path / "c").content_hash == made.content_hash


def test_further_items_and_another_order_are_asked_for(judge, items, tmp_path, read):
    run(judge, items, tmp_path / "c", limit=6)
    with pytest.raises(LagerError, match="complete with 6 items; those given are the same and 5 more: give --extend"):
        run(judge, items, tmp_path / "c")
    assert run(judge, items, tmp_path / "c", extend=True).n_items == 11
    rewrite(items, lambda rows: rows[::-1])
    with pytest.raises(LagerError, match="the same in another order: give --extend"):
        run(judge, items, tmp_path / "c")
    with pytest.raises(LagerError, match="give one of them"):
        run(judge, items, tmp_path / "c", extend=True, replace=True)
    assert len(read) == 11


def test_human_scores_that_were_written_later_are_not_lost(judge, items, tmp_path):
    rewrite(items, lambda rows: [{name: value for name, value in row.items() if name != "score"} for row in rows])
    run(judge, items, tmp_path / "c", limit=6)
    chosen = FeatureCache.open(tmp_path / "c").item_id.tolist()
    (tmp_path / "labels.csv").write_text("id,score\n" + "".join(f"{name},4\n" for name in chosen[:2]))
    label_cache(tmp_path / "c", tmp_path / "labels.csv")
    with pytest.raises(
        LagerError, match=r"2 of its items have human scores that the items given lack .*: they would go"
    ):
        run(judge, items, tmp_path / "c", extend=True)
    with pytest.raises(LagerError, match="human scores that the items given lack"):
        run(judge, items, tmp_path / "c", limit=6)
    rewrite(items, lambda rows: [row | {"score": 3} if row["id"] in chosen[:2] else row for row in rows])
    cache = run(judge, items, tmp_path / "c", extend=True)
    assert cache.n_items == 11
    assert np.isfinite(cache.mean_scores).sum() == 2
