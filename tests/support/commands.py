"""Commands run in the tests' own process."""

import pytest
from lager.cli import main


def run_command(capsys, *arguments):
    """Run a command; its exit status, standard output and standard error."""
    with pytest.raises(SystemExit) as left:
        main([*map(str, arguments)])
    captured = capsys.readouterr()
    return left.value.code or 0, captured.out, captured.err
