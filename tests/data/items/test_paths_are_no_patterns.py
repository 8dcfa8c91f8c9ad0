"""A path with brackets, a star or a question mark names that file, and no other one that a pattern would match."""

import shutil

import numpy as np
import polars as pl
import pytest
from lager.data.cache.feature_cache import FeatureCache
from lager.data.items.large_files import open_rows
from lager.data.items.score_files import read_external, read_human_scores
from lager.data.items.small_files import read_rows
from lager.data.tools.verify import verify_cache
from support.caches import make_cache

ENDINGS = {
    ".csv": lambda table, path: table.write_csv(path),
    ".parquet": lambda table, path: table.write_parquet(path),
    ".jsonl": lambda table, path: table.write_ndjson(path),
}


@pytest.mark.parametrize("ending", ENDINGS)
@pytest.mark.parametrize(("name", "other"), [("s[1]", "s1"), ("s*", "s2"), ("s?", "s3"), ("a{b,c}", "ab")])
def test_the_file_of_that_name_is_read(tmp_path, ending, name, other):
    for one, scores in ((other, [5, 3, 1]), (name, [1, 3, 5])):
        ENDINGS[ending](pl.DataFrame({"id": ["a", "b", "c"], "score": scores}), tmp_path / f"{one}{ending}")
    path = tmp_path / f"{name}{ending}"
    assert [float(row["score"]) for row in read_rows(path)] == [1, 3, 5]
    file = open_rows(path)
    assert [float(row["score"]) for row in file.read(0, 3)] == [1, 3, 5]
    assert read_human_scores(path, None)["scores"].to_list() == [[1], [3], [5]]
    judge = tmp_path / "judge.csv"
    judge.write_text("id,rating\na,1\nb,3\nc,5\n")
    (found,) = read_external([f"{judge}:rating"], read_human_scores(path, None), None)
    np.testing.assert_array_equal(found.scores, [1, 3, 5])


def test_a_cache_in_a_folder_with_brackets_has_its_own_items(tmp_path):
    make_cache(tmp_path / "run1" / "c", 12, seed=1)
    make_cache(tmp_path / "plain", 12, seed=2)
    (tmp_path / "run[1]").mkdir()
    shutil.copytree(tmp_path / "plain", tmp_path / "run[1]" / "c")
    opened = FeatureCache.open(tmp_path / "run[1]" / "c")
    assert opened.scores == FeatureCache.open(tmp_path / "plain").scores
    assert not verify_cache(tmp_path / "run[1]" / "c")
