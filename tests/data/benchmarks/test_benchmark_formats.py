"""Benchmarks whose data cannot be bundled, read from small files in their published formats, field by field."""

import gzip
import http.server
import json
import random
import sys
import threading
from dataclasses import replace
from functools import partial

import polars as pl
import pytest
from lager.data.benchmarks import load
from lager.data.benchmarks.registry import BENCHMARKS
from lager.data.benchmarks.rows import Row, one_cluster_a_text
from lager.data.benchmarks.source import fetch
from lager.data.errors import LagerError
from lager.data.open_items import load_items
from support.published import (
    biggen_records,
    flask_records,
    graded_set,
    helpsteer_records,
    judgebench_records,
    llmbar_records,
    write_json,
    write_jsonl,
)

HELPSTEER_ATTRIBUTES = ("helpfulness", "correctness", "coherence", "complexity", "verbosity")


def by_id(items):
    """Fields and table row of each item."""
    rows = items.table.to_dicts()
    return {item_id: (fields, row) for item_id, fields, row in zip(items.item_id, items.fields, rows, strict=True)}


def test_flask_is_cut_out_of_the_prompts_of_prometheus(tmp_path):
    path = write_json(tmp_path / "flask_eval.json", flask_records())
    items = load_items(f"benchmark:flask={tmp_path}")
    assert len(items) == 12
    assert str(items.scale) == "1-5"
    fields, row = by_id(items)["r3"]
    assert fields == {
        "instruction": "Task 1",
        "response": "vicuna writes\n### 1",
        "reference": "Answer 1",
        "rubric": "[Is it right?]\nScore 1: none.\nScore 2: little.\nScore 3: some.\nScore 4: much.\nScore 5: all.",
    }
    record = json.loads(path.read_text())[3]
    assert row["scores"] == record["human_score"]
    assert (row["group"], row["cluster"], row["system"]) == ("logical_correctness", "q1", "vicuna")


def test_flask_with_its_sections_as_columns_gives_the_same_items(tmp_path):
    records = flask_records()
    whole = load_items(f"benchmark:flask={write_json(tmp_path / 'flask_eval.json', records)}")
    names = {"instruction": "query", "response": "response", "reference": "reference_answer", "rubric": "rubric"}
    in_order = {item_id: fields for item_id, fields in zip(whole.item_id, whole.fields, strict=True)}
    table = [
        {names[field]: text for field, text in in_order[f"r{n}"].items()} | {"human_score": record["human_score"]}
        for n, record in enumerate(records)
    ]
    pl.DataFrame(table).write_parquet(tmp_path / "test-00000-of-00001.parquet")
    columns = load_items(f"benchmark:flask={tmp_path / 'test-00000-of-00001.parquet'}")
    assert (columns.item_id, columns.fields) == (whole.item_id, whole.fields)
    assert columns.table["scores"].equals(whole.table["scores"])
    assert columns.table["group"].unique(maintain_order=True).to_list() == ["Is it right?", "Is it clear?"]


def test_flask_items_of_one_response_follow_each_other(tmp_path):
    write_json(tmp_path / "flask_eval.json", flask_records())
    items = load_items(f"benchmark:flask={tmp_path}")
    responses = [fields["response"] for fields in items.fields]
    assert responses[::2] == responses[1::2]
    assert items.table["cluster"].to_list() == ["q0"] * 4 + ["q1"] * 4 + ["q2"] * 4


def test_a_flask_record_without_a_section_is_named(tmp_path):
    records = flask_records()
    records[1]["instruction"] = records[1]["instruction"].replace("###Score Rubrics:", "")
    path = write_json(tmp_path / "flask_eval.json", records)
    with pytest.raises(LagerError, match=r"record 2: no section '###Score Rubrics:'"):
        load_items(f"benchmark:flask={path}")


def test_helpsteer_labels_are_shifted_and_prompts_are_clusters(tmp_path):
    write_jsonl(tmp_path / "validation.jsonl", helpsteer_records(4))
    items = load_items(f"benchmark:helpsteer={tmp_path}")
    assert len(items) == 20
    fields, row = by_id(items)["3/correctness"]
    assert (fields["instruction"], fields["response"], fields["criterion"]) == ("Prompt 1", "Response 3", "correctness")
    assert fields["rubric"].startswith("the response")
    assert row["scores"] == [helpsteer_records(4)[3]["correctness"] + 1]
    assert (row["group"], row["cluster"]) == ("correctness", "p1")


