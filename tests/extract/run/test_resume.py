"""A run that stopped goes on where it stopped, and never mixes settings."""

import pytest
import torch
from lager.data.cache.feature_cache import FeatureCache
from lager.data.errors import LagerError
from lager.data.tools.verify import verify_cache
from lager.extract.model.judge import load_judge
from lager.extract.options.groups import LoadOptions
from lager.extract.run import shard_reader
from support.extraction import run, write_items
from support.tiny_models import CHAT_TEMPLATE, save_judge, tiny_tokenizer


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_judge(tmp_path_factory.mktemp("judge"), tokenizer=tiny_tokenizer(chat_template=CHAT_TEMPLATE))


@pytest.fixture(scope="module")
def judge(folder):
    return load_judge(folder, LoadOptions(device="cpu"))


@pytest.fixture
def items(tmp_path):
    return write_items(tmp_path / "items.jsonl", 11)


def count_forwards(judge, monkeypatch):
    calls = []
    original = judge.parts.decoder.forward

    def counted(*args, **kwargs):
        calls.append(1)
        return original(*args, **kwargs)

    monkeypatch.setattr(judge.parts.decoder, "forward", counted)
    return calls


def stop_after(monkeypatch, shards):
    """Interrupt before shard number `shards` is read."""
    original = shard_reader.ShardReader.read

    def read(self, item_id, plan, **options):
        if item_id[0] == f"q{4 * shards}":
            raise KeyboardInterrupt
        return original(self, item_id, plan, **options)

    monkeypatch.setattr(shard_reader.ShardReader, "read", read)


def test_an_interrupted_run_says_what_is_kept_and_goes_on_there(judge, items, tmp_path, monkeypatch, capsys):
    whole = run(judge, items, tmp_path / "whole")
    with monkeypatch.context() as patch:
        stop_after(patch, 2)
        with pytest.raises(KeyboardInterrupt):
            run(judge, items, tmp_path / "cache", quiet=False)
    assert "2 of 3 shards are kept" in capsys.readouterr().err
    with pytest.raises(LagerError, match="not complete"):
        FeatureCache.open(tmp_path / "cache")
    kept = (tmp_path / "cache" / "shards" / "00001.h5").read_bytes()
    with monkeypatch.context() as patch:
        calls = count_forwards(judge, patch)
        resumed = run(judge, items, tmp_path / "cache", quiet=False)
    # One batch, and the three passes of the self-check on it; the separator and the lengths at which numbers change are
    # those of the first run.
    assert len(calls) <= 5
    assert "continuing: 2 of 3 shards are there, 3 items left" in capsys.readouterr().err
    assert resumed.content_hash == whole.content_hash
    assert (tmp_path / "cache" / "shards" / "00001.h5").read_bytes() == kept


def test_a_complete_cache_is_returned_without_reading_anything(judge, items, tmp_path, monkeypatch, capsys):
    first = run(judge, items, tmp_path / "cache")
    calls = count_forwards(judge, monkeypatch)
    again = run(judge, items, tmp_path / "cache", quiet=False)
    assert not calls
    assert again.content_hash == first.content_hash
    assert "complete already: 11 items" in capsys.readouterr().err


def test_a_run_that_goes_on_under_other_versions_says_so_and_records_both(judge, items, tmp_path, monkeypatch, capsys):
    with monkeypatch.context() as patch:
        stop_after(patch, 2)
        patch.setattr("torch.__version__", "1.99.0+other")
        with pytest.raises(KeyboardInterrupt):
            run(judge, items, tmp_path / "cache")
    cache = run(judge, items, tmp_path / "cache", quiet=False)
    now = f"torch {torch.__version__}"
    assert f"was begun under torch 1.99.0+other and goes on under {now}: numbers" in capsys.readouterr().err
    told = [(one["versions"]["torch"], one["shards"]) for one in cache.manifest["provenance"]["runs"]]
    assert told == [("1.99.0+other", 2), (torch.__version__, 1)]
    run(judge, items, tmp_path / "cache", quiet=False)
    assert "was begun" not in capsys.readouterr().err  # nothing is left to read


def test_a_damaged_shard_is_read_again(judge, items, tmp_path):
    first = run(judge, items, tmp_path / "cache")
    (tmp_path / "cache" / "shards" / "00001.h5").write_bytes(b"garbage")
    assert run(judge, items, tmp_path / "cache").content_hash == first.content_hash
    assert verify_cache(tmp_path / "cache") == []
    assert (tmp_path / "cache" / "damaged" / "shards-00001.h5").read_bytes() == b"garbage"


def test_other_settings_do_not_go_on_in_the_same_folder(judge, items, tmp_path):
    run(judge, items, tmp_path / "cache")
    with pytest.raises(LagerError, match=r"prompt\.answer_prefix.* differ"):
        run(judge, items, tmp_path / "cache", answer_prefix="Score:")


def test_other_labels_do_not_change_a_complete_cache(judge, items, tmp_path):
    run(judge, items, tmp_path / "cache")
    items.write_text(items.read_text().replace('"score": [1, 3]', '"score": [2, 2]'))
    with pytest.raises(LagerError, match="other scores or columns"):
        run(judge, items, tmp_path / "cache")
