"""Hashes of large files are remembered, and never believed of a file that changed."""

import hashlib
import json
import os

import pytest
from lager.data.files import known_hashes
from lager.data.files.known_hashes import known_sha256


@pytest.fixture
def hashed(tmp_path, monkeypatch):
    """The files that were read to be hashed."""
    monkeypatch.setenv("LAGER_HOME", str(tmp_path / "home"))
    monkeypatch.setattr(known_hashes, "LARGE_BYTES", 10)
    names = []
    original = known_hashes.sha256_file
    monkeypatch.setattr(known_hashes, "sha256_file", lambda path: (names.append(path.name), original(path))[1])
    return names


def right(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_a_file_is_read_once_also_by_another_name(tmp_path, hashed):
    path = tmp_path / "weights"
    path.write_bytes(b"a" * 20)
    (tmp_path / "link").symlink_to(path)
    assert known_sha256(path) == known_sha256(path) == known_sha256(tmp_path / "link") == right(path)
    assert hashed == ["weights"]
    assert known_sha256(path, anew=True) == right(path)
    assert len(hashed) == 2


def test_a_file_that_changed_is_read_again_also_with_its_old_time_and_size(tmp_path, hashed):
    path = tmp_path / "weights"
    path.write_bytes(b"a" * 20)
    known_sha256(path)
    before = path.stat()
    path.write_bytes(b"b" * 20)
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert known_sha256(path) == right(path)
    path.unlink()
    path.write_bytes(b"c" * 20)
    assert known_sha256(path) == right(path)


def test_small_files_damaged_records_and_a_home_that_cannot_be_written_cost_a_reading(tmp_path, hashed, monkeypatch):
    small = tmp_path / "small"
    small.write_bytes(b"a")
    assert known_sha256(small) == right(small)
    assert not (tmp_path / "home").exists()
    path = tmp_path / "weights"
    path.write_bytes(b"a" * 20)
    known_sha256(path)
    (record,) = (tmp_path / "home" / "hashes").iterdir()
    for text in ("{", json.dumps({**json.loads(record.read_text()), "sha256": "x"}), "[]"):
        record.write_text(text)
        assert known_sha256(path) == right(path)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("LAGER_HOME", str(tmp_path / "file" / "home"))
    assert known_sha256(path) == right(path)
