"""Object stores whose answers do not come to an end."""

import threading
import time

import fsspec
import pytest
from fsspec.implementations.local import LocalFileOpener, LocalFileSystem
from lager.data.files.canonical import sha256_file
from lager.data.remote import patience, timed_remote, transfer
from lager.data.remote.folder import FolderRemote
from lager.data.remote.patience import each_in_time, in_time
from lager.data.remote.pull import pull
from lager.data.remote.push import push
from lager.data.remote.remote import UnreachableError
from lager.data.remote.timed_remote import TimedRemote
from lager.data.tools.verify import verify_cache
from support.caches import make_cache


class Clock:
    """What `patience` takes for the time: moved on by hand, so that no test hangs on how fast this machine is."""

    def __init__(self):
        self.ahead = 0.0

    def monotonic(self):
        return time.monotonic() + self.ahead


@pytest.fixture
def clock(monkeypatch):
    monkeypatch.setattr(patience, "time", clock := Clock())
    return clock


@pytest.fixture
def late(clock):
    """A call of which no end is seen before the test's own, a day by the clock."""
    over = threading.Event()

    def wait():
        clock.ahead += 86_400
        over.wait(60)

    yield wait
    over.set()


def file_system(name, **methods):
    """Register local files as a file system of its own, some of whose methods are others."""
    strip = classmethod(lambda cls, path: "/" + str(path).removeprefix(f"{name}:").lstrip("/"))
    kind = type(name, (LocalFileSystem,), {"protocol": name, "_strip_protocol": strip, **methods})
    fsspec.register_implementation(name, kind, clobber=True)


def test_a_store_that_stops_in_the_middle_of_a_file_is_given_up(late, tmp_path, monkeypatch):
    class Stuck(LocalFileOpener):
        def read(self, length=-1):
            if not self.path.endswith("manifest.json"):
                late()
            return super().read(length)

    monkeypatch.setattr(transfer, "_FIRST_PAUSE_SECONDS", 0.001)
    file_system("stuck", _open=lambda self, path, mode="rb", block_size=None, **options: Stuck(path, mode, fs=self))
    make_cache(tmp_path / "there")
    with pytest.raises(UnreachableError, match=r"no answer in 120 s"):
        pull(f"stuck://{tmp_path / 'there'}", tmp_path / "here", jobs=1, shown=False)
    assert not (tmp_path / "here").exists()


def test_a_store_that_takes_no_end_of_a_file_is_given_up_and_the_same_push_goes_on(late, tmp_path):
    waits = [late]

    def put_file(self, source, target, **options):
        if "shards" in target and waits:
            waits.pop()()
        LocalFileSystem.put_file(self, source, target, **options)

    file_system("silent", put_file=put_file)
    made, there = make_cache(tmp_path / "cache"), f"silent:/{tmp_path}/there"
    with pytest.raises(UnreachableError, match=r"shards/0000\d\.h5: no answer in 12\d s"):
        push(made.path, there, jobs=1, shown=False)
    assert not (tmp_path / "there" / "manifest.json").exists()
    assert push(made.path, there, jobs=1, shown=False).content_hash
    assert verify_cache(tmp_path / "there") == []


def test_large_files_have_the_time_of_their_blocks(clock, late, tmp_path, monkeypatch):
    monkeypatch.setattr(timed_remote, "BLOCK", 100)
    (tmp_path / "file").write_bytes(b"x" * 1000)

    class Slow(FolderRemote):
        def send(self, source, name, *, sha256):
            clock.ahead += 10 * 120
            super().send(source, name, sha256=sha256)

        def size(self, name):
            late()

    remote = TimedRemote(Slow(tmp_path / "to"))
    (tmp_path / "to").mkdir()
    remote.send(tmp_path / "file", "file", sha256=sha256_file(tmp_path / "file"))
    assert (tmp_path / "to" / "file").read_bytes() == b"x" * 1000
    with pytest.raises(UnreachableError, match=r"to/file: no answer in 120 s"):
        remote.size("file")


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
