import gzip
import json

import numpy as np
import pytest
from lager.data.errors import LagerError
from lager.data.tools.import_release import import_release


def record(idx, human, logits):
    if logits is None:
        return {"idx": idx, "prompt": "p", "human_score": human, "direct_socre": -1.0, "df": {"layer_n": {"0": -1}}}
    return {
        "idx": idx,
        "prompt": "p",
        "human_score": human,
        "direct_socre": 5.0,
        "df": {
            "layer_n": {str(i): i for i in range(len(logits))},
            "logits": {str(i): row for i, row in enumerate(logits)},
        },
    }


LOGITS = np.random.default_rng(0).normal(size=(2, 12, 5)).round(3).tolist()
RECORDS = [record(0, 4, LOGITS[0]), record(1, 2.5, None), record(2, 1, LOGITS[1])]


@pytest.mark.parametrize("compressed", [False, True])
def test_released_results_become_a_cache(tmp_path, compressed):
    path = tmp_path / "results.json"
    text = json.dumps(RECORDS).encode()
    path.write_bytes(gzip.compress(text) if compressed else text)
    cache = import_release(path, cache=tmp_path / "cache", model="judge")
    assert cache.valid.tolist() == [True, False, True]
    assert cache.reason[1] == "the released code found no score"
    np.testing.assert_array_equal(cache.logits[0], np.float32(LOGITS[0]))
    np.testing.assert_array_equal(cache.logits_normed[0, -1], np.float32(LOGITS[0][-1]))
    assert np.isnan(cache.logits_normed[0, :-1]).all()
    assert cache.mean_scores.tolist() == [4, 2.5, 1]
    assert str(cache.scale) == "1-5"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("{", "not valid JSON"),
        ("[]", "list of result records"),
        (json.dumps([{"idx": 0}]), "released code's format"),
        (json.dumps([record(0, 4, LOGITS[0]), record(0, 4, LOGITS[0])]), "repeat an id"),
        (json.dumps([record(0, 4, LOGITS[0]), record(1, 4, LOGITS[0][:5])]), "one shape"),
        (json.dumps([record(0, 40, LOGITS[0])]), "outside 1-5"),
        (json.dumps([record(0, 4, None)]), "got none"),
    ],
)
def test_other_files_are_refused(tmp_path, content, message):
    path = tmp_path / "results.json"
    path.write_text(content)
    with pytest.raises(LagerError, match=message):
        import_release(path, cache=tmp_path / "cache", model="judge")
    assert not (tmp_path / "cache").exists()


def test_an_existing_folder_is_left_alone(tmp_path):
    path = tmp_path / "results.json"
    path.write_text(json.dumps(RECORDS))
    with pytest.raises(LagerError, match="exists already"):
        import_release(path, cache=tmp_path, model="judge")


@pytest.mark.shared
def test_the_released_fixture_is_imported_whole(shared, tmp_path):
    cache = import_release(shared / "reference" / "release-parity" / "p_test.json.gz", cache=tmp_path / "c", model="m")
    assert (cache.n_items, int(cache.valid.sum()), cache.n_layers) == (300, 298, 8)


def test_lists_of_raters_keep_their_places(tmp_path):
    path = tmp_path / "results.json"
    path.write_text(json.dumps([record(0, [4, None, 2], LOGITS[0]), record(1, [1, 2, 3], LOGITS[1])]))
    cache = import_release(path, cache=tmp_path / "cache", model="judge")
    np.testing.assert_array_equal(cache.raters.scores, [[4, np.nan, 2], [1, 2, 3]])
    assert cache.raters.names == ("#1", "#2", "#3")