def test_helpsteer_is_split_as_in_the_paper(tmp_path):
    path = tmp_path / "validation.jsonl.gz"
    with gzip.open(path, "wt") as file:
        file.writelines(json.dumps(row) + "\n" for row in helpsteer_records(620))
    everything, test, tune = (set(load_items(f"benchmark:helpsteer={path}{p}").item_id) for p in ("", "#test", "#tune"))
    assert (len(everything), len(test), len(tune)) == (3100, 2000, 1000)
    assert test == {f"{place}/{name}" for place in range(400) for name in HELPSTEER_ATTRIBUTES}
    published = [f"{place}/{name}" for place in range(620) for name in HELPSTEER_ATTRIBUTES]
    assert tune == {published[i] for i in random.Random(42).sample(range(2000, 3100), 1000)}
    assert not test & tune


def test_helpsteer_without_enough_items_to_tune_on_says_what_is_expected(tmp_path):
    path = write_jsonl(tmp_path / "validation.jsonl", helpsteer_records(10))
    with pytest.raises(LagerError, match=r"has 50 items.*validation split"):
        load_items(f"benchmark:helpsteer={path}#tune")
    path.write_text(json.dumps(helpsteer_records(1)[0] | {"coherence": 5}) + "\n")
    with pytest.raises(LagerError, match="row 1: coherence is 5, expected 0 to 4"):
        load_items(f"benchmark:helpsteer={path}")


def test_helpsteer2_conversations_are_readable(tmp_path):
    record = helpsteer_records(1)[0] | {
        "prompt": "Hello<extra_id_1>Assistant\nHi!\n<extra_id_1>User\nTell me more",
    }
    path = write_jsonl(tmp_path / "validation.jsonl", [record])
    items = load_items(f"benchmark:helpsteer2={path}")
    assert items.fields[0]["instruction"] == "User: Hello\n\nAssistant: Hi!\n\nUser: Tell me more"


@pytest.mark.parametrize("as_text", [False, True], ids=["object", "JSON text"])
def test_biggen_has_the_rubric_of_each_instance(tmp_path, as_text):
    records = biggen_records()
    if as_text:
        records = [record | {"score_rubric": json.dumps(record["score_rubric"])} for record in records]
    pl.DataFrame(records).write_parquet(tmp_path / "human_eval-00000-of-00001.parquet")
    items = load_items(f"benchmark:biggen={tmp_path}")
    assert len(items) == 6
    fields, row = by_id(items)["planning_travel_1/m2"]
    assert fields["instruction"] == "Be brief.\n\nPlan trip 1"
    assert (fields["response"], fields["reference"]) == ("m2 plans 1", "Reference 1")
    assert fields["rubric"].splitlines()[:2] == ["Is the plan sound?", "Score 1: means 1"]
    assert row["scores"] == [float(records[4]["human_score"])]
    assert (row["group"], row["task"], row["cluster"], row["system"]) == (
        "reasoning", "task1", "planning_travel_1", "m2",
    )  # fmt: skip
    assert items.item_id[:2] == ("planning_travel_0/m1", "planning_travel_0/m2")


def test_biggen_without_a_rubric_is_refused_with_its_row(tmp_path):
    records = biggen_records()
    records[1]["score_rubric"] = {"criteria": "only this"}
    path = write_jsonl(tmp_path / "human_eval.jsonl", records)
    with pytest.raises(LagerError, match=r"row 2: score_rubric is not an object"):
        load_items(f"benchmark:biggen={path}")


def test_any_graded_set_of_judge_bench_is_read_and_the_rest_left_out(tmp_path):
    path = write_json(tmp_path / "set.json", graded_set())
    items = load_items(f"benchmark:judge-bench={path}")
    assert items.item_id == ("1/grammar", "1/flow", "2/grammar", "2/flow")
    assert str(items.scale) == "1-7"
    fields, row = by_id(items)["2/grammar"]
    assert fields == {"response": "Text 2", "criterion": "grammar", "rubric": "Rate it."}
    assert (row["scores"], row["group"], row["cluster"]) == ([1.0, 3.0], "grammar", "2")
    assert load_items(f"benchmark:judge-bench={path}#flow").item_id == ("1/flow", "2/flow")
    with pytest.raises(LagerError, match=r"no graded criterion 'rude': it has grammar, flow"):
        load_items(f"benchmark:judge-bench={path}#rude")


