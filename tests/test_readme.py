"""Every command that the README shows does what it says."""

import re
import shlex
import subprocess
import sys
import tomllib

import pytest


def code_blocks(text, language):
    return re.findall(rf"```{language}\n(.*?)```", text, re.DOTALL)


@pytest.fixture(scope="module")
def readme(repository):
    return (repository / "README.md").read_text()


@pytest.fixture(scope="module")
def workplace(tmp_path_factory):
    """A folder far from the checkout, where the commands run one after the other."""
    return tmp_path_factory.mktemp("anywhere")


def shell_lines(readme):
    text = "\n".join(code_blocks(readme, "sh")).replace("\\\n", " ")
    return [line for line in text.splitlines() if line.strip() and not line.startswith("#")]


def test_the_set_up_is_two_commands(readme):
    lines = [line for line in shell_lines(readme) if "pip install" in line]
    assert lines == [
        "python -m pip install -c constraints.txt '.[extract,plots]' && lager demo",
        "python -m pip install -c constraints.txt -e '.[dev]' && python -m pytest",
    ]


def test_the_commands_and_the_python_example_run_as_shown(readme, workplace):
    commands = [line for line in shell_lines(readme) if line.startswith("lager ")]
    assert any(line.startswith("lager demo") for line in commands)
    for line in commands:
        command = [sys.executable, "-c", "from lager.cli import main; main()", *shlex.split(line)[1:]]
        done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=workplace)
        assert done.returncode == 0, f"{line}\n{done.stdout}\n{done.stderr}"
    for block in code_blocks(readme, "python"):
        done = subprocess.run([sys.executable, "-c", block], capture_output=True, text=True, check=False, cwd=workplace)
        assert done.returncode == 0, done.stderr


def test_the_extras_that_it_names_exist(readme, repository):
    extras = tomllib.loads((repository / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    named = {extra for group in re.findall(r"lager\[([a-z,]+)\]", readme) for extra in group.split(",")}
    assert named
    assert named <= set(extras)


def test_the_links_lead_somewhere(readme, repository):
    links = [link for link in re.findall(r"\]\(([^)]+)\)", readme) if "://" not in link]
    assert links
    assert [link for link in links if not (repository / link.partition("#")[0]).exists()] == []
