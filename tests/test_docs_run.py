"""The commands of the pages run as shown, with the bundled judge in the place of the reader's model."""

import csv
import json
import shlex
import shutil
import subprocess
import sys

import pytest
from support.pages import commands

PAGES = ("own-items", "extraction", "score", "uncertainty", "sensitivity", "pairs")
JUDGES = ("my/judge", "meta-llama/Llama-3.1-8B-Instruct")
CACHES = {
    "train": "train",
    "new": "test",
    "held-out": "test",
    "direct": "test",
    "flask": "test",
    "helpsteer": "train",
    "rated": "test",
}


def lager(line, folder):
    command = [sys.executable, "-c", "from lager.cli import main; main()", *shlex.split(line, comments=False)[1:]]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=folder)
    assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"


def write_ratings(items, path):
    """The demo's items as a spreadsheet has them: a column for each of three raters, and the text's name."""
    rows = [json.loads(line) for line in items.read_text().splitlines()]
    with path.open("w", newline="") as file:
        table = csv.writer(file)
        names = ["instruction", "response", "criterion"]
        table.writerow(["id", *names, "text", "ann", "ben", "cleo"])
        for n, row in enumerate(rows):
            table.writerow([f"r{n}", *(row[name] for name in names), row["cluster"], *row["score"][:2], ""])


@pytest.fixture(scope="module")
def workplace(repository, tmp_path_factory):
    """What the pages take for granted: a judge, items, caches, an aggregator, pairs."""
    folder, demo = tmp_path_factory.mktemp("pages"), repository / "data" / "demo"
    for name in JUDGES:
        shutil.copytree(demo / "judge", folder / name)
    for name in ("items", "new"):
        shutil.copy(demo / "test.jsonl", folder / f"{name}.jsonl")
    shutil.copy(repository / "data" / "templates" / "direct.jinja", folder / "mine.jinja")
    columns = "--group criterion --cluster cluster"
    for name in ("train", "test"):
        lager(f"lager extract {demo / 'judge'} {demo / name}.jsonl --cache made/{name} {columns}", folder)
    lager(f"lager extract my/judge new.jsonl --cache cache/mine {columns} --system Judge.", folder)
    for name, source in CACHES.items():
        shutil.copytree(folder / "made" / source, folder / "cache" / name)
    lager("lager train cache/train --out agg.json", folder)
    write_ratings(demo / "train.jsonl", folder / "ratings.csv")
    ids = [json.loads(line)["id"] for line in (folder / "new.jsonl").read_text().splitlines()][:3]
    (folder / "labels.csv").write_text("id,score\n" + "".join(f"{name},4\n" for name in ids))
    (folder / "raters.csv").write_text("id,ann,ben,cleo\n" + "".join(f"{name},4,,2\n" for name in ids))
    pairs = [
        {"input": f"Say {n} words.", "output_1": "word " * n, "output_2": "none", "label": 1 + n % 2}
        for n in range(1, 7)
    ]
    (folder / "LLMBar" / "Natural").mkdir(parents=True)
    (folder / "LLMBar" / "Natural" / "dataset.json").write_text(json.dumps(pairs))
    return folder


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_the_commands_of_a_page_run_as_shown(page, workplace, repository):
    lines = commands((repository / "docs" / f"{page}.md").read_text())
    assert lines
    for line in lines:
        lager(line, workplace)
