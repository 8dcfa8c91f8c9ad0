"""What leaves this machine with a cache, and what does not."""

import json
from dataclasses import replace

import h5py
import numpy as np
import polars as pl
import pytest
from lager.data.cache.feature_cache import FeatureCache
from lager.data.errors import LagerError
from lager.data.remote.derived_copy import mean_of_annotators
from lager.data.remote.folder import FolderRemote
from lager.data.remote.object_store import ObjectStore
from lager.data.remote.pull import pull
from lager.data.remote.push import CLAIM, push
from lager.data.run.cache_writer import CacheWriter
from lager.data.tools.verify import verify_cache
from support.caches import identity, make_cache, make_items, make_shard, write

SECRET = "a text that stays here"


@pytest.fixture(scope="module")
def cache(tmp_path_factory):
    """A cache with everything that can be private: texts, hidden states, annotators, a salt."""
    path = tmp_path_factory.mktemp("made") / "cache"
    items, n = make_items(20), 20
    shard = make_shard(items, invalid=frozenset({3}))
    rng = np.random.default_rng(0)
    states = rng.normal(size=(n, 5, 6)).astype(np.float16)
    states[3] = np.nan
    scale = np.where(shard.valid[:, None], 1, np.nan).astype(np.float32) * np.ones((1, 5), np.float32)
    optional = {"hidden_mean": states, "hidden_scale_mean": scale, "generated": [f"{SECRET} {i}" for i in range(n)]}
    texts = pl.Series("text", [f"{SECRET} {i}" for i in range(n)])
    writer = CacheWriter.start(
        path,
        identity=identity(),
        item_id=items.item_id,
        shard_size=8,
        private=True,
        provenance={"source": items.source},
    )  # fmt: skip
    for k in range(writer.n_shards):
        cost = {"run": "1", "devices": ["cpu"], "device_seconds": 2.5, "tokens": 100}
        write(
            writer,
            k,
            replace(shard, optional=optional),
            replace(items, table=items.table.with_columns(texts)),
            cost=cost,
        )
    return writer.finalize()


def bytes_of(folder):
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def test_only_what_training_needs_goes_unless_more_is_asked_for(cache, tmp_path):
    done = push(cache.path, tmp_path / "there", shown=False)
    assert done.left_out == ["hidden", "scores", "text"]
    copy = FeatureCache.open(tmp_path / "there")
    np.testing.assert_array_equal(copy.logits, cache.logits)
    np.testing.assert_allclose(copy.mean_scores, cache.mean_scores)
    assert copy.scores == [[pytest.approx(mean)] for mean in cache.mean_scores]
    assert copy.poolings == ()
    assert not {"text", "generated"} & set(copy.items.columns)
    with h5py.File(tmp_path / "there" / "shards" / "00000.h5") as file:
        assert set(file) == {"item_id", "prompt_sha256", "n_tokens", "logits", "logits_normed", "logsumexp", "position",
                             "valid", "reason"}  # fmt: skip
    assert verify_cache(tmp_path / "there") == []


def test_no_file_of_a_copy_holds_a_text_or_the_salt(cache, tmp_path):
    push(cache.path, tmp_path / "there", shown=False)
    salt = json.loads((cache.path / "run.json").read_text())["salt"]
    for folder, found in ((cache.path, True), (tmp_path / "there", False)):
        everything = bytes_of(folder)
        assert (SECRET.encode() in everything) == found
        assert (salt.encode() in everything) == found
    assert not (tmp_path / "there" / "run.json").exists()


def test_a_copy_has_a_content_hash_of_its_own_and_says_what_it_comes_from(cache, tmp_path):
    done = push(cache.path, tmp_path / "there", shown=False)
    manifest = json.loads((tmp_path / "there" / "manifest.json").read_text())
    assert manifest["content_hash"] == done.content_hash != cache.content_hash
    assert manifest["derived_from"] == {"content_hash": cache.content_hash, "left_out": done.left_out}
    assert manifest["fingerprint"] == cache.fingerprint
    assert manifest["items_hash"] == cache.items_hash


