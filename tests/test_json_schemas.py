"""Every command that prints JSON has a schema in docs/schemas, and what it prints fits."""

import json
from pathlib import Path

import jsonschema
import polars as pl
import pytest
import typer
from lager.cli import app
from support.caches import make_cache
from support.commands import run_command
from support.schemas import SCHEMAS, check_output, validator

#: A second form of a command's JSON.
FORMS = {"extract-dry-run"}


def names_of_commands(command, path=()):
    """The commands that have an option --json, as their schemas are called."""
    for name, one in getattr(command, "commands", {}).items():
        yield from names_of_commands(one, (*path, name))
    if any("--json" in parameter.opts for parameter in command.params):
        yield "-".join(path)


def test_commands_that_print_json_and_schemas_are_the_same():
    with_json = set(names_of_commands(typer.main.get_command(app)))
    assert len(with_json) > 15
    assert {path.stem for path in SCHEMAS.glob("*.json")} == with_json | FORMS


@pytest.mark.parametrize("path", sorted(SCHEMAS.glob("*.json")), ids=lambda path: path.stem)
def test_schemas_are_schemas_and_say_of_what(path):
    schema = json.loads(path.read_text())
    jsonschema.Draft202012Validator.check_schema(schema)
    assert schema["title"] == f"lager {path.stem.replace('cache-', 'cache ').replace('-dry', ' --dry')} --json"
    assert len(schema["description"]) > 15
    assert schema["properties"]


def test_a_key_that_no_schema_names_and_one_that_is_missing_would_be_seen():
    content = {"rows": 1, "valid": 1, "reasons": {"too long": 2}, "score_mass": None, "content_hash": "x"}
    assert check_output("cache-finalize", json.dumps(content)) == content
    for wrong in (content | {"more": 1}, {"rows": 1}, content | {"rows": "1"}, content | {"reasons": {"x": "y"}}):
        with pytest.raises(AssertionError):
            check_output("cache-finalize", json.dumps(wrong))
    assert validator("evaluate") is validator("evaluate")


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Two caches of different items, a judge's scores, and labels of half of the items."""
    path = tmp_path_factory.mktemp("json")
    make_cache(path / "train", 60, seed=1, clusters=20)
    make_cache(path / "other", 60, seed=2, clusters=20, first=100, invalid=frozenset({3}))
    items = [f"item{n}" for n in range(60)]
    judges = {"id": items, "gpt": [1 + n % 5 for n in range(60)]}
    pl.DataFrame(judges).write_csv(path / "judges.csv")
    labels = {"id": items, "score": [None if n % 2 else 1.0 + n % 5 for n in range(60)]}
    pl.DataFrame(labels | {"system": ["a", "b", "c"] * 20}).write_csv(path / "labels.csv")
    pl.DataFrame({"id": ["item1"], "score": [2.0]}).write_csv(path / "more.csv")
    return path


@pytest.fixture
def fits(folder, capsys, monkeypatch):
    """Run a command, whose JSON `run_command` holds to its schema."""
    monkeypatch.chdir(folder)

    def run(*arguments):
        status, out, err = run_command(capsys, *arguments, "--json")
        assert (status in (0, 3, 4), bool(out)) == (True, True), (arguments, err)

    return run


@pytest.mark.parametrize(
    "command",
    [
        "train train --strategy ridge --holdout 0.3 --out held-out.json",
        "calibrate train --strategy ridge --folds 2 --out folds.json",
        "plan --mean 0.2 --sd 1 --correlation 0.5",
        "estimate --scores labels.csv --external judges.csv:gpt",
        "cache info other",
        "cache status other",
        "cache verify other",
        "cache finalize other",
        "cache ls",
        "cache gc --older-than 30d",
    ],
)
def test_what_a_command_prints_fits(fits, command):
    fits(*command.split())


def test_what_is_printed_on_the_way_from_training_to_selection_fits(fits):
    fits("train", "train", "--out", "agg.json", "--strategy", "lager")
    fits("calibrate", "other", "--aggregator", "agg.json", "--out", "calibrated.json")
    fits("score", "other", "--aggregator", "agg.json", "--out", "scores.jsonl")
    fits("select", "scores.jsonl", "--top", "10%", "--out", "best.jsonl")
    assert Path("best.jsonl").exists()


def test_what_is_printed_of_a_cache_that_changes_and_goes_fits(fits, tmp_path):
    cache = make_cache(tmp_path / "c", 12).path
    fits("cache", "describe", cache, "--licence", "cc-by-4.0", "--source", "made up")
    fits("cache", "label", cache, "more.csv")
    fits("cache", "push", cache, tmp_path / "pushed")
    fits("cache", "drop", cache, "--id", "item3")
    fits("cache", "rm", tmp_path / "pushed")
    fits("cache", "info", cache)
