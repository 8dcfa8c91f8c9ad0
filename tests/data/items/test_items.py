import json

import polars as pl
import pytest
from lager.data.errors import LagerError
from lager.data.open_items import load_items
from lager.data.scale import Scale

ROWS = [
    {"id": "a", "response": "one", "score": [1, 2, 3], "aspect": "style", "set": "x", "text_id": 7},
    {"id": "b", "response": "two", "score": 4, "aspect": "facts", "set": "y", "text_id": 7},
    {"id": "c", "response": "three", "score": None, "aspect": "facts", "set": None, "text_id": 8},
]


def write_jsonl(path, rows):
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_annotators_are_kept_and_unlabelled_items_stay_unlabelled(tmp_path):
    items = load_items(write_jsonl(tmp_path / "items.jsonl", ROWS), group=["aspect"], cluster="text_id")
    assert items.item_id == ("a", "b", "c")
    assert items.table["scores"].to_list() == [[1, 2, 3], [4], []]
    assert items.table["group"].to_list() == ["style", "facts", "facts"]
    assert items.table["cluster"].to_list() == ["7", "7", "8"]
    assert items.fields[1]["response"] == "two"


def test_several_group_columns_are_joined_and_kept(tmp_path):
    items = load_items(write_jsonl(tmp_path / "items.jsonl", ROWS), group=["set", "aspect"])
    assert items.table["group"].to_list() == ["x / style", "y / facts", "(none) / facts"]
    assert items.table["aspect"].to_list() == ["style", "facts", "facts"]


def test_csv_and_parquet_give_the_same_items_as_jsonl(tmp_path):
    rows = [{"id": "a", "response": "one", "score": 2.5}, {"id": "b", "response": "two, with comma", "score": None}]
    expected = load_items(write_jsonl(tmp_path / "items.jsonl", rows))
    pl.DataFrame(rows).write_csv(tmp_path / "items.csv")
    pl.DataFrame(rows).write_parquet(tmp_path / "items.parquet")
    for name in ("items.csv", "items.parquet"):
        items = load_items(tmp_path / name)
        assert items.fields == expected.fields
        assert items.table.equals(expected.table)


def test_a_csv_cell_may_hold_a_list_of_annotators(tmp_path):
    (tmp_path / "items.csv").write_text('response,score\nhello,"[1, 2, 4]"\n')
    items = load_items(tmp_path / "items.csv")
    assert items.table["scores"].to_list() == [[1, 2, 4]]
    assert items.item_id == ("0",)


def test_messages_and_prompts_are_recognised(tmp_path):
    messages = [{"role": "user", "content": "Rate this."}]
    assert load_items(write_jsonl(tmp_path / "m.jsonl", [{"messages": messages}])).kind == "messages"
    assert load_items(write_jsonl(tmp_path / "p.jsonl", [{"prompt": "Rate this."}])).fields == (
        {"prompt": "Rate this."},
    )


def test_take_keeps_fields_and_table_aligned(tmp_path):
    items = load_items(write_jsonl(tmp_path / "items.jsonl", ROWS)).take([2, 0])
    assert items.item_id == ("c", "a") == tuple(items.table["item_id"])
    assert [f["response"] for f in items.fields] == ["three", "one"]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ("", "is empty"),
        ("\n\n", "is empty"),
        ('{"response": "x"}\n{"response": \n', "line 2: not valid JSON"),
        ('{"response": "x"}\n\n[1]\n', "line 3: got a list"),
        ('{"id": "a"}\n{"id": "b"}\n{"id": "a"}\n', r"1 rows repeat an id \('a'\)"),
        ('{"id": "a", "score": NaN}\n', "row 1: score is nan"),
        ('{"id": "a", "score": [1, Infinity]}\n', "row 1: score is inf"),
        ('{"id": "a", "score": "good"}\n', "row 1: score is 'good'"),
        ('{"id": "a", "score": true}\n', "row 1: score is True"),
        ('{"id": 1.5}\n', "row 1: id is 1.5"),
        ('{"id": "a\\u0000b"}\n', r"row 1: id is 'a\\x00b'"),
        ('{"prompt": 3}\n', "row 1: prompt is int"),
        ('{"messages": [{"content": "x"}]}\n', "row 1: messages"),
    ],
)
def test_bad_input_is_named_with_its_place(tmp_path, content, message):
    path = tmp_path / "items.jsonl"
    path.write_text(content)
    with pytest.raises(LagerError, match=message):
        load_items(path)


def test_missing_files_columns_and_unknown_endings_are_named(tmp_path):
    path = write_jsonl(tmp_path / "items.jsonl", ROWS)
    with pytest.raises(LagerError, match="does not exist"):
        load_items(tmp_path / "nothing.jsonl")
    with pytest.raises(LagerError, match="no column 'aspects': it has id, response"):
        load_items(path, group=["aspects"])
    with pytest.raises(LagerError, match="ends in"):
        load_items(tmp_path / "items.txt")
    (tmp_path / "bad.parquet").write_bytes(b"PAR1 not really")
    with pytest.raises(LagerError, match="cannot read"):
        load_items(tmp_path / "bad.parquet")


def test_scores_off_the_scale_are_an_error_until_their_range_is_given(tmp_path):
    items = load_items(
        write_jsonl(tmp_path / "items.jsonl", [{"response": "x", "score": [0, 10]}, {"response": "y", "score": 5}])
    )
    with pytest.raises(LagerError, match=r"2 of 3 human scores lie outside 1-5 \(the first is 0\)"):
        items.on_scale(Scale.parse("1-5"))
    mapped = items.on_scale(Scale.parse("1-5"), human_range=(0, 10))
    assert mapped.table["scores"].to_list() == [[1, 5], [3]]
    with pytest.raises(LagerError, match="outside 1-5"):
        items.on_scale(Scale.parse("1-5"), human_range=(1, 5))