def test_a_copy_of_a_copy_still_says_what_is_missing(cache, tmp_path):
    push(cache.path, tmp_path / "there", shown=False)
    again = push(tmp_path / "there", tmp_path / "further", include=["hidden", "text"], shown=False)
    assert again.left_out == ["hidden", "scores", "text"]
    assert verify_cache(tmp_path / "further") == []


@pytest.mark.parametrize("include", [["scores"], ["hidden"], ["text"], ["text", "hidden", "scores"]])
def test_what_is_asked_for_goes(cache, tmp_path, include):
    push(cache.path, tmp_path / "there", include=include, shown=False)
    copy = FeatureCache.open(tmp_path / "there")
    assert (copy.scores == cache.scores) == ("scores" in include)
    assert copy.poolings == (("mean",) if "hidden" in include else ())
    assert ({"text", "generated"} <= set(copy.items.columns)) == ("text" in include)
    assert (SECRET.encode() in bytes_of(tmp_path / "there")) == ("text" in include)
    assert verify_cache(tmp_path / "there") == []


def test_a_whole_copy_is_the_cache_itself_without_its_run_record(cache, tmp_path):
    push(cache.path, tmp_path / "there", include=["text", "hidden", "scores"], shown=False)
    for path in cache.path.rglob("*"):
        if path.is_file() and path.name != "run.json":
            assert (tmp_path / "there" / path.relative_to(cache.path)).read_bytes() == path.read_bytes()


def test_means_of_annotators_keep_the_unlabelled_apart():
    scores = pl.Series("scores", [[1.0, 2.0], [], [5.0]], dtype=pl.List(pl.Float64))
    assert mean_of_annotators(scores).to_list() == [[1.5], [], [5.0]]


def test_the_card_says_what_it_is_and_how_to_load_it(cache, tmp_path):
    push(cache.path, tmp_path / "there", shown=False)
    text = (tmp_path / "there" / "README.md").read_text()
    _, front, body = text.split("---\n", 2)
    assert "license:" in front
    assert "lager-cache" in front
    for said in (cache.fingerprint, "tiny", "| items | 20 |", "FeatureCache.open(", "lager cache pull", "made up",
                 "| cost, device-seconds | 7.5 |", "| cost, tokens | 300 |", "single annotators"):  # fmt: skip
        assert said in body
    assert str(tmp_path / "there") in body


def test_names_from_others_are_only_text_on_the_card(tmp_path):
    made = make_cache(tmp_path / "c", n=4)
    manifest = {**made.manifest, "recorded": {"model": "<script>|x|\n# [a](b)"}}
    from lager.data.remote.card import card

    body = card(manifest, url="s3://bucket/c").split("---\n", 2)[2]
    assert "<script>" not in body
    assert "\\# \\[a\\](b)" in body


def test_a_push_that_was_interrupted_goes_on_and_sends_nothing_twice(cache, tmp_path):
    there = tmp_path / "there"
    first = push(cache.path, there, shown=False)
    before = {path.name: path.stat().st_mtime_ns for path in there.rglob("*.h5")}
    (there / "manifest.json").unlink()
    (there / "shards" / "00001.h5").unlink()
    again = push(cache.path, there, shown=False)
    assert (first.sent, first.kept) == (4, 0)
    assert (again.sent, again.kept) == (1, 3)
    assert verify_cache(there) == []
    after = {path.name: path.stat().st_mtime_ns for path in there.rglob("*.h5")}
    assert {name for name in before if before[name] != after[name]} == {"00001.h5"}


@pytest.mark.parametrize("place", ["folder", "memory"])
def test_of_two_caches_that_are_pushed_to_one_place_one_is_refused(cache, tmp_path, monkeypatch, place):
    there = tmp_path / "there" if place == "folder" else f"memory://{tmp_path.name}-{place}"
    other = make_cache(tmp_path / "other", seed=1)
    finish = {"folder": FolderRemote, "memory": ObjectStore}[place]
    last, said = finish.finish, []

    def between(self, *arguments, **options):
        with pytest.raises(LagerError, match=r"a push of another cache, begun 2.*is not finished there") as error:
            push(other.path, there, shown=False)
        said.append(str(error.value))
        last(self, *arguments, **options)

    monkeypatch.setattr(finish, "finish", between)
    push(cache.path, there, shown=False)
    monkeypatch.undo()
    assert len(said) == 1
    here = pull(there, tmp_path / "here", shown=False)
    assert verify_cache(here) == []
    with pytest.raises(LagerError, match="holds another cache already"):
        push(other.path, there, shown=False)
    if place == "folder":
        assert not (there / CLAIM).exists()