def test_an_instance_of_several_parts_is_judged_by_its_response_on_its_context(tmp_path):
    document = graded_set()
    document["annotations"][0]["prompt"] = (
        "Is it dull?\nA score of 1 means dull.\nFact: {{ fact }}\nResponse: {{ response }}"
    )
    for n, instance in enumerate(document["instances"]):
        instance["instance"] = {"context": "Hello?", "fact": "Tea is hot.", "response": f"Answer {n}", "reference": ""}
    path = write_json(tmp_path / "topical.json", document)
    items = load_items(f"benchmark:judge-bench={path}")
    assert items.fields[0] == {
        "source": "context: Hello?\n\nfact: Tea is hot.",
        "response": "Answer 0",
        "criterion": "grammar",
        "rubric": "Is it dull?\nA score of 1 means dull.",
    }
    assert items.table["cluster"].to_list() == ["1"] * 4
    document["instances"][1]["instance"] = {"query": "?"}
    write_json(path, document)
    with pytest.raises(
        LagerError, match=r"instance 2: expected a text, or an object with response, translation or summ"
    ):
        load_items(f"benchmark:judge-bench={path}")


@pytest.mark.parametrize(
    ("form", "instruction"),
    [
        ("### Generated Summary\n\n{response}\n\n### Source Article\n\n{source}", None),
        (
            "Judge it.\n\nCONTEXT:\n{source}\n\nGENERATED RESPONSE:\n{response}\nJudge the generated response:\n",
            "Judge it.",
        ),
    ],
)
def test_a_text_that_holds_its_source_is_split_and_the_source_is_the_cluster(tmp_path, form, instruction):
    document = graded_set()
    for n, instance in enumerate(document["instances"]):
        instance["instance"] = form.format(response=f"Short {n}.", source="It was\n\na long day.")
    items = load_items(f"benchmark:judge-bench={write_json(tmp_path / 'set.json', document)}")
    assert [fields["response"] for fields in items.fields] == ["Short 0.", "Short 0.", "Short 1.", "Short 1."]
    assert {(fields["source"], fields.get("instruction")) for fields in items.fields} == {
        ("It was\n\na long day.", instruction)
    }
    assert items.table["cluster"].n_unique() == 1


def test_a_graded_set_whose_best_is_its_lowest_number_is_mirrored(tmp_path):
    path = write_json(tmp_path / "set.json", graded_set(worst=7, best=1))
    items = load_items(f"benchmark:judge-bench={path}#grammar")
    assert items.table["scores"][0].to_list() == [7.0, 5.0]
    assert str(items.scale) == "1-7"


def test_graded_criteria_of_several_ranges_have_to_be_chosen_from(tmp_path):
    document = graded_set()
    document["annotations"][2]["best"] = 3
    path = write_json(tmp_path / "set.json", document)
    with pytest.raises(LagerError, match=r"grammar 1-7, flow 1-3.*#grammar"):
        load_items(f"benchmark:judge-bench={path}")
    assert len(load_items(f"benchmark:judge-bench={path}#grammar")) == 2
    write_json(path, graded_set(annotations=document["annotations"][1:2]))
    with pytest.raises(LagerError, match="no graded criterion"):
        load_items(f"benchmark:judge-bench={path}")


def test_judgebench_pairs_are_two_items_of_one_response_each(tmp_path):
    path = write_jsonl(tmp_path / "dataset=judgebench,response_model=gpt.jsonl", judgebench_records())
    items = load_items(f"benchmark:judgebench={path}")
    assert items.item_id[:2] == ("pair0/A", "pair0/B")
    fields, row = by_id(items)["pair1/B"]
    assert (fields["instruction"], fields["response"]) == ("Question 1", "B says 1")
    assert {name: row[name] for name in ("pair", "side", "preferred", "collection", "group", "cluster", "system")} == {
        "pair": "pair1", "side": "B", "preferred": "A", "collection": "livebench-math", "group": "math",
        "cluster": "pair1", "system": "gpt-4o-2024-05-13",
    }  # fmt: skip
    assert row["scores"] == []
    assert items.table["group"].to_list()[::2] == ["knowledge", "math", "reasoning", "coding"]


def test_pairs_about_one_question_are_one_cluster_in_whichever_file_they_are(tmp_path):
    records = judgebench_records()
    write_jsonl(tmp_path / "dataset=judgebench,response_model=a.jsonl", records)
    others = [{**record, "pair_id": f"other{n}", "response_model": "b"} for n, record in enumerate(records[:2])]
    write_jsonl(tmp_path / "dataset=judgebench,response_model=b.jsonl", others)
    table = load_items(f"benchmark:judgebench={tmp_path}").table
    assert (table["pair"].n_unique(), table["cluster"].n_unique()) == (6, 4)
    assert set(table.filter(table["pair"] == "other1")["cluster"]) == {"pair1"}


def test_pairs_in_both_orders_show_each_response_first_once(tmp_path):
    path = write_jsonl(tmp_path / "dataset=judgebench,response_model=gpt.jsonl", judgebench_records(2))
    items = load_items(f"benchmark:judgebench={path}#orders")
    found = by_id(items)
    assert [found[i][0]["first"] for i in ("pair1/A", "pair1/B")] == ["A says 1", "B says 1"]
    assert [found[i][0]["second"] for i in ("pair1/A", "pair1/B")] == ["B says 1", "A says 1"]
    assert [found[i][1]["scores"] for i in items.item_id] == [[0.0], [1.0], [1.0], [0.0]]
    assert (str(items.scale), items.template) == ("A=1,B=0", "pairwise")


