"""`lager extract` on the command line."""

import json
import subprocess
import sys

import pytest
import typer
from lager.data.errors import LagerError
from lager.extract.command import extract
from support.schemas import check_output
from support.tiny_models import save_judge
from typer.testing import CliRunner

app = typer.Typer()
app.command()(extract)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return save_judge(tmp_path_factory.mktemp("judge"))


@pytest.fixture
def items(tmp_path):
    path = tmp_path / "items.jsonl"
    rows = [{"response": f"The fox jumps {n} times.", "score": 10 * n} for n in range(5)]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def call(*args):
    return CliRunner().invoke(app, [str(arg) for arg in args])


def test_json_says_what_was_written_and_nothing_else_is_on_stdout(folder, items, tmp_path):
    options = ["--device", "cpu", "--human-range", "0-40", "--shard-size", 2, "--json"]
    done = call(folder, items, "--cache", tmp_path / "cache", *options)
    assert done.exit_code == 0, done.output
    summary = check_output("extract", done.stdout)
    assert (summary["items"], summary["valid"], summary["layers"]) == (5, 5, 3)
    assert "score mass" in done.stderr


@pytest.mark.parametrize(
    ("options", "recorded"),
    [([], (True, False)), (["--no-prefix-sharing"], (False, False)), (["--deterministic"], (False, True))],
)
def test_how_prompts_are_batched_is_recorded(folder, items, tmp_path, options, recorded):
    options = ["--device", "cpu", "--human-range", "0-40", *options]
    assert call(folder, items, "--cache", tmp_path / "cache", *options).exit_code == 0
    stored = json.loads((tmp_path / "cache" / "run.json").read_text())["options"]
    assert (stored["share_prefixes"], stored["deterministic"]) == recorded


@pytest.mark.parametrize(
    ("options", "told"),
    [
        (["--chat-args", "[1]"], "--chat-args '[1]': expected a JSON object"),
        (["--chat-args", "{no"], "expected a JSON object"),
        (["--human-range", "many"], "--human-range 'many': expected LO-HI"),
        (["--human-range", "-1-1"], "human scores lie outside -1-1"),
        (["--template", "absent.jinja", "--human-range", "0-40"], "no template 'absent.jinja'"),
        (["--scale", "1-10", "--human-range", "0-40"], "choose labels that are"),
    ],
)
def test_a_user_error_is_one_line(folder, items, tmp_path, options, told):
    done = call(folder, items, "--cache", tmp_path / "cache", "--device", "cpu", *options)
    assert isinstance(done.exception, LagerError)
    assert told in str(done.exception)
    assert "\n" not in str(done.exception)
    assert not (tmp_path / "cache").exists()


def test_help_is_quick_and_has_an_example():
    code = (
        "import sys, typer\nfrom lager.extract.command import extract\n"
        "app = typer.Typer()\napp.command()(extract)\n"
        "try:\n    app(['--help'])\nexcept SystemExit:\n    pass\n"
        "print([m for m in ('torch', 'transformers') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert "Example: lager extract" in done.stdout
    assert done.stdout.strip().endswith("[]")
