"""Folders of results: one writer at a time, taken up where one was killed, finished ones never touched."""

import signal
import subprocess
import sys
from pathlib import Path

import pytest
from lager.data.errors import LagerError
from lager.data.files.locks import own
from lager.data.files.out_folder import UNFINISHED, filling
from lager.data.files.writing import replacing

NAMES = ("results.json", "figures")
WRITES = """
import sys, time
from pathlib import Path
from lager.data.files.out_folder import filling
with filling(Path(sys.argv[1]), ("results.json", "figures")):
    Path(sys.argv[1], "results.json").write_text("half")
    Path(sys.argv[1], "figures").mkdir()
    print("written", flush=True)
    time.sleep(60)
"""


@pytest.fixture
def writer(tmp_path):
    """Another process that fills a folder and has not come to its end."""
    process = subprocess.Popen([sys.executable, "-c", WRITES, tmp_path / "out"], stdout=subprocess.PIPE, text=True)
    assert process.stdout.readline() == "written\n"
    yield process
    process.kill()
    process.communicate()


def test_a_second_writer_is_refused_and_told_who_writes(tmp_path, writer):
    with (
        pytest.raises(LagerError, match=rf"being written already \(process {writer.pid} on "),
        filling(tmp_path / "out", NAMES),
    ):
        pytest.fail("two at once")
    assert (tmp_path / "out" / "results.json").read_text() == "half"


def test_what_a_killed_writer_left_is_removed_by_the_next(tmp_path, writer):
    (tmp_path / "out" / "mine.txt").write_text("kept")
    writer.send_signal(signal.SIGKILL)
    writer.wait()
    with filling(tmp_path / "out", NAMES):
        assert sorted(one.name for one in (tmp_path / "out").iterdir()) == ["mine.txt", UNFINISHED]
        (tmp_path / "out" / "results.json").write_text("whole")
    assert sorted(one.name for one in (tmp_path / "out").iterdir()) == ["mine.txt", "results.json"]
    with pytest.raises(LagerError, match=r"results\.json exists already"), filling(tmp_path / "out", NAMES):
        pytest.fail("finished results are replaced")


def test_a_block_that_fails_leaves_nothing_or_a_folder_that_can_be_filled_again(tmp_path):
    with pytest.raises(KeyError), filling(tmp_path / "out", NAMES):
        raise KeyError
    assert not (tmp_path / "out").exists()
    with pytest.raises(KeyError), filling(tmp_path / "out", NAMES):
        raise KeyError((tmp_path / "out" / "results.json").write_text("half"))
    with filling(tmp_path / "out", NAMES):
        assert not (tmp_path / "out" / "results.json").exists()


def test_files_that_were_there_are_refused_and_no_lock_is_left(tmp_path):
    (tmp_path / "figures").mkdir()
    with pytest.raises(LagerError, match="figures exists already"), filling(tmp_path, NAMES):
        pytest.fail("filled")
    assert [one.name for one in tmp_path.iterdir()] == ["figures"]


def test_a_name_that_is_too_long_wants_a_shorter_one(tmp_path):
    name = "n" * 250  # what is added to it makes it too long
    with (
        pytest.raises(LagerError, match="File name too long; choose a shorter name"),
        replacing(tmp_path / name),
    ):
        pytest.fail("no such name can be had")
    with pytest.raises(LagerError, match="File name too long; choose a shorter name"):
        own(tmp_path / f"{name}.partial.lock", what="the file")
    with pytest.raises(LagerError, match="choose a folder you can write to"):
        own(Path("/dev/null/a.lock"), what="the file")
