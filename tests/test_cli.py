"""The command line as a user meets it."""

import errno
import json
import shutil
import subprocess
import sys

import pytest
from lager.cli import main
from lager.data.errors import from_system
from support.caches import make_cache
from support.readouts import RELEASED_NAMES
from support.schemas import check_output

LONG = "n" * 300
COMMANDS = [
    [],
    ["extract"],
    ["train"],
    ["evaluate"],
    ["sweep"],
    ["select"],
    ["demo"],
    ["cache"],
    ["cache", "info"],
    ["cache", "merge"],
    ["cache", "export"],
    ["cache", "import-release"],
    ["cache", "drop"],
    ["cache", "rm"],
    ["cache", "label"],
    ["cache", "describe"],
]


def run(*arguments):
    """Run a command in this process and return its exit status."""
    with pytest.raises(SystemExit) as stopped:
        main([str(argument) for argument in arguments])
    return stopped.value.code or 0


@pytest.mark.parametrize("command", COMMANDS, ids=" ".join)
def test_every_command_has_help_and_those_that_act_an_example(capsys, command):
    assert run(*command, "--help") == 0
    text = capsys.readouterr().out
    assert "Usage: lager" in text.replace("root", "lager")
    assert command in ([], ["cache"]) or "Example: lager" in text


def test_a_mistake_in_the_usage_leaves_with_two(capsys):
    assert run("extract") == 2
    assert run("nonesuch") == 2


def test_a_users_error_is_one_line_without_a_traceback_and_leaves_with_one(capsys, tmp_path):
    assert run("train", tmp_path / "nothing", "--out", tmp_path / "a.json") == 1
    error = capsys.readouterr().err.strip().splitlines()
    assert len(error) == 1
    assert error[0].startswith("error: ")
    assert "Traceback" not in error[0]


@pytest.mark.parametrize(
    "arguments",
    [
        ["demo", "--out", LONG],
        ["train", LONG, "--out", "a.json"],
        ["cache", "info", LONG],
        ["evaluate", "--scores", f"{LONG}.csv", "--external", "a.csv:b"],
    ],
)
def test_a_name_that_is_too_long_is_one_line(capsys, monkeypatch, tmp_path, arguments):
    monkeypatch.chdir(tmp_path)
    assert run(*arguments) == 1
    line, *more = capsys.readouterr().err.splitlines()
    assert "File name too long" in line
    assert not more


def test_what_the_system_refuses_is_told_with_the_file_and_what_to_do():
    assert str(from_system(OSError(errno.ENOSPC, "No space left", "a.csv"))) == (
        "a.csv: No space left; make room, or choose another disk"
    )
    many = shutil.Error([("from", "to", "it is full")])
    assert str(from_system(many)) == "it is full"
    assert str(from_system(OSError("of a library"))) == "of a library"


def test_the_stages_after_extraction_run_where_torch_and_transformers_cannot_be_imported(tmp_path):
    make_cache(tmp_path / "train", seed=0)
    make_cache(tmp_path / "test", seed=1)
    code = """
import sys
for name in ("torch", "transformers", "accelerate", "tokenizers", "safetensors"):
    sys.modules[name] = None  # importing it raises ImportError
from lager.cli import main_or_raise as lager
lager(["cache", "info", "train"])
lager(["train", "train", "--out", "agg.json"])
lager(["evaluate", "test", "--aggregator", "agg.json", "--resamples", "50"])
lager(["evaluate", "test", "--folds", "3", "--resamples", "50"])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "lager-tuned" in done.stdout


def test_extracting_without_torch_names_the_extra(tmp_path):
    (tmp_path / "items.jsonl").write_text('{"prompt": "Rate this."}\n')
    code = """
import sys
sys.modules["torch"] = sys.modules["transformers"] = None
from lager.cli import main
main(["extract", "model", "items.jsonl", "--cache", "cache"])
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 1
    assert "lager[extract]" in done.stderr
    assert len(done.stderr.strip().splitlines()) == 1


def test_cache_info_tells_two_caches_apart(capsys, tmp_path):
    make_cache(tmp_path / "a", invalid=frozenset({1}))
    make_cache(tmp_path / "b", template="other")
    assert run("cache", "info", tmp_path / "a", tmp_path / "b") == 0
    text = capsys.readouterr().out
    assert "too long" in text
    assert "template differ" in text


@pytest.mark.shared
def test_the_authors_figures_come_out_of_the_commands(capsys, shared, tmp_path):
    fixture = shared / "reference" / "release-parity"
    for name in ("valid", "test"):
        assert (
            run("cache", "import-release", fixture / f"p_{name}.json.gz", "--cache", tmp_path / name, "--model", "m")
            == 0
        )
    assert run("train", tmp_path / "valid", "--out", tmp_path / "a.json", "--preset", "release") == 0
    expected = json.loads((fixture / "p_expected.json").read_text())
    weights = json.loads((tmp_path / "a.json").read_text())["weights"]
    assert weights == pytest.approx([*expected["weights"], 0], abs=1e-6)
    capsys.readouterr()
    options = ["--preset", "release", "--aggregator", tmp_path / "a.json", "--resamples", "0", "--json"]
    assert run("evaluate", tmp_path / "test", *options) == 0
    table = json.loads(capsys.readouterr().out)
    found = {row["strategy"]: (row["pearson"]["estimate"], row["spearman"]["estimate"]) for row in table["results"]}
    for ours, theirs in RELEASED_NAMES.items():
        assert found[ours] == pytest.approx(expected["corr_pearson_spearman"][theirs], abs=1e-6), ours
    assert (table["n"], table["level"], table["coverage"]) == (298, "pooled", 298 / 300)
    assert all(row["in_sample"] == 0 for row in table["results"])


def test_a_damaged_cache_is_verified_with_one_and_repaired(capsys, tmp_path):
    make_cache(tmp_path / "c")
    assert run("cache", "verify", tmp_path / "c") == 0
    path = tmp_path / "c" / "shards" / "00001.h5"
    path.write_bytes(path.read_bytes()[:-1])
    capsys.readouterr()
    assert run("cache", "verify", tmp_path / "c", "--json") == 1
    found = check_output("cache-verify", capsys.readouterr().out)
    assert [fault["file"] for fault in found["faults"]] == ["shards/00001.h5"]
    assert run("cache", "repair", tmp_path / "c") == 0
    assert "1 shards are missing" in capsys.readouterr().out
    assert run("train", tmp_path / "c", "--out", tmp_path / "a.json") == 1


def test_python_m_lager_is_the_command(tmp_path):
    command = [sys.executable, "-m", "lager", "cache", "info", str(tmp_path / "nothing")]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert done.stderr.startswith("error: ")
