"""Columns of the items that a file of scores has too."""

import json

import numpy as np
import polars as pl
import pytest
from lager.data.errors import LagerError
from lager.evaluate.score.score_cache import score_cache
from lager.evaluate.score.score_items import score_items
from lager.train.files.aggregator_file import save_aggregator
from lager.train.training_run import train_on_cache
from support.caches import make_cache
from support.commands import run_command
from support.extraction import run
from support.tiny_models import save_judge

ROWS = [
    {"id": f"q{i}", "response": f"the fox {i}", "bot": f"=b{i % 2}", "turns": i, "group": f"g{i % 2}"} for i in range(6)
]


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    folder = tmp_path_factory.mktemp("kept")
    judge = save_judge(folder / "judge", max_position_embeddings=1024)
    (folder / "items.jsonl").write_text("".join(json.dumps(row) + "\n" for row in ROWS))
    (folder / "t.jinja").write_text("Rate {{ response }}: ")
    labelled = [{**row, "score": i % 5 + 1} for i, row in enumerate(ROWS * 3)]
    (folder / "train.jsonl").write_text("".join(json.dumps({**r, "id": str(i)}) + "\n" for i, r in enumerate(labelled)))
    cache = run(judge, folder / "train.jsonl", folder / "cache", template=folder / "t.jinja")
    save_aggregator(folder / "a.json", train_on_cache(cache, strategy="e-score").record)
    return folder


def test_fields_and_groups_come_along_in_order_also_where_a_run_goes_on(place, tmp_path):
    def score(out, columns):
        return score_items(
            place / "judge", place / "items.jsonl", place / "a.json", out=out, keep_columns=columns, part=4,
            say=lambda line: None,
        )  # fmt: skip

    score(tmp_path / "s.jsonl", ["bot", "turns", "group"])
    rows = [json.loads(line) for line in (tmp_path / "s.jsonl").read_text().splitlines()]
    assert [(row["id"], row["bot"], row["turns"], row["group"]) for row in rows] == [
        (row["id"], row["bot"], row["turns"], row["group"]) for row in ROWS
    ]
    assert list(rows[0])[:5] == ["id", "bot", "turns", "group", "score"]
    score(tmp_path / "s.csv", ["bot", "turns"])
    table = pl.read_csv(tmp_path / "s.csv", infer_schema=False)
    assert table["bot"].to_list() == [f"'{row['bot']}" for row in ROWS]  # no formula for a spreadsheet
    assert table["turns"].to_list() == [str(row["turns"]) for row in ROWS]
    for columns, message in (
        (["author"], r"no column 'author'; they have .*'bot'.*'turns'"),
        (["score"], "a file of scores has columns of that name itself"),
        (["bot", "bot"], "each name once"),
    ):
        with pytest.raises(LagerError, match=message):
            score(tmp_path / "no.csv", columns)
    assert not list(tmp_path.glob("no*"))


def test_columns_of_a_cache_come_along(tmp_path, capsys):
    cache = make_cache(tmp_path / "c", 20, shard_size=8)
    save_aggregator(tmp_path / "a.json", train_on_cache(cache, strategy="lager").record)
    command = ("score", tmp_path / "c", "--aggregator", tmp_path / "a.json", "--keep-columns", "system,cluster")
    assert run_command(capsys, *command, "--out", tmp_path / "s.parquet")[0] == 0
    table = pl.read_parquet(tmp_path / "s.parquet")
    np.testing.assert_array_equal(table["system"], cache.column("system"))
    np.testing.assert_array_equal(table["cluster"], cache.column("cluster"))
    with pytest.raises(LagerError, match="no column 'scores'"):
        score_cache(cache, tmp_path / "a.json", out=tmp_path / "n.csv", keep_columns=["scores"])
