"""Disks that cannot be written, refuse locks, or are read by many at once."""

import fcntl
import os
import shutil
import subprocess
import sys

import pytest
from lager.data.cache.feature_cache import FeatureCache
from lager.data.cache.manifest import shard_name
from lager.data.run.cache_writer import CacheWriter
from support.caches import identity, make_cache, make_items, make_shard, write
from support.web_server import web_server

READ_ALL = """
import sys
from lager import FeatureCache
cache = FeatureCache.open(sys.argv[1])
print(cache.logits.sum(), cache.mean_scores.sum(), cache.score_mass.sum(), flush=True)
"""
READ_ONE_SHARD = """
import sys
from pathlib import Path
from lager.data.cache.shards import read_shard
path, stop = Path(sys.argv[1]), Path(sys.argv[2])
first, times = read_shard(path).logits.sum(), 0
print("reading", flush=True)
while not stop.exists():
    assert read_shard(path).logits.sum() == first
    times += 1
print(times)
"""


def reading(code, *arguments, prefix=(), **variables):
    command = [*prefix, sys.executable, "-c", code, *map(str, arguments)]
    return subprocess.Popen(
        command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True, env={**os.environ, **variables}
    )


def read_only(folder, mount):
    """The beginning of a command that sees `folder` at `mount`, where nothing can be written; skip where forbidden."""
    mount.mkdir()
    script = f'mount --bind -o ro {folder} {mount} && exec "$@"'
    for unshare in (["unshare", "-m"], ["unshare", "-rm"]):
        if shutil.which("unshare"):
            prefix = [*unshare, "sh", "-c", script, "sh"]
            tried = subprocess.run([*prefix, "touch", f"{mount}/x"], capture_output=True, text=True, check=False)
            if "Read-only file system" in tried.stderr:
                return prefix
    pytest.skip("no read-only mounts here")


def test_a_cache_on_a_read_only_mount_is_read(tmp_path):
    made = make_cache(tmp_path / "disk" / "cache")
    prefix = read_only(tmp_path / "disk", tmp_path / "mount")
    out, err = reading(READ_ALL, tmp_path / "mount" / "cache", prefix=prefix).communicate()
    assert err == ""
    assert out.split()[0] == str(made.logits.sum())


def test_a_store_on_a_read_only_mount_serves_what_it_has(tmp_path, monkeypatch):
    made = make_cache(tmp_path / "cache")
    with web_server(made.path.parent) as server:
        monkeypatch.setenv("LAGER_HOME", str(tmp_path / "disk" / "store"))
        FeatureCache.open(f"{server.url}/cache")
        prefix = read_only(tmp_path / "disk", tmp_path / "mount")
        home = str(tmp_path / "mount" / "store")
        out, err = reading(READ_ALL, f"{server.url}/cache", prefix=prefix, LAGER_HOME=home).communicate()
    assert err == ""
    assert out.split()[0] == str(made.logits.sum())


@pytest.mark.slow
def test_eight_readers_at_once_need_no_locks(tmp_path):
    made = make_cache(tmp_path / "cache")
    held = [path.open("rb") for path in sorted(made.path.rglob("*")) if path.is_file()]
    for file in held:
        fcntl.flock(file, fcntl.LOCK_EX)  # as if the disk refused every lock
    readers = [reading(READ_ALL, made.path, HDF5_USE_FILE_LOCKING="TRUE") for _ in range(8)]
    results = [reader.communicate() for reader in readers]
    for file in held:
        file.close()
    assert {err for _, err in results} == {""}
    assert {out.split()[0] for out, _ in results} == {str(made.logits.sum())}


@pytest.mark.slow
def test_finished_shards_are_read_while_others_are_written(tmp_path):
    items = make_items(400)
    shard = make_shard(items)
    writer = CacheWriter.start(tmp_path / "cache", identity=identity(), item_id=items.item_id, shard_size=16)
    write(writer, 0, shard, items)
    stop = tmp_path / "stop"
    readers = [reading(READ_ONE_SHARD, tmp_path / "cache" / shard_name(0), stop) for _ in range(8)]
    for reader in readers:
        assert reader.stdout.readline() == "reading\n"
    for k in range(1, writer.n_shards):
        write(writer, k, shard, items)
    finished = writer.finalize()
    stop.touch()
    results = [reader.communicate() for reader in readers]
    assert {err for _, err in results} == {""}
    assert all(int(out) > 0 for out, _ in results)
    assert len(finished.logits) == 400
