"""The exit codes of docs/automation.md are those that commands end with."""

import re

import pytest
from lager.evaluate.alt_test.command import EXITS
from lager.evaluate.check.command import FAILED, UNKNOWN
from lager.evaluate.command import NOT_MET
from lager.evaluate.triage.command import INCONCLUSIVE
from support.commands import run_command


@pytest.fixture(scope="module")
def table(repository):
    """Code by code, what it means and the commands that end with it."""
    page = (repository / "docs" / "automation.md").read_text()
    return {
        int(code): (meaning, where) for code, meaning, where in re.findall(r"^\| (\d) \| (.*) \| (.*) \|$", page, re.M)
    }


def test_the_table_has_every_code_and_its_meaning(table):
    assert list(table) == [0, 1, 2, 3, 4]
    assert {name: code for name, code in EXITS.items() if name in table[code][0]} == EXITS
    assert (FAILED, NOT_MET) == (3, 3)
    assert (UNKNOWN, INCONCLUSIVE) == (4, 4)


def test_the_commands_of_3_and_4_are_those_that_leave_by_themselves(repository, table):
    told = {name.partition(" ")[0] for code in (3, 4) for name in re.findall(r"`([^`]+)`", table[code][1])}
    leaving = {
        path.parent.name.replace("_", "-")
        for path in (repository / "evaluate").rglob("*command.py")
        if "raise typer.Exit(" in path.read_text()
    }
    assert leaving == told


@pytest.mark.parametrize(
    ("arguments", "code"), [(("--version",), 0), (("cache", "info", "nowhere"), 1), (("cache", "info", "--nothing"), 2)]
)
def test_what_can_be_mended_and_what_is_no_command_differ(capsys, arguments, code):
    status, _, err = run_command(capsys, *arguments)
    assert status == code
    assert (err == "") == (code == 0)
