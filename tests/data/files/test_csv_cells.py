"""Cells that a spreadsheet would take for formulas are marked as text, and come back as they were."""

import random

import polars as pl
import pytest
from lager.data.errors import LagerError
from lager.data.files.csv_cells import for_spreadsheets, from_spreadsheet
from lager.data.items.score_files import read_external, read_human_scores
from lager.data.items.score_rows import ScoreRows

IDS = ["-a", "'-a", "''=b", "=1+1", "@c", "+d", "\te", "\rf", "'g", "-1.5", "+2e3", "plain", "*", "^h$", "-"]


def test_only_what_a_spreadsheet_takes_for_a_formula_is_marked_and_comes_back():
    table = pl.DataFrame({"id": IDS, "=name": range(len(IDS)), "^h$": [-0.5] * len(IDS), "*": [None] * len(IDS)})
    marked = for_spreadsheets(table)
    assert marked.columns == ["id", "'=name", "^h$", "*"]
    assert [one for one, was in zip(marked["id"], IDS, strict=True) if one != was] == [
        "'-a", "''-a", "'''=b", "'=1+1", "'@c", "'+d", "'\te", "'\rf", "'-",
    ]  # fmt: skip
    assert [from_spreadsheet(one) for one in marked["id"]] == IDS
    assert marked["^h$"].to_list() == [-0.5] * len(IDS)
    assert for_spreadsheets(pl.DataFrame()).shape == (0, 0)


def test_any_text_comes_back():
    rng = random.Random(0)
    texts = ["".join(rng.choices("'=+-@\t\r1a. e", k=rng.randint(0, 6))) for _ in range(2000)]
    marked = for_spreadsheets(pl.DataFrame({"t": texts}))["t"].to_list()
    assert [from_spreadsheet(one) for one in marked] == texts
    bare = [one for one in marked if one[:1] in set("=+-@\t\r")]
    assert bare
    assert all(float(one) is not None for one in bare)  # numbers


def test_ids_that_others_wrote_with_an_apostrophe_are_theirs(tmp_path):
    path = tmp_path / "s.csv"
    path.write_text("id,score\n'-a,1\n-b,2\n")
    assert ScoreRows(path, what="score file").ids() == ["-a", "-b"]
    assert ScoreRows(path, what="score file").ids({"'-a", "-b"}) == ["'-a", "-b"]
    path.write_text("id,score\n'-a,1\n-a,2\n")
    assert ScoreRows(path, what="score file").ids() == ["'-a", "-a"]
    path.write_text("id,score\n'-a,1\n'-a,2\n")
    with pytest.raises(LagerError, match="repeat an id"):
        ScoreRows(path, what="score file").ids()


def test_ids_with_an_apostrophe_of_others_join_between_two_files(tmp_path):
    human, judged = tmp_path / "a.csv", tmp_path / "out.csv"
    human.write_text("id,score\n'=x,1\ny,2\n")
    items = read_human_scores(human, None)
    for written in ("'=x", "''=x", "=x"):  # by others, by `lager score` of the item '=x, by --raw of the item =x
        judged.write_text(f"id,score\n{written},4\ny,5\n")
        assert read_external([f"{judged}:score"], items, None)[0].scores.tolist() == [4, 5]
    judged.write_text("id,score\n'=x,4\n''=x,5\n")
    with pytest.raises(LagerError, match="'=x"):
        read_external([f"{judged}:score"], items, None)