def test_a_push_that_stopped_is_gone_on_with_by_the_same_cache_alone(cache, tmp_path, monkeypatch):
    there = tmp_path / "there"
    with monkeypatch.context() as patch:
        patch.setattr(FolderRemote, "finish", lambda *_, **__: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            push(cache.path, there, shown=False)
    assert (there / CLAIM).exists()
    with pytest.raises(LagerError, match=f"remove what it left there, {CLAIM} last"):
        push(cache.path, there, include=["text"], shown=False)
    assert push(cache.path, there, shown=False).sent == 0
    assert not (there / CLAIM).exists()
    assert verify_cache(there) == []


def test_pushing_again_sends_nothing_and_mends_what_was_lost(cache, tmp_path):
    there = tmp_path / "there"
    push(cache.path, there, shown=False)
    assert push(cache.path, there, shown=False).sent == 0
    (there / "shards" / "00002.h5").write_bytes(b"damaged")
    assert push(cache.path, there, shown=False).sent == 1
    assert verify_cache(there) == []


def test_what_lies_there_already_is_never_overwritten(cache, tmp_path):
    push(make_cache(tmp_path / "other", seed=1).path, tmp_path / "a", shown=False)
    (tmp_path / "b" / "shards").mkdir(parents=True)
    (tmp_path / "b" / "shards" / "00000.h5").write_bytes(b"mine")
    for name, message in (
        ("a", "another cache already"),
        ("b", "holds another shards/00000.h5"),
        ("other", "run.json"),
    ):
        before = bytes_of(tmp_path / name)
        with pytest.raises(LagerError, match=message):
            push(cache.path, tmp_path / name, jobs=1, shown=False)
        if name != "b":
            assert bytes_of(tmp_path / name) == before
        assert name == "other" or (tmp_path / name / "manifest.json").exists() == (name == "a")
    assert (tmp_path / "b" / "shards" / "00000.h5").read_bytes() == b"mine"


def test_a_page_that_someone_wrote_stays(cache, tmp_path, capsys):
    (tmp_path / "there").mkdir()
    (tmp_path / "there" / "README.md").write_text("my page")
    push(cache.path, tmp_path / "there")
    assert (tmp_path / "there" / "README.md").read_text() == "my page"
    assert "left as it is" in capsys.readouterr().err


def test_a_damaged_cache_is_not_shared(tmp_path):
    made = make_cache(tmp_path / "c")
    path = tmp_path / "c" / "shards" / "00001.h5"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(LagerError, match=r"00001\.h5 changed"):
        push(made.path, tmp_path / "there", shown=False)
    assert not (tmp_path / "there" / "manifest.json").exists()
    assert [path.name for path in tmp_path.iterdir() if ".push-" in path.name] == []


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"include": ["prompts"]}, "expected some of text, hidden, scores"),
        ({"public": True}, "permissions say who"),
        ({"jobs": 0}, "--jobs 0"),
    ],
)
def test_options_that_mean_nothing_here_are_refused(cache, tmp_path, options, message):
    with pytest.raises(LagerError, match=message):
        push(cache.path, tmp_path / "there", shown=False, **options)


def test_nothing_is_pushed_over_http_and_the_message_holds_no_password(cache):
    with pytest.raises(LagerError, match=r"https://host/a: nothing can be pushed") as error:
        push(cache.path, "https://me:secret@host/a", shown=False)
    assert "secret" not in str(error.value)


def test_a_pushed_folder_is_pulled_whole(cache, tmp_path):
    push(cache.path, f"file://{tmp_path}/there", shown=False)
    pull(f"file://{tmp_path}/there", tmp_path / "here", shown=False)
    assert verify_cache(tmp_path / "here") == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["here", "there"]
    np.testing.assert_array_equal(FeatureCache.open(tmp_path / "here").logits, cache.logits)
