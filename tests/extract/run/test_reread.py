"""With the model at hand, a cache is checked by reading some of its items again."""

import json
import shutil
from dataclasses import replace

import numpy as np
import polars as pl
import pytest
from lager.cli import main_or_raise
from lager.data.cache.feature_cache import FeatureCache
from lager.data.cache.manifest import content_hash
from lager.data.cache.shards import read_attributes, read_shard, row_digests, write_shard
from lager.data.errors import LagerError
from lager.data.tools.repair import repair_cache
from lager.data.tools.verify import verify_cache
from lager.extract.options.groups import LoadOptions
from lager.extract.run.reread import reread_sample
from support.caches import make_cache
from support.extraction import run, write_items
from support.tiny_models import CHAT_TEMPLATE, save_judge, tiny_tokenizer


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_judge(tmp_path_factory.mktemp("judge"), tokenizer=tiny_tokenizer(chat_template=CHAT_TEMPLATE))


@pytest.fixture(scope="module")
def items(tmp_path_factory):
    return write_items(tmp_path_factory.mktemp("items") / "items.jsonl", 11, long={3})


@pytest.fixture(scope="module")
def cache(folder, items, tmp_path_factory):
    path = tmp_path_factory.mktemp("caches") / "c"
    return run(folder, items, path, device="cpu", answer_prefix="Score: ", system="Judge this.", max_invalid=0.5)


def silent(line):
    pass


@pytest.mark.slow
def test_items_that_are_read_again_say_what_the_cache_says(folder, items, cache):
    again = reread_sample(folder, cache, load=LoadOptions(device="cpu"), items=items, sample=7, say=silent)
    assert again.n_items == 7
    assert again.differing == {}
    assert 0 <= max(again.largest.values()) < 1e-4
    other = reread_sample(folder, cache, load=LoadOptions(device="cpu"), items=items, sample=50, seed=1, say=silent)
    assert other.n_items == 11


@pytest.mark.parametrize(
    "options",
    [
        {"condition": "generate", "max_new_tokens": 4, "max_invalid": 1},
        {"features": ["logits", "hidden"], "pooling": ["mean"], "max_invalid": 1},
        {"private": True, "dtype": "bfloat16", "max_invalid": 1},
    ],
    ids=["generate", "hidden", "private"],
)
def test_a_cache_is_read_again_in_its_own_way_from_the_text_it_keeps(folder, items, tmp_path, options):
    cache = run(folder, items, tmp_path / "c", device="cpu", keep_text=True, **options)
    again = reread_sample(folder, cache, load=LoadOptions(device="cpu"), say=silent)
    assert again.differing == {}
    assert again.n_items == 11
    assert "prompt_sha256" in again.largest


@pytest.fixture
def forged(cache, tmp_path):
    """The cache with one value changed and every checksum put right."""
    folder = shutil.copytree(cache.path, tmp_path / "forged")
    path = folder / "shards" / "00001.h5"
    data, attributes = read_shard(path), read_attributes(path)
    data.logits[1] += np.float32(0.01)
    path.unlink()
    write_shard(path, data, attributes=attributes | {"content_hash": content_hash(data.item_id, row_digests(data))})
    (folder / "manifest.json").unlink()
    assert repair_cache(folder).complete
    assert verify_cache(folder) == []
    return folder


def test_a_value_that_was_changed_with_all_checksums_is_found(folder, items, forged, capsys):
    again = reread_sample(folder, FeatureCache.open(forged), load=LoadOptions(device="cpu"), items=items, say=silent)
    assert again.differing == {"q5": ["logits"]}
    assert 0.001 < again.largest["logits"] < 0.011
    options = ["--model", str(folder), "--items", str(items), "--device", "cpu"]
    with pytest.raises(LagerError, match=r"1 of 11 items .* 'q5' \(logits\)"):
        main_or_raise(["cache", "verify", str(forged), *options, "--json"])
    told = json.loads(capsys.readouterr().out)
    assert (told["sound"], told["faults"]) == (False, [])
    assert told["read_again"]["differing"] == {"q5": ["logits"]}
    main_or_raise(["cache", "verify", str(forged), *options, "--tolerance", "0.02"])
    assert "11 items were read again: largest difference 0.01 (logits)" in capsys.readouterr().out


def test_another_text_of_an_item_is_found(folder, items, cache, tmp_path):
    changed = tmp_path / "items.jsonl"
    rows = [json.loads(line) for line in items.read_text().splitlines()]
    rows[6]["prompt"] += " indeed"
    changed.write_text("".join(json.dumps(row) + "\n" for row in rows))
    again = reread_sample(folder, cache, load=LoadOptions(device="cpu"), items=changed, say=silent)
    assert list(again.differing) == ["q6"]
    assert "prompt_sha256" in again.differing["q6"]
    assert again.largest["prompt_sha256"] == np.inf


def test_another_model_is_refused_by_what_differs(items, cache, tmp_path):
    other = save_judge(tmp_path / "other", tokenizer=tiny_tokenizer(chat_template=CHAT_TEMPLATE), seed=1)
    with pytest.raises(LagerError, match=r"weights\.model\.safetensors differ"):
        reread_sample(other, cache, load=LoadOptions(device="cpu"), items=items, say=silent)


def test_what_cannot_be_read_again_is_refused(folder, items, cache, tmp_path):
    with pytest.raises(LagerError, match=r"keeps no prompts: .*--items"):
        reread_sample(folder, cache, load=LoadOptions(device="cpu"), say=silent)
    text = pl.Series("text", ["a prompt", *[None] * (cache.n_items - 1)])
    some = replace(cache, items=cache.items.with_columns(text))  # as of a merge of caches with text and without
    with pytest.raises(LagerError, match=r"keeps the prompts of 1 of its 11 items only: .*--items"):
        reread_sample(folder, some, load=LoadOptions(device="cpu"), say=silent)
    fewer = write_items(tmp_path / "few.jsonl", 2)
    with pytest.raises(LagerError, match=r"9 of 11 sampled items .* 'q2'"):
        reread_sample(folder, cache, load=LoadOptions(device="cpu"), items=fewer, say=silent)
    with pytest.raises(LagerError, match="not made by `lager extract`"):
        reread_sample(folder, make_cache(tmp_path / "made up"), load=LoadOptions(), items=items, say=silent)
    with pytest.raises(LagerError, match="give --model too"):
        main_or_raise(["cache", "verify", str(cache.path), "--items", str(items)])
