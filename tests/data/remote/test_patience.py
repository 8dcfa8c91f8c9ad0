"""Object stores whose answers do not come to an end."""

import threading
import time

import fsspec
import pytest
from fsspec.implementations.local import LocalFileOpener, LocalFileSystem
from lager.data.remote import patience, transfer
from lager.data.remote.patience import each_in_time, in_time
from lager.data.remote.pull import pull
from lager.data.remote.remote import UnreachableError
from support.caches import make_cache


class StuckFile(LocalFileOpener):
    """A file whose bytes, but for a manifest's, do not come."""

    def read(self, length=-1):
        if not self.path.endswith("manifest.json"):
            time.sleep(3)
        return super().read(length)


class Stuck(LocalFileSystem):
    """A file system that sends the manifest, and then nothing."""

    protocol = "stuck"

    @classmethod
    def _strip_protocol(cls, path):
        return "/" + str(path).removeprefix("stuck:").lstrip("/")

    def _open(self, path, mode="rb", block_size=None, **options):
        return StuckFile(path, mode, fs=self)


@pytest.fixture
def place(tmp_path, monkeypatch):
    monkeypatch.setattr(patience, "SECONDS", 0.2)
    monkeypatch.setattr(transfer, "_FIRST_PAUSE_SECONDS", 0.001)
    fsspec.register_implementation("stuck", Stuck, clobber=True)
    make_cache(tmp_path / "there")
    return f"stuck://{tmp_path / 'there'}"


def test_a_store_that_stops_in_the_middle_of_a_file_is_given_up(place, tmp_path):
    begun = time.monotonic()
    with pytest.raises(UnreachableError, match=r"no answer in 0\.2 s"):
        pull(place, tmp_path / "here", shown=False)
    assert time.monotonic() - begun < 10
    assert not (tmp_path / "here").exists()


def test_who_waits_is_stopped_at_once():
    stop = threading.Event()
    threading.Timer(0.1, stop.set).start()
    begun = time.monotonic()
    with pytest.raises(UnreachableError, match="stopped"):
        next(each_in_time(iter(lambda: time.sleep(20), 1), what="a file", stop=stop))
    assert time.monotonic() - begun < 5


def test_answers_and_errors_come_through():
    assert in_time(lambda: 3, what="a file") == 3
    with pytest.raises(KeyError):
        in_time(lambda: {}["a"], what="a file")
    assert list(each_in_time(iter([1, None, 2]), what="a file", stop=threading.Event())) == [1, None, 2]
