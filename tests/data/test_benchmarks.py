import json

import numpy as np
import pytest
from lager.data.errors import LagerError
from lager.data.items import load_items


@pytest.mark.shared
def test_summeval_is_one_item_per_summary_and_criterion(shared):
    path = shared / "data" / "summeval.jsonl"
    items = load_items(f"benchmark:summeval={path}")
    assert len(items) == 6400
    assert items.table["cluster"].n_unique() == 100
    assert items.table["system"].n_unique() == 16
    first = json.loads(path.read_text().splitlines()[0])
    by_id = dict(zip(items.item_id, items.table["scores"].to_list(), strict=True))
    assert by_id["A0/S0/fluency"] == [first["fluency"]]
    assert items.fields[0]["source"] == first["article"]
    assert items.fields[0]["response"] == first["summary"]


@pytest.mark.shared
def test_hanna_shares_the_writing_prompt_among_its_stories(shared):
    items = load_items(f"benchmark:hanna={shared / 'data' / 'hanna.jsonl'}")
    assert (len(items), items.table["cluster"].n_unique(), items.table["group"].n_unique()) == (6336, 96, 6)
    assert str(items.scale) == "1-5"


@pytest.mark.shared
def test_recipe_keeps_every_rater_and_its_own_scale(shared):
    path = shared / "data" / "recipe.json"
    items = load_items(f"benchmark:recipe={path}")
    counts = items.table["scores"].list.len()
    assert (len(items), counts.min(), counts.max(), str(items.scale)) == (312, 15, 88, "1-6")
    instance = json.loads(path.read_text())["instances"][0]
    mean = np.mean(items.table["scores"][0].to_list())
    assert mean == pytest.approx(instance["annotations"]["grammar"]["mean_human"], abs=1e-3)
    assert items.table["cluster"][0] == "baked_ziti_5"
    assert items.table["system"][0] == "dependency"
    assert items.fields[0]["rubric"] == "The recipe text is grammatically correct."


def test_texts_about_one_source_are_side_by_side_and_errors_keep_the_row_of_the_file(tmp_path):
    criteria = dict.fromkeys(("coherence", "fluency", "consistency", "relevance"), 3)
    rows = [
        {"article_id": article, "summary_id": f"S{n}", "article": article, "summary": f"s{n}", **criteria}
        for n in range(3)
        for article in ("A1", "A0")
    ]
    path = tmp_path / "summeval.jsonl"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    items = load_items(f"benchmark:summeval={path}")
    texts = [item_id.rsplit("/", 1)[0] for item_id in items.item_id[::4]]
    assert texts == ["A1/S0", "A1/S1", "A1/S2", "A0/S0", "A0/S1", "A0/S2"]
    rows[1]["fluency"] = "good"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(LagerError, match="row 2: fluency is 'good'"):
        load_items(f"benchmark:summeval={path}")


def test_an_unknown_benchmark_lists_the_known_ones(tmp_path):
    for spec in ("benchmark:nonesuch=x.jsonl", "benchmark:summeval"):
        with pytest.raises(LagerError, match="summeval, hanna, recipe"):
            load_items(spec)


def test_a_benchmark_file_in_another_format_is_refused_with_its_place(tmp_path):
    path = tmp_path / "summeval.jsonl"
    path.write_text('{"article_id": "A0", "summary_id": "S0", "article": "x", "summary": "y", "coherence": 1}\n')
    with pytest.raises(LagerError, match="row 1: no column 'fluency'"):
        load_items(f"benchmark:summeval={path}")
    recipe = tmp_path / "recipe.json"
    recipe.write_text('{"instances": []}')
    with pytest.raises(LagerError, match="JUDGE-BENCH"):
        load_items(f"benchmark:recipe={recipe}")
    with pytest.raises(LagerError, match="declares its own"):
        load_items(f"benchmark:recipe={recipe}", cluster="id")
