"""Scores joined by id: what the file says of its items is compared with the cache's."""

import pytest
from lager.data.errors import LagerError
from lager.data.items.score_files import read_external
from support.caches import make_cache


@pytest.fixture
def cache(tmp_path):
    return make_cache(tmp_path / "cache", 6)


def external(cache, tmp_path, **columns):
    names = ["id", "judge", *columns]
    rows = [[f"item{i}", "3", *(column[i] for column in columns.values())] for i in range(6)]
    (tmp_path / "f.csv").write_text("\n".join(",".join(row) for row in [names, *rows]))
    (one,) = read_external([f"{tmp_path / 'f.csv'}:judge"], cache.items, cache.scale, prompts=cache.prompts)
    return one


def test_prompt_hashes_that_mostly_agree_find_the_row_that_does_not(cache, tmp_path):
    hashes = [cache.prompts()[f"item{i}"] for i in range(6)]
    assert external(cache, tmp_path, prompt_sha256=hashes).compared
    swapped = [*hashes[:4], hashes[5], hashes[4]]
    message = rf"2 of 6 rows are of other items .* 'item4' has prompt_sha256 '{hashes[5][:40]}' there"
    with pytest.raises(LagerError, match=message):
        external(cache, tmp_path, prompt_sha256=swapped)


def test_hashes_of_another_tokenizer_tell_nothing(cache, tmp_path):
    assert not external(cache, tmp_path, prompt_sha256=["0" * 64] * 6).compared
    assert not external(cache, tmp_path).compared


def test_groups_and_clusters_that_differ_are_refused_with_both(cache, tmp_path):
    assert external(cache, tmp_path, group=cache.items["group"].to_list()).compared
    with pytest.raises(LagerError, match="'item0' has group 'criterion1' there and 'criterion0' here"):
        external(cache, tmp_path, group=["criterion1"] * 6)
    with pytest.raises(LagerError, match="'item1' has cluster 'text0' there and 'text1' here"):
        external(cache, tmp_path, cluster=["text0"] * 6)


def test_human_scores_from_a_file_are_checked_alike(cache, tmp_path):
    (tmp_path / "s.csv").write_text("id,score,cluster\nitem0,3,text0\nitem1,4,text5\n")
    with pytest.raises(LagerError, match="1 of 2 rows are of other items"):
        cache.with_scores(tmp_path / "s.csv")
