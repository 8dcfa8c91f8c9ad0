"""Commands that take groups of options."""

import json
from dataclasses import dataclass

import pytest
import typer
from lager import LagerError
from lager.cli import app as lager_app
from lager.extract.options.command_line import with_options
from lager.extract.options.groups import ExtractOptions, PromptOptions, ReadOptions
from lager.extract.options.option import as_json, option, options_of
from lager.extract.options.texts import parse_chat_args, parse_names, parse_range
from typer.testing import CliRunner


def told(*arguments, **choice):
    """Return what a command with all options of an extraction is given."""
    app = typer.Typer()

    @app.command()
    @with_options(**choice)
    def command(name: str, *, options: ExtractOptions, loud: bool = False) -> None:
        print(json.dumps({"name": name, "loud": loud, **as_json(options)}))

    done = CliRunner().invoke(app, list(arguments))
    return done if done.exit_code else json.loads(done.stdout)


def test_a_command_gets_what_was_given_and_defaults_for_the_rest():
    given = told(
        "me", "--loud", "--system", "Be fair.", "--human-range=-1-1", "--group", "a, b", "--no-prefix-sharing",
        "--chat-args", '{"enable_thinking": true}', "--max-field-tokens", "0", "--truncate-field", "text",
    )  # fmt: skip
    expected = {
        "system": "Be fair.",
        "human_range": [-1.0, 1.0],
        "group": ["a", "b"],
        "share_prefixes": False,
        "chat_args": {"enable_thinking": True},
        "max_field_tokens": 0,
        "truncate_field": "text",
    }
    assert given == {"name": "me", "loud": True, **as_json(ExtractOptions()), **expected}


def test_a_command_may_offer_some_options_only():
    assert told("me", "--device", "cpu", only=("device",))["device"] == "cpu"
    assert told("me", "--attn", "eager", only=("device",)).exit_code == 2
    assert told("me", "--scale", "1-3", without=("scale",)).exit_code == 2
    assert told("me", "--device", "cpu", without=("scale",))["scale"] is None


def test_a_value_out_of_range_is_a_fault_of_usage_and_one_that_cannot_be_read_is_the_user_s():
    assert told("me", "--limit", "0").exit_code == 2
    done = told("me", "--human-range", "low")
    assert isinstance(done.exception, LagerError)
    assert str(done.exception) == "--human-range 'low': expected LO-HI, such as 0-100"


def test_a_new_option_is_a_field_and_nothing_else():
    @dataclass(frozen=True)
    class Colours:
        """What things look like."""

        shade: int = option("How dark.", default=3, least=1)

    app = typer.Typer()

    @app.command()
    @with_options()
    def command(*, colours: Colours) -> None:
        print(colours.shade)

    assert CliRunner().invoke(app, ["--shade", "7"]).stdout == "7\n"
    assert CliRunner().invoke(app, []).stdout == "3\n"


@pytest.mark.parametrize(("command", "group"), [("extract", ExtractOptions), ("score", ReadOptions)])
def test_help_tells_every_option_and_score_says_what_training_decides(command, group):
    shown = CliRunner().invoke(lager_app, [command, "--help"], env={"COLUMNS": "200", "TERMINAL_WIDTH": "200"}).stdout
    missing = [one.name for one in options_of(group).values() if one.flags.partition("/")[0] not in shown]
    assert missing == []
    n = len(options_of(PromptOptions)) + 1  # and the dtype
    assert shown.count("(as in training)") == (n if command == "score" else 0)


def test_texts_of_the_command_line():
    assert parse_names("a, b") == ["a", "b"]
    assert parse_names("") == []
    assert parse_range("0.5-10") == (0.5, 10.0)
    with pytest.raises(LagerError, match=r"--chat-args '\[1\]': expected a JSON object"):
        parse_chat_args("[1]")
