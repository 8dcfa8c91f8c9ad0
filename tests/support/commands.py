"""Commands run in the tests' own process."""

import pytest
from lager.cli import main

from .schemas import check_output


def run_command(capsys, *arguments):
    """Run a command; its exit status, standard output and standard error. JSON that it prints fits its schema."""
    with pytest.raises(SystemExit) as left:
        main([*map(str, arguments)])
    captured = capsys.readouterr()
    status = left.value.code or 0
    if "--json" in arguments and captured.out and status in (0, 3, 4):
        check_output("-".join(map(str, arguments[: 2 if arguments[0] == "cache" else 1])), captured.out)
    return status, captured.out, captured.err
