"""Standard output and error that are closed, left by their reader, or on a full disk."""

import subprocess
import sys
from pathlib import Path

import pytest

PRINTS = """
import sys
from lager.data.errors import LagerError
from lager.data.streams import safe_streams
with safe_streams():
    try:
        try:
            for _ in range(20000):
                print("a result")
            print("a note", file=sys.stderr)
            open(sys.argv[1], "w").write("a file")
        finally:
            sys.stdout.flush()
    except LagerError as error:
        print(f"error: {error}", file=sys.stderr)
        sys.exit(1)
"""
needs_full = pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full here")


def run(tmp_path, redirection):
    """Run what prints, through a shell; its exit status, output, errors, and the file that it wrote."""
    made = tmp_path / "made"
    command = f"\"$0\" -c '{PRINTS}' {made} {redirection}"
    done = subprocess.run(["bash", "-c", command, sys.executable], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr, made.read_text() if made.exists() else None


@pytest.mark.parametrize("closed", [">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_quiet_and_no_file_takes_their_place(tmp_path, closed):
    status, out, err, made = run(tmp_path, closed)
    assert (status, made) == (0, "a file")
    assert out == ("" if ">&- " in f"{closed} " and closed != "2>&-" else "a result\n" * 20000)
    assert err == ("" if "2>&-" in closed else "a note\n")


def test_a_reader_that_leaves_does_not_keep_files_from_being_written(tmp_path):
    status, out, err, made = run(tmp_path, '| head -1; exit "${PIPESTATUS[0]}"')
    assert (status, out, err, made) == (0, "a result\n", "a note\n", "a file")


@needs_full
def test_a_result_that_does_not_arrive_is_one_line_and_leaves_with_one(tmp_path):
    status, _, err, _ = run(tmp_path, "> /dev/full")
    assert (status, err) == (1, "error: cannot write to standard output: No space left on device\n")


@needs_full
def test_notes_that_cannot_be_written_end_nothing(tmp_path):
    assert run(tmp_path, "2> /dev/full") == (0, "a result\n" * 20000, "", "a file")
