import json

import numpy as np
import pytest
from lager.data.errors import LagerError
from lager.data.open_items import load_items


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
    for spec in ("benchmark:nonesuch=x.jsonl", "benchmark:nonesuch", "benchmark:summeval="):
        with pytest.raises(LagerError, match="summeval, hanna, recipe"):
            load_items(spec)


def test_a_part_that_a_benchmark_does_not_have_is_refused_with_those_it_has(tmp_path):
    with pytest.raises(LagerError, match=r"no part 'train'.*#test \(the first 2,000 items"):
        load_items(f"benchmark:helpsteer={tmp_path}#train")
    with pytest.raises(LagerError, match="no part 'x': it has none"):
        load_items(f"benchmark:hanna={tmp_path}#x")


def test_a_path_may_hold_a_hash_sign_and_an_equals_sign(tmp_path):
    folder = tmp_path / "a=b#test"
    folder.mkdir()
    criteria = dict.fromkeys(("coherence", "fluency", "consistency", "relevance"), 3)
    row = {"article_id": "A0", "summary_id": "S0", "article": "x", "summary": "y", **criteria}
    (folder / "summeval.jsonl").write_text(json.dumps(row) + "\n")
    assert len(load_items(f"benchmark:summeval={folder}")) == 4
    assert len(load_items(f"benchmark:summeval={folder / 'summeval.jsonl'}")) == 4


def test_a_folder_without_the_files_lists_them(tmp_path):
    with pytest.raises(LagerError, match=r"none of its files \(SelfAware.json, data/SelfAware.json\)"):
        load_items(f"benchmark:selfaware={tmp_path}")
    with pytest.raises(LagerError, match="does not exist"):
        load_items(f"benchmark:selfaware={tmp_path / 'none'}")


def test_a_pointer_of_git_lfs_is_told_from_data(tmp_path):
    path = tmp_path / "flask_eval.json"
    path.write_text("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 8395271\n")
    with pytest.raises(LagerError, match="git lfs pull"):
        load_items(f"benchmark:flask={path}")


@pytest.mark.shared
def test_eqbench_is_one_item_per_question_and_emotion_on_either_scale(shared):
    path = shared / "data" / "eq_bench_v2_questions_171.json"
    items = load_items(f"benchmark:eqbench={path}")
    own = load_items(f"benchmark:eqbench={path}#0-10")
    assert (len(items), items.table["cluster"].n_unique(), str(items.scale), str(own.scale)) == (
        684,
        171,
        "1-9",
        "0-10",
    )
    questions = json.loads(path.read_text())
    reference = {
        f"{number}/{answer[f'emotion{n}']}": float(answer[f"emotion{n}_score"])
        for number, answer in ((k, v["reference_answer_fullscale"]) for k, v in questions.items())
        for n in range(1, 5)
    }
    for scored, low, step in ((items, 1, 0.8), (own, 0, 1)):
        found = {i: s for i, (s,) in zip(scored.item_id, scored.table["scores"].to_list(), strict=True)}
        assert found == pytest.approx({i: low + step * score for i, score in reference.items()})
    assert items.template == "emotion"
    for fields, item_id in zip(items.fields, items.item_id, strict=True):
        prompt = questions[item_id.partition("/")[0]]["prompt"]
        assert fields["source"] in prompt
        assert fields["question"].startswith("At ")
        assert "0-10" not in fields["source"] + fields["question"]


@pytest.mark.shared
def test_selfaware_scores_what_cannot_be_answered_high(shared):
    items = load_items(f"benchmark:selfaware={shared / 'data' / 'SelfAware.json'}")
    scores = items.table["scores"].explode(empty_as_null=True)
    assert (len(items), scores.eq(9).sum(), scores.eq(1).sum()) == (3369, 1032, 2337)
    assert set(items.table["collection"].filter(scores.eq(9))) == {"SelfAware"}
    assert items.template == "self-knowledge"


@pytest.mark.shared
def test_alpaca_records_are_asked_about_under_seven_aspects(shared):
    path = shared / "data" / "alpaca_sample_1000.json"
    items = load_items(f"benchmark:alpaca={path}")
    assert (len(items), items.table["group"].n_unique(), str(items.scale)) == (7000, 7, "1-9")
    assert items.item_id[:2] == ("0/accuracy", "0/logical consistency")
    record = json.loads(path.read_text())[999]
    assert items.fields[-1]["response"] == record["output"]
    assert len(load_items(f"benchmark:alpaca={path}#accuracy,diversity")) == 2000
    with pytest.raises(LagerError, match="unknown aspect 'beauty'"):
        load_items(f"benchmark:alpaca={path}#beauty")


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


@pytest.mark.shared
@pytest.mark.parametrize(
    ("spec", "names", "n"),
    [
        ("summeval={}/summeval.jsonl", ["source"], 100),
        ("hanna={}/hanna.jsonl", ["source"], 96),
        ("eqbench={}/eq_bench_v2_questions_171.json", ["source"], 171),
        ("alpaca={}/alpaca_sample_1000.json", ["instruction", "source"], 1000),
    ],
)
def test_there_are_as_many_clusters_as_source_texts(shared, spec, names, n):
    items = load_items("benchmark:" + spec.format(shared / "data"))
    texts = [tuple(fields.get(name) for name in names) for fields in items.fields]
    assert (len(set(texts)), items.table["cluster"].n_unique()) == (n, n)


@pytest.mark.shared
def test_summeval_takes_each_expert_from_the_file_beside_it(shared):
    items = load_items(f"benchmark:summeval={shared / 'data' / 'summeval.jsonl'}#raters")
    assert items.table["rated_by"].to_list() == [["e0", "e1", "e2"]] * 6400
    assert items.table["scores"][0].to_list() == [2, 1, 1]


def test_experts_of_other_items_than_the_means_are_refused(tmp_path):
    criteria = dict.fromkeys(("coherence", "fluency", "consistency", "relevance"), 3)
    path, raters = tmp_path / "summeval.jsonl", tmp_path / "summeval-raters.jsonl"
    row = {"article_id": "A0", "summary_id": "S0"}
    path.write_text(json.dumps(row | {"article": "text", "summary": "short"} | criteria) + "\n")
    with pytest.raises(LagerError, match=r"does not exist; put it beside summeval\.jsonl"):
        load_items(f"benchmark:summeval={path}#raters")

    def experts(scores):
        raters.write_text("".join(json.dumps(row | {"criterion": name, "scores": scores}) + "\n" for name in criteria))
        return load_items(f"benchmark:summeval={path}#raters").table

    assert experts([2, 3, 4])["rated_by"].to_list() == [["e0", "e1", "e2"]] * 4
    with pytest.raises(LagerError, match=r"its mean is \[3\.0\]: give the right file"):
        experts([3, 3, 4])
    with pytest.raises(LagerError, match="row 1: 2 scores, expected 3"):
        experts([3, 3])
