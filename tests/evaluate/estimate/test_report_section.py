"""The report says what people think of each system, and what a judge alone would have said."""

import json
from dataclasses import replace

import numpy as np
import pytest
from lager.evaluate.evaluation.file_evaluation import evaluate_score_files
from lager.evaluate.report.system_means import system_means


@pytest.fixture(params=[0, 1], ids=["all labelled", "half labelled"])
def evaluation(request, tmp_path):
    rng = np.random.default_rng(2)
    rows = []
    for i in range(240):
        quality = rng.normal()
        human = None if request.param and rng.random() < 0.5 else 3 + quality + 0.5 * (i % 2)
        rows.append(
            {"id": i, "score": human, "system": "ab"[i % 2], "cluster": f"t{i // 4}", "x": 4 + quality - (i % 2)}
        )
    (tmp_path / "human.jsonl").write_text(
        "\n".join(json.dumps({k: v for k, v in row.items() if k != "x"}) for row in rows)
    )
    (tmp_path / "judge.csv").write_text("id,x\n" + "\n".join(f"{row['id']},{row['x']}" for row in rows))
    return evaluate_score_files(tmp_path / "human.jsonl", [f"{tmp_path}/judge.csv:x"], resamples=0)


def test_systems_stand_by_their_estimate_with_the_judges_own_mean(evaluation):
    table = system_means(evaluation)
    titles = [column.line for column in table.columns]
    rows = {row[0].text: dict(zip(titles, row, strict=True)) for row in table.rows}
    assert list(rows) == ["b", "a"]
    assert rows["b"]["mean estimated"].low < 3.5 < rows["b"]["mean estimated"].high
    assert rows["b"]["x alone"].value == pytest.approx(3.0, abs=0.4)
    assert rows["a"]["x alone"].value > rows["b"]["x alone"].value + 0.5


def test_without_systems_there_is_no_such_table(evaluation):
    items = evaluation.items.drop("system")
    assert system_means(replace(evaluation, items=items)) is None
