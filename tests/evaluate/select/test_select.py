import json
import random

import polars as pl
import pytest
from lager.cli import main
from lager.data.errors import LagerError
from lager.data.items.small_files import read_rows
from lager.data.templates.aspects import ASPECTS
from lager.evaluate.select import choose
from lager.evaluate.select.records import Record, read_scored_records
from support.published import write_jsonl
from support.schemas import check_output


def run(*arguments):
    with pytest.raises(SystemExit) as stopped:
        main(["select", *map(str, arguments)])
    return stopped.value.code or 0


@pytest.fixture
def scores(tmp_path):
    """Twenty records with scores 0.00 to 0.95, of two topics."""
    rows = [{"id": f"r{n}", "score": n / 20, "topic": "abc"[n % 3], "text": f"Text number {n}"} for n in range(20)]
    random.Random(0).shuffle(rows)
    return write_jsonl(tmp_path / "scores.jsonl", rows)


@pytest.mark.parametrize(
    ("limits", "expected"),
    [
        (["--top", "10%"], ["r19", "r18"]),
        (["--top", "0.11"], ["r19", "r18", "r17"]),
        (["--count", "3"], ["r19", "r18", "r17"]),
        (["--threshold", "0.9"], ["r19", "r18"]),
        (["--threshold", "0.9", "--count", "1"], ["r19"]),
        (["--quota", "topic:1"], ["r19", "r18", "r17"]),
        (["--count", "4", "--quota", "topic:1"], ["r19", "r18", "r17"]),
        (["--top", "20%", "--quota", "topic"], ["r19", "r18", "r17", "r16"]),
    ],
    ids=lambda value: " ".join(value) if value[0].startswith("--") else "",
)
def test_the_best_records_are_taken_best_first(tmp_path, scores, limits, expected):
    assert run(scores, *limits, "--out", tmp_path / "out.jsonl") == 0
    rows = read_rows(tmp_path / "out.jsonl")
    assert [row["id"] for row in rows] == expected
    assert [row["selection_rank"] for row in rows] == list(range(1, len(rows) + 1))
    assert rows[0]["topic"] == "b"


def test_a_quota_without_a_number_shares_out_evenly(tmp_path):
    rows = [{"id": n, "score": n, "group": "big" if n > 3 else "small"} for n in range(12)]
    records = read_scored_records(write_jsonl(tmp_path / "s.jsonl", rows)).records
    choice = choose(records, count=6, quota="group")
    assert [record.record_id for record in choice.chosen] == ["11", "10", "9", "3", "2", "1"]
    assert choice.over_quota == 5


def test_a_record_without_the_column_is_a_group_by_itself(tmp_path):
    rows = [{"id": 0, "score": 3, "topic": "a"}, {"id": 1, "score": 2}, {"id": 2, "score": 1, "topic": None}]
    records = read_scored_records(write_jsonl(tmp_path / "s.jsonl", rows)).records
    assert [record.record_id for record in choose(records, quota="topic", per_group=1).chosen] == ["0", "1"]


def test_a_quota_counts_values_and_not_how_they_are_printed(tmp_path):
    topics = ["a", float("nan"), None, float("nan"), True]
    records = [Record(str(n), 9 - n, {"topic": topic}) for n, topic in enumerate(topics)]
    chosen = choose(records, quota="topic", per_group=1).chosen
    assert [record.record_id for record in chosen] == ["0", "1", "4"]  # what has no topic is one group
    with pytest.raises(LagerError, match="record '5': topic is a list, expected text or a number"):
        choose([*records, Record("5", 1, {"topic": ["a"]})], quota="topic", per_group=1)


def test_a_near_duplicate_gives_its_place_to_the_next_best(tmp_path):
    texts = ["Name three primary colours for me.", "name three primary colours for me", "Write a poem.", "Add 2 and 2."]
    rows = [{"id": n, "score": 4 - n, "text": text} for n, text in enumerate(texts)]
    records = read_scored_records(write_jsonl(tmp_path / "s.jsonl", rows)).records
    choice = choose(records, count=3, dedupe=["text"])
    assert [record.record_id for record in choice.chosen] == ["0", "2", "3"]
    assert choice.duplicates == 1


