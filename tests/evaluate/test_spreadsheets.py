"""Written CSV holds no formula, and what reads it again finds ids, groups and texts as they were."""

import csv
import json

import polars as pl
import pytest
from lager.data import open_items as opening
from lager.data.files.csv_cells import for_spreadsheets
from lager.data.items.score_files import read_external
from lager.data.open_items import open_items
from lager.data.scale import Scale
from lager.evaluate.score.journal import ScoreJournal
from lager.evaluate.score.scored_rows import schema
from support.commands import run_command

IDS = ["-a", "'-a", "''=b", "=1+1", "@c", "+d", "\te", "\rf", "'g", "-1.5", "+2e3", "plain", "*", "^h$", "-"]


def cells(path):
    """Return what Python's csv finds."""
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


@pytest.mark.parametrize("raw", [False, True])
def test_a_score_file_is_marked_and_joined_by_the_ids_that_items_have(tmp_path, raw):
    out, scale = tmp_path / "s.csv", Scale.parse("1-3")
    names = schema(scale)
    blank = {name: [None] * len(IDS) for name in names}
    rows = pl.DataFrame({**blank, "id": IDS, "score": [1.0 + i / 10 for i in range(len(IDS))]}, schema=names)
    with ScoreJournal(out, scale, {}, raw=raw) as journal:
        journal.append(rows)
        journal.finish()
    written = [row["id"] for row in cells(out)]
    assert written == (IDS if raw else for_spreadsheets(pl.DataFrame({"t": IDS}))["t"].to_list())
    items = pl.DataFrame({"item_id": IDS, "group": None, "cluster": None})
    (judge,) = read_external([f"{out}:score"], items, scale)
    assert judge.scores.tolist() == rows["score"].to_list()


def test_scores_that_evaluate_wrote_are_evaluated_again(tmp_path, capsys):
    human = [{"id": f"{sign}{i}x", "score": 1 + i % 5, "group": f"={i % 2}"} for i, sign in enumerate("-=+@-=+@'a" * 2)]
    judge = [{"id": one["id"], "rating": 1 + (7 * i) % 5, "group": one["group"]} for i, one in enumerate(human)]
    for name, rows in (("human", human), ("judge", judge)):
        (tmp_path / f"{name}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    common = ("evaluate", "--scores", tmp_path / "human.jsonl", "--resamples", 0, "--json", "--external")
    code, first, err = run_command(capsys, *common, f"{tmp_path}/judge.jsonl:rating", "--out", tmp_path / "r")
    assert code == 0, err
    written = cells(tmp_path / "r" / "scores.csv")
    assert [row["id"] for row in written][:2] == ["'-0x", "'=1x"]
    assert {row["group"] for row in cells(tmp_path / "r" / "results.csv")} == {"", "'=0", "'=1"}
    code, again, err = run_command(
        capsys, *common, f"{tmp_path}/r/scores.csv:rating", "--out", tmp_path / "raw", "--raw"
    )
    assert code == 0, err
    assert json.loads(again)["results"] == json.loads(first)["results"]
    assert [row["id"] for row in cells(tmp_path / "raw" / "scores.csv")] == [one["id"] for one in human]


@pytest.mark.parametrize("large", [False, True])
def test_a_selection_is_read_as_items_as_it_was(tmp_path, capsys, monkeypatch, large):
    texts = ["- one", "=cmd|' /C calc'!A0", "'- quoted", "plain", "@you"]
    items = [{"id": f"-{i}", "instruction": "+", "response": text, "n": -i} for i, text in enumerate(texts)]
    (tmp_path / "items.jsonl").write_text("".join(json.dumps(row) + "\n" for row in items))
    (tmp_path / "scores.csv").write_text("id,score\n" + "".join(f"'-{i},{5 - i}\n" for i in range(5)))
    select = ("select", tmp_path / "scores.csv", "--items", tmp_path / "items.jsonl", "--count", 5, "--out")
    code, _, err = run_command(capsys, *select, tmp_path / "best.csv")
    assert code == 0, err
    assert [row["response"] for row in cells(tmp_path / "best.csv")][:3] == ["'- one", "'" + texts[1], "''- quoted"]
    assert [row["n"] for row in cells(tmp_path / "best.csv")] == ["0", "-1", "-2", "-3", "-4"]
    if large:
        monkeypatch.setattr(opening, "EAGER_BYTES", 0)
    read = open_items(tmp_path / "best.csv").part(range(5))
    assert [one["response"] for one in read.fields] == texts
    assert read.item_id == ("-0", "-1", "-2", "-3", "-4")
    assert run_command(capsys, *select, tmp_path / "raw.csv", "--raw")[0] == 0
    assert [row["response"] for row in cells(tmp_path / "raw.csv")] == texts