def test_a_label_that_is_none_is_refused_with_its_row(tmp_path):
    path = write_jsonl(tmp_path / "x.jsonl", [*judgebench_records(1), judgebench_records(2)[1] | {"label": "B"}])
    with pytest.raises(LagerError, match="row 2: label is 'B', expected A>B or B>A"):
        load_items(f"benchmark:judgebench={path}")


def test_llmbar_subsets_are_folders(tmp_path):
    for subset in ("Natural", "Adversarial/Neighbor"):
        write_json(tmp_path / "Dataset" / "LLMBar" / subset / "dataset.json", llmbar_records())
    write_json(tmp_path / "Dataset" / "CaseStudy" / "Base-9" / "dataset.json", llmbar_records())
    items = load_items(f"benchmark:llmbar={tmp_path}")
    assert items.table["group"].unique(maintain_order=True).to_list() == ["Adversarial/Neighbor", "Natural"]
    fields, row = by_id(items)["Natural/1/B"]
    assert (fields["instruction"], fields["response"]) == ("Do 1", "two 1")
    assert (row["pair"], row["side"], row["preferred"]) == ("Natural/1", "B", "B")
    alone = load_items(f"benchmark:llmbar={tmp_path / 'Dataset' / 'LLMBar' / 'Natural' / 'dataset.json'}#orders")
    assert alone.item_id == ("Natural/0/A", "Natural/0/B", "Natural/1/A", "Natural/1/B")


@pytest.mark.parametrize("name", [name for name in BENCHMARKS if name not in ("judge-bench",)])
def test_a_file_of_another_kind_is_a_clear_error(tmp_path, name):
    suffix = "jsonl" if name in ("summeval", "hanna", "helpsteer", "helpsteer2", "judgebench") else "json"
    path = tmp_path / f"x.{suffix}"
    for text in ('{"a": 1}\n', "[]\n", "not JSON\n", '[{"a": 1}]\n'):
        path.write_text(text)
        with pytest.raises(LagerError, match=str(path)):
            load_items(f"benchmark:{name}={path}")


class Served(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def address(tmp_path, monkeypatch):
    """A web server of a folder, and a cache of `datasets` of its own."""
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "DOWNLOADED_DATASETS_PATH", tmp_path / "downloads")
    folder = tmp_path / "published"
    folder.mkdir()
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), partial(Served, directory=folder))
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield folder, f"http://127.0.0.1:{server.server_port}"
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.slow
def test_without_a_path_the_published_file_is_fetched_once(address, monkeypatch):
    folder, url = address
    write_json(
        folder / "SelfAware.json", {"example": [{"question_id": 7, "question": "?", "answerable": True, "source": "s"}]}
    )
    known = dict(BENCHMARKS)
    known["selfaware"] = replace(known["selfaware"], urls=(("SelfAware.json", f"{url}/SelfAware.json"),))
    monkeypatch.setattr(load, "BENCHMARKS", known)
    items = load_items("benchmark:selfaware")
    assert (items.item_id, items.source["file"]) == (("7",), f"{url}/SelfAware.json")
    with pytest.raises(LagerError, match=r"cannot fetch .*none.json .*or get the file yourself"):
        fetch(f"{url}/none.json", name="none.json", benchmark="selfaware")


def test_without_datasets_a_benchmark_without_a_path_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "datasets", None)
    with pytest.raises(LagerError, match=r"pip install 'lager\[benchmarks\]', or get the file yourself"):
        load_items("benchmark:flask")
    with pytest.raises(LagerError, match="judge-bench is not fetched: give its file"):
        load_items("benchmark:judge-bench")


def test_texts_that_come_again_join_clusters_whatever_their_ids():
    rows = [
        Row(f"i{n}", {"source": text, "other": str(n)}, [], cluster=cluster)
        for n, (text, cluster) in enumerate(
            [("a", "1"), ("b", "2"), ("c", "3"), ("b ", "3"), ("d", None), ("e", None), ("d", None), ("a", "4")]
        )
    ]
    clusters = [row.cluster for row in one_cluster_a_text(rows, fields=("source",))]
    assert clusters == ["1", "2", "2", "2", "i4", None, "i4", "1"]
    apart = one_cluster_a_text(rows, fields=("source", "other"))
    assert [row.cluster for row in apart] == ["1", "2", "3", "3", None, None, None, "4"]
