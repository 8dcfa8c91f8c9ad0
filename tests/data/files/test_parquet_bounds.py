"""A Parquet file is believed only as far as its own size goes."""

import os
import subprocess
import sys
import time
from pathlib import Path

import polars as pl
import pytest
from lager.data.errors import LagerError
from lager.data.files.child_process import ChildProcess
from lager.data.files.parquet import read_parquet

MESSAGES = [{"id": i, "messages": [{"role": "user", "content": f"text {i}" * 9}], "score": [1.0]} for i in range(3000)]


def refused(path):
    with pytest.raises(LagerError) as error:
        read_parquet(path, what="item file")
    return str(error.value)


@pytest.mark.parametrize(
    "how", [{}, {"compression": "uncompressed"}, {"row_group_size": 700}, {"data_page_size": 500}, {"statistics": True}]
)
def test_what_polars_writes_is_read(tmp_path, how):
    table = pl.DataFrame(MESSAGES)
    table.write_parquet(tmp_path / "a.parquet", **how)
    assert read_parquet(tmp_path / "a.parquet", what="item file").equals(table)


@pytest.mark.parametrize("how", [{}, {"data_page_version": "2.0"}, {"version": "1.0"}, {"use_dictionary": False}])
def test_what_arrow_writes_is_read(tmp_path, how):
    arrow, parquet = pytest.importorskip("pyarrow"), pytest.importorskip("pyarrow.parquet")
    parquet.write_table(arrow.Table.from_pylist(MESSAGES), tmp_path / "a.parquet", **how)
    assert read_parquet(tmp_path / "a.parquet", what="item file").to_dicts() == MESSAGES


def test_runs_of_more_values_than_the_file_is_good_for_are_refused(tmp_path):
    pl.DataFrame({"a": pl.zeros(20_000_000, dtype=pl.Float32, eager=True)}).write_parquet(tmp_path / "a.parquet")
    assert "claims 20000000 values" in refused(tmp_path / "a.parquet")


def test_pages_that_unpack_to_much_more_than_the_file_are_refused(tmp_path):
    path = tmp_path / "a.parquet"
    pl.DataFrame({"a": ["x" * 40_000_000] * 9}).write_parquet(
        path, use_pyarrow=False, compression="zstd", statistics=False
    )
    assert path.stat().st_size < 1_000_000
    assert refused(path)


def test_one_long_text_that_is_told_again_and_again_is_refused(tmp_path):
    table = pl.DataFrame({"group": ["y" * 1_000_000] * 300})
    table.write_parquet(tmp_path / "a.parquet")
    assert "the same over and over" in refused(tmp_path / "a.parquet")
    table.cast(pl.Categorical).write_parquet(tmp_path / "b.parquet")
    assert "the same over and over" in refused(tmp_path / "b.parquet")


def test_every_cut_and_every_other_kind_of_file_is_refused(tmp_path):
    path = tmp_path / "a.parquet"
    pl.DataFrame(MESSAGES[:20]).write_parquet(path)
    data = path.read_bytes()
    for length in [0, 4, 8, 11, 12, *range(50, len(data), 97), len(data) - 1]:
        path.write_bytes(data[:length])
        assert "damaged" in refused(path)


def test_a_footer_that_nests_or_counts_without_end_is_refused(tmp_path):
    for footer in (
        b"\x1c" * 4000,
        b"\x19\xfc\xff\xff\xff\xff\x0f",
        b"\x15" + b"\xff" * 11,
        b"\x18\xff\xff\xff\xff\x0f",
    ):
        path = tmp_path / "a.parquet"
        path.write_bytes(b"PAR1" + footer + len(footer).to_bytes(4, "little") + b"PAR1")
        assert "damaged" in refused(path)


def runs_of_numbers(path):
    pl.select(a=pl.zeros(60_000_000, dtype=pl.Float32, eager=True).implode()).write_parquet(path)


def a_text_told_often(path):
    pl.DataFrame({"group": ["y" * 1_000_000]})[[0] * 1000].write_parquet(path)


def bytes_told_often(path):
    pl.DataFrame({"group": [b"y" * 1_000_000]})[[0] * 1000].write_parquet(path)


def texts_deep_inside(path):
    pl.DataFrame({"a": [[{"b": [{"c": "y" * 10_000_000}] * 20}] * 2]}).write_parquet(path)


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="memory is looked up in /proc")
@pytest.mark.parametrize("write", [runs_of_numbers, a_text_told_often, bytes_told_often, texts_deep_inside])
def test_small_files_of_much_content_take_no_memory_here_and_little_in_the_child(tmp_path, write):
    path = tmp_path / "a.parquet"
    write(path)
    assert path.stat().st_size < 60_000
    code = r"""if True:
        import re, resource, sys
        from pathlib import Path
        from lager.data.files.parquet import read_parquet
        try:
            read_parquet(Path(sys.argv[1]), what="item table")
        except ValueError as error:
            print(error)
        print(re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())[1])
        print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)
    """
    done = subprocess.run([sys.executable, "-c", code, path], capture_output=True, text=True, check=True)
    message, here, child = done.stdout.splitlines()
    assert "damaged" in message
    assert int(here) < 250 << 10
    assert int(child) < 850 << 10


def test_what_a_child_knows_of_this_process_is_where_libraries_are(tmp_path, monkeypatch):
    script = tmp_path / "script.py"
    script.write_text("import json, os, sys\nsys.stdin.readline()\nprint(json.dumps([*os.environ, *sys.path]))")
    monkeypatch.setenv("HF_TOKEN", "secret")
    monkeypatch.chdir(tmp_path)
    known = ChildProcess(script, MORE="1").ask({}, seconds=60)
    assert "MORE" in known
    assert not {"HF_TOKEN", "", str(tmp_path)} & {*known}


def test_a_child_that_does_not_answer_in_time_is_stopped(tmp_path):
    script = tmp_path / "script.py"
    script.write_text("import time\ntime.sleep(600)")
    child = ChildProcess(script)
    assert child.ask({}, seconds=0.2) is None
    assert child.ask({}, seconds=60) is None


@pytest.mark.skipif(not Path("/proc").is_dir(), reason="processes are looked up in /proc")
def test_a_child_ends_when_its_parent_is_killed_while_it_reads(tmp_path):
    os.mkfifo(tmp_path / "a.parquet")  # reading it has no end
    code = (
        "import sys, threading, time\nfrom lager.data.files.child_process import ChildProcess\n"
        "from lager.data.files.parquet import _CHILD\nchild = ChildProcess(_CHILD)\n"
        "question = {'path': sys.argv[1], 'memory': 1 << 30, 'most': 1 << 28}\n"
        "threading.Thread(target=child.ask, args=(question,), kwargs={'seconds': 600}, daemon=True).start()\n"
        "time.sleep(2)\nprint(child._child.pid, flush=True)\ntime.sleep(600)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code, tmp_path / "a.parquet"], stdout=subprocess.PIPE, text=True)
    pid = int(parent.stdout.readline())
    assert is_running(pid)
    parent.kill()
    parent.wait()
    parent.stdout.close()
    until = time.monotonic() + 20
    while is_running(pid) and time.monotonic() < until:
        time.sleep(0.1)
    assert not is_running(pid)


def is_running(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False
