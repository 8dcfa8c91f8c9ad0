"""Every command that a page shows is one that the command line takes, and the site's own links hold."""

import re
import shlex

import pytest
import typer
from lager.cli import app
from support.pages import commands


def parse(line):
    """Let the command line read a command without running it."""
    words = shlex.split(re.sub(r"\s#.*", "", line))[1:]
    command, parent = typer.main.get_command(app), None
    while True:
        context = command.make_context(words[0] if words else "lager", list(words), parent=parent)
        if not hasattr(command, "resolve_command"):
            return
        _, command, words = command.resolve_command(context, [*context._protected_args, *context.args])
        parent = context


def pages(repository):
    return [repository / "README.md", *sorted((repository / "docs").rglob("*.md"))]


def test_every_command_on_every_page_is_one_that_the_command_line_takes(repository):
    found = [(page, line) for page in pages(repository) for line in commands(page.read_text())]
    assert len({page for page, _ in found}) > 2
    wrong = []
    for page, line in found:
        try:
            parse(line)
        except Exception as error:  # what a wrong option raises depends on what is wrong with it
            wrong.append(f"{page.name}: {line}: {error}")
    assert wrong == []


@pytest.mark.parametrize("line", ["lager extract MODEL", "lager train CACHE --no-such-option", "lager nonsense"])
def test_a_wrong_command_would_be_seen(line):
    with pytest.raises(Exception, match=r"Missing|No such"):
        parse(line)


def test_links_between_pages_lead_somewhere(repository):
    broken = [
        f"{page.name}: {link}"
        for page in pages(repository)
        for link in re.findall(r"\]\(([^)\s]+)\)", page.read_text())
        if "://" not in link and not link.startswith("#") and not (page.parent / link.partition("#")[0]).exists()
    ]
    assert broken == []
