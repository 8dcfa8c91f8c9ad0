"""Items that are packed, or come from standard input, are those of the plain file."""

import gzip
import io
import json
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from lager.data import open_items as module
from lager.data.errors import LagerError
from lager.data.items.lazy_items import blocks
from lager.data.open_items import open_items

ROWS = [{"id": f"q{i}", "prompt": f"text {i}", "score": i % 5 + 1} for i in range(50)]
LINES = "".join(json.dumps(row) + "\n" for row in ROWS)


@pytest.fixture
def scratch(tmp_path, monkeypatch):
    """Where temporary copies lie."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(folder))
    return folder


@pytest.mark.parametrize("name", ["items.jsonl.gz", "items.csv.gz"])
@pytest.mark.parametrize("large", [False, True])
def test_a_packed_file_is_that_file(tmp_path, scratch, monkeypatch, name, large):
    text = (
        LINES
        if "jsonl" in name
        else "id,prompt,score\n" + "".join(f"{r['id']},{r['prompt']},{r['score']}\n" for r in ROWS)
    )
    (tmp_path / name.removesuffix(".gz")).write_text(text)
    (tmp_path / name).write_bytes(gzip.compress(text.encode()))
    if large:
        monkeypatch.setattr(module, "EAGER_BYTES", 10)
    plain, packed = open_items(tmp_path / name.removesuffix(".gz")), open_items(tmp_path / name)
    assert packed.ids == plain.ids
    (one,), (other,) = blocks(packed), blocks(plain)
    assert (one.fields, one.table.equals(other.table)) == (other.fields, True)
    assert packed.source == plain.source
    del packed, plain, one, other
    assert list(scratch.iterdir()) == []


def test_standard_input_is_json_lines(tmp_path, scratch, monkeypatch):
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(LINES.encode())))
    assert open_items("-").ids.n == 50
    assert list(scratch.iterdir()) == []


def test_what_is_wrong_names_the_file_that_was_given(tmp_path, scratch):
    (tmp_path / "bad.jsonl.gz").write_bytes(gzip.compress(b'{"id": 1}\n{'))
    with pytest.raises(LagerError, match=r"bad\.jsonl\.gz, (row|line) 2"):
        open_items(tmp_path / "bad.jsonl.gz")
    (tmp_path / "cut.jsonl.gz").write_bytes(gzip.compress(LINES.encode())[:-30])
    with pytest.raises(LagerError, match=r"cannot read item file .*cut\.jsonl\.gz"):
        open_items(tmp_path / "cut.jsonl.gz")
    (tmp_path / "bomb.jsonl.gz").write_bytes(gzip.compress(b" " * (257 << 20), compresslevel=9))
    with pytest.raises(LagerError, match="split it, or unpack it first"):
        open_items(tmp_path / "bomb.jsonl.gz")
    (tmp_path / "x.txt.gz").write_bytes(gzip.compress(b"x"))
    with pytest.raises(LagerError, match=r"expected a name that ends in \.jsonl"):
        open_items(tmp_path / "x.txt.gz")
    assert list(scratch.iterdir()) == []


def test_the_command_reads_from_a_pipe(tmp_path):
    command = [sys.executable, "-m", "lager", "extract", str(tmp_path / "judge"), "-", "--cache", str(tmp_path / "c")]
    done = subprocess.run(command, input="{", capture_output=True, text=True, check=False, cwd=Path(tmp_path))
    assert done.returncode == 1
    assert done.stderr.startswith("error: -, line 1")