def test_records_under_several_criteria_are_selected_by_their_mean(tmp_path):
    rows = [{"id": f"{n}/{one}", "score": n + k} for n in range(3) for k, one in enumerate(("a", "b/c", "d"))]
    rows = [row | {"id": row["id"].replace("b/c", "b")} for row in rows]
    rows[4]["score"] = None
    items = write_jsonl(tmp_path / "items.jsonl", [{"instruction": f"Do {n}"} for n in range(4)])
    read = read_scored_records(write_jsonl(tmp_path / "s.jsonl", rows), items=items, average=True)
    assert [(record.record_id, record.score, record.row["instruction"]) for record in read.records] == [
        ("0", 1.0, "Do 0"),
        ("2", 3.0, "Do 2"),
    ]
    assert read.unscored == ["1", "3"]


@pytest.mark.shared
@pytest.mark.parametrize("suffix", ["json", "jsonl", "csv", "parquet"])
def test_the_best_tenth_of_alpaca_keeps_its_columns_in_every_format(tmp_path, shared, suffix):
    source = shared / "data" / "alpaca_sample_1000.json"
    records = json.loads(source.read_text())
    rng = random.Random(1)
    scores = [{"id": f"{n}/{aspect}", "score": rng.uniform(1, 9)} for n in range(1000) for aspect in ASPECTS]
    path, out = write_jsonl(tmp_path / "scores.jsonl", scores), tmp_path / f"best.{suffix}"
    assert (
        run(path, "--items", source, "--average", "--top", "10%", "--dedupe", "instruction,output", "--out", out) == 0
    )
    chosen = pl.read_csv(out).to_dicts() if suffix == "csv" else read_rows(out)
    assert len(chosen) == 100
    for row in chosen:
        record = records[int(row["id"])]
        assert all((row[name] or "") == record[name] for name in ("instruction", "input", "output"))
    mean = [sum(row["score"] for row in scores[7 * n : 7 * n + 7]) / 7 for n in range(1000)]
    assert [int(row["id"]) for row in chosen] == sorted(range(1000), key=lambda n: -mean[n])[:100]


@pytest.mark.shared
def test_planted_near_duplicates_are_passed_over_in_alpaca(tmp_path, shared):
    records = json.loads((shared / "data" / "alpaca_sample_1000.json").read_text())
    twins = [record | {"output": record["output"] + " Indeed."} for record in records if len(record["output"]) > 200]
    rows = [{"id": n, "score": -n, **record} for n, record in enumerate([*records, *twins])]
    read = read_scored_records(write_jsonl(tmp_path / "s.jsonl", rows)).records
    choice = choose(read, top=1.0, dedupe=["instruction", "output"])
    assert choice.duplicates >= len(twins) > 300
    assert {record.record_id for record in choice.chosen} <= {str(n) for n in range(1000)}
    assert len(choice.chosen) > 980


def test_what_was_done_is_told_as_json(tmp_path, scores, capsys):
    assert run(scores, "--count", 2, "--out", tmp_path / "out.csv", "--json") == 0
    summary = check_output("select", capsys.readouterr().out)
    assert (summary["records"], summary["selected"], summary["lowest_score"]) == (20, 2, 0.9)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "nothing says which records to take"),
        (["--top", "10"], "expected a share such as 10%"),
        (["--top", "10%", "--count", "5"], "give one of them"),
        (["--count", "0"], "expected at least 1"),
        (["--threshold", "2"], "the best score is 0.95"),
        (["--count", "2", "--quota", "topic:x"], "expected COLUMN or COLUMN:N"),
        (["--threshold", "0.5", "--quota", "topic"], "shares out what --top or --count takes"),
        (["--count", "2", "--quota", "colour"], "no record has a column 'colour': they have id, score, topic, text"),
        (["--count", "2", "--dedupe", "text", "--similarity", "0"], "--similarity 0: expected a share"),
        (["--count", "2", "--column", "rating"], "no column 'rating'"),
        (["--count", "2", "--average"], "is not RECORD/CRITERION"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else "",
)
def test_limits_that_make_no_sense_are_refused(tmp_path, scores, capsys, arguments, message):
    assert run(scores, *arguments, "--out", tmp_path / "out.jsonl") == 1
    assert message in capsys.readouterr().err
    assert not (tmp_path / "out.jsonl").exists()


