"""Items of one text without a cluster are told before anything is read."""

import pytest
from lager.data.open_items import open_items
from lager.data.templates.template import load_template
from lager.extract.prompts.repeated_texts import repeated_texts
from support.published import write_jsonl

DIRECT = load_template("direct")


def told(path, rows, **options):
    return repeated_texts(DIRECT, open_items(write_jsonl(path / "items.jsonl", rows), **options))


def row(n, **fields):
    return {"instruction": "Summarise.", "source": f"text {n // 3}", "response": f"answer {n}", **fields}


def test_texts_that_repeat_are_told_and_constant_ones_are_not(tmp_path):
    rows = [row(n) for n in range(12)]
    assert told(tmp_path, rows) == [
        "12 items have 4 different texts in source, and no clusters are declared: those of one text are taken for "
        "independent by folds, draws and intervals; name a column that tells them with --cluster"
    ]
    assert told(tmp_path, [row(n, source=f"text {n}") for n in range(12)]) == []
    assert (
        "6 different texts in response" in told(tmp_path, [row(n, source=None, response=n // 2) for n in range(12)])[0]
    )


@pytest.mark.parametrize("options", [{"cluster": "article"}, {}], ids=["named", "column"])
def test_declared_clusters_say_enough(tmp_path, options):
    name = options.get("cluster", "cluster")
    assert told(tmp_path, [row(n, **{name: f"c{n // 3}"}) for n in range(12)], **options) == []


def test_prompts_need_no_cluster_since_their_hashes_tell(tmp_path):
    assert told(tmp_path, [{"prompt": f"prompt {n // 2}"} for n in range(6)]) == []
