"""The commands of docs/selection.md, one after the other, on real records."""

import json
import re
import shlex

import pytest
from lager.cli import main
from lager.data.items.small_files import read_rows
from lager.data.templates.aspects import ASPECTS


@pytest.fixture(scope="module")
def page(repository):
    return (repository / "docs" / "selection.md").read_text()


def test_the_page_lists_the_aspects_as_the_judge_is_told_them(page):
    assert all(f"| {aspect} | {meaning} |" in page for aspect, meaning in ASPECTS.items())


@pytest.mark.slow
@pytest.mark.shared
def test_the_commands_of_the_page_select_the_best_tenth(page, repository, shared, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    records = json.loads((shared / "data" / "alpaca_sample_1000.json").read_text())[:12]
    (tmp_path / "alpaca_data_cleaned.json").write_text(json.dumps(records))
    extract, score, select, train = re.findall(r"^    (lager .*)$", page, re.MULTILINE)
    for line in (extract, train, score, select):
        words = shlex.split(line.replace("MODEL", str(repository / "data" / "demo" / "judge")))[1:]
        with pytest.raises(SystemExit) as stopped:
            main(words)
        assert not stopped.value.code, line
    scored = {}
    for row in read_rows(tmp_path / "scores.jsonl"):
        scored.setdefault(row["id"].partition("/")[0], []).append(row["score"])
    mean = {record: sum(scores) / 7 for record, scores in scored.items() if None not in scores}
    best = json.loads((tmp_path / "best.json").read_text())
    assert [row["id"] for row in best] == sorted(mean, key=lambda record: -mean[record])[: -(-len(mean) // 10)]
    assert all(row["output"] == records[int(row["id"])]["output"] for row in best)