def test_an_output_is_neither_overwritten_nor_of_an_unknown_kind(tmp_path, scores, capsys):
    out = tmp_path / "out.jsonl"
    out.write_text("mine")
    assert run(scores, "--count", 1, "--out", out) == 1
    assert out.read_text() == "mine"
    assert run(scores, "--count", 1, "--out", tmp_path / "out.txt") == 1
    assert "ends in .jsonl" in capsys.readouterr().err


@pytest.mark.parametrize("name", ["instruction", "prompt_sha256", "group"])
def test_scores_of_other_records_under_the_same_row_numbers_are_refused(tmp_path, name):
    values = [f"value {n}" for n in range(5)]
    items = write_jsonl(tmp_path / "items.jsonl", [{name: one} for one in values])
    rows = [{"id": n, "score": n, name: one} for n, one in enumerate(values)]
    path = write_jsonl(tmp_path / "s.jsonl", rows)
    assert read_scored_records(path, items=items).notes == []
    for row in rows[:2]:
        row[name] = "another"
    with pytest.raises(LagerError, match=rf"2 of 5 scores are of other records .*'0' has {name} 'another' there"):
        read_scored_records(write_jsonl(path, rows), items=items)


def test_prompts_of_another_template_and_criteria_of_a_record_are_no_other_records(tmp_path):
    items = write_jsonl(tmp_path / "items.jsonl", [{"prompt_sha256": f"{n}", "group": "g"} for n in range(3)])
    path = write_jsonl(tmp_path / "s.jsonl", [{"id": n, "score": n, "prompt_sha256": f"x{n}"} for n in range(3)])
    assert len(read_scored_records(path, items=items).records) == 3
    write_jsonl(path, [{"id": f"{n}/a", "score": n, "group": "a", "prompt_sha256": f"{n}"} for n in range(3)])
    assert len(read_scored_records(path, items=items, average=True).records) == 3


def test_a_note_says_where_only_row_numbers_join(tmp_path, capsys):
    items = write_jsonl(tmp_path / "items.jsonl", [{"text": f"Text {n}"} for n in range(3)])
    path = write_jsonl(tmp_path / "s.jsonl", [{"id": n, "score": n} for n in range(3)])
    assert run(path, "--items", items, "--count", 1, "--out", tmp_path / "out.jsonl") == 0
    assert "joined by row numbers; nothing in s.jsonl says" in capsys.readouterr().err
    items = write_jsonl(tmp_path / "items.jsonl", [{"id": f"r{n}"} for n in range(3)])
    write_jsonl(path, [{"id": f"r{n}", "score": n} for n in range(3)])
    assert read_scored_records(path, items=items).notes == []


def test_scores_of_other_records_are_refused_with_a_hint(tmp_path):
    items = write_jsonl(tmp_path / "items.jsonl", [{"text": "a"}])
    path = write_jsonl(tmp_path / "s.jsonl", [{"id": "0/accuracy", "score": 1.0}])
    with pytest.raises(LagerError, match=r"1 of 1 ids are not in .*take --average"):
        read_scored_records(path, items=items)
    with pytest.raises(LagerError, match="none of the 1 records has a score"):
        read_scored_records(write_jsonl(path, [{"id": 0, "score": None}]))
