"""Pushing to and pulling from an S3-compatible server that really runs."""

import os
import secrets

import numpy as np
import pytest
from lager.data.cache.feature_cache import FeatureCache
from lager.data.errors import LagerError
from lager.data.remote import object_store, transfer
from lager.data.remote.open import open_writable
from lager.data.remote.pull import pull
from lager.data.remote.push import push
from lager.data.remote.remote import UnreachableError
from lager.data.remote.removal import remove_cache
from lager.data.tools.verify import verify_cache
from support.caches import make_cache
from support.s3_server import cutting_proxy, s3_server

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::ResourceWarning"),  # the S3 client leaves connections to the interpreter
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
    pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning"),
]


@pytest.fixture(scope="module")
def server():
    with s3_server() as url:
        yield url


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made") / "cache"
    return make_cache(folder, n=1500, shard_size=500)


@pytest.fixture
def bucket(server, monkeypatch):
    monkeypatch.setattr(transfer, "_FIRST_PAUSE_SECONDS", 0.001)
    for name, value in (
        ("AWS_ACCESS_KEY_ID", "test"),
        ("AWS_SECRET_ACCESS_KEY", "testtest"),
        ("AWS_REGION", "us-east-1"),
    ):
        monkeypatch.setenv(name, os.environ.get(name, value))
    monkeypatch.setenv("AWS_ENDPOINT_URL", server)
    import s3fs

    monkeypatch.setenv("AWS_MAX_ATTEMPTS", "1")  # three layers try again, one above the other: too slow for a test
    monkeypatch.setattr(s3fs.S3FileSystem, "retries", 1)
    monkeypatch.setattr(transfer, "_ATTEMPTS", 2)
    name = f"lager-{secrets.token_hex(4)}"
    files = s3fs.S3FileSystem(skip_instance_cache=True, use_listings_cache=False)
    files.mkdir(name)
    return name, files


def test_a_cache_goes_to_s3_and_comes_back(bucket, made, tmp_path, monkeypatch):
    name, files = bucket
    done = push(made.path, f"s3://{name}/caches/a", shown=False)
    assert (done.sent, done.kept) == (4, 0)
    assert {path.rpartition("caches/a/")[2] for path in files.find(name)} == {
        "README.md", "items.parquet", "manifest.json", "shards/00000.h5", "shards/00001.h5", "shards/00002.h5",
    }  # fmt: skip
    assert push(made.path, f"s3://{name}/caches/a", shown=False).sent == 0
    pull(f"s3://{name}/caches/a", tmp_path / "here", shown=False)
    assert verify_cache(tmp_path / "here") == []
    monkeypatch.setenv("LAGER_HOME", str(tmp_path / "store"))
    np.testing.assert_array_equal(FeatureCache.open(f"s3://{name}/caches/a").logits, made.logits)


def test_a_cache_is_removed_from_s3(bucket, made):
    name, files = bucket
    push(made.path, f"s3://{name}/cache", shown=False)
    assert remove_cache(f"s3://{name}/cache").n_files == 4
    files.invalidate_cache()
    assert files.find(name) == []


def test_an_interrupted_push_goes_on_without_sending_a_file_twice(bucket, made):
    name, files = bucket
    push(made.path, f"s3://{name}/a", shown=False)
    files.rm([f"{name}/a/manifest.json", f"{name}/a/shards/00001.h5"])
    before = {path: files.info(path)["LastModified"] for path in files.find(f"{name}/a/shards")}
    done = push(made.path, f"s3://{name}/a", shown=False)
    assert (done.sent, done.kept) == (1, 3)
    assert all(files.info(path)["LastModified"] == time for path, time in before.items())
    assert files.exists(f"{name}/a/manifest.json")


def test_an_upload_cut_off_in_mid_file_leaves_no_file_and_no_manifest(bucket, made, server, monkeypatch, tmp_path):
    name, files = bucket
    with cutting_proxy(server) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        proxy.up = 70_000  # the items go through, and a part of a shard
        with pytest.raises(UnreachableError, match="cannot reach s3://"):
            push(made.path, f"s3://{name}/a", jobs=1, shown=False)
        assert not any(path.endswith(("manifest.json", ".h5")) for path in files.find(name))
        proxy.up = None
        push(made.path, f"s3://{name}/a", shown=False)
        pull(f"s3://{name}/a", tmp_path / "here", shown=False)
    assert verify_cache(tmp_path / "here") == []


def test_a_download_cut_off_in_mid_file_goes_on_by_range(bucket, made, server, monkeypatch, tmp_path):
    name, _ = bucket
    push(made.path, f"s3://{name}/a", shown=False)
    size = (made.path / "shards" / "00000.h5").stat().st_size
    monkeypatch.setattr(object_store, "BLOCK", 16_384)
    with cutting_proxy(server) as proxy:
        monkeypatch.setenv("AWS_ENDPOINT_URL", proxy.url)
        proxy.down = 40_000 + size // 2  # the manifest and the items go through, and a part of a shard
        with pytest.raises(UnreachableError):
            pull(f"s3://{name}/a", tmp_path / "here", jobs=1, shown=False)
        parts = list((tmp_path / ".here.pulling").rglob("*.part"))
        assert parts
        assert not (tmp_path / "here").exists()
        kept = parts[0].stat().st_size
        assert 0 < kept < size
        proxy.down, proxy.passed["down"] = None, 0
        pull(f"s3://{name}/a", tmp_path / "here", jobs=1, shown=False)
        whole = sum(path.stat().st_size for path in (tmp_path / "here").rglob("*") if path.is_file())
        assert proxy.passed["down"] < whole - kept + 20_000  # and headers
    assert verify_cache(tmp_path / "here") == []


def test_a_place_is_claimed_by_one_push_alone(bucket, made):
    name, files = bucket
    first, second = (open_writable(f"s3://{name}/there") for _ in range(2))
    assert first.claim("claim.json", b"mine") == b"mine"
    assert second.claim("claim.json", b"other") == b"mine"
    first.remove("claim.json")
    assert second.claim("claim.json", b"other") == b"other"
    push(made.path, f"s3://{name}/cache", shown=False)
    assert not any("unfinished" in path for path in files.find(f"{name}/cache"))


def test_objects_are_public_only_when_asked_for(bucket, made):
    name, files = bucket
    for public in (False, True):
        push(made.path, f"s3://{name}/{public}", public=public, shown=False)
        grants = files.call_s3("get_object_acl", Bucket=name, Key=f"{public}/manifest.json")["Grants"]
        assert any("AllUsers" in str(grant) for grant in grants) == public


def test_a_missing_bucket_and_wrong_keys_are_told(bucket, made, monkeypatch, tmp_path):
    with pytest.raises(LagerError, match="holds no complete cache"):
        pull("s3://no-such-bucket-here/a", tmp_path / "here", shown=False)
    with pytest.raises(LagerError, match="s3://no-such-bucket-here"):
        push(made.path, "s3://no-such-bucket-here/a", shown=False)


def test_keys_that_are_missing_are_told_and_a_public_cache_needs_none(bucket, made, monkeypatch, tmp_path):
    name, _ = bucket
    push(made.path, f"s3://{name}/a", public=True, shown=False)
    for variable in ("AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY"):
        monkeypatch.delenv(variable)
    for variable in ("HOME", "AWS_SHARED_CREDENTIALS_FILE", "AWS_CONFIG_FILE"):
        monkeypatch.setenv(variable, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with pytest.raises(LagerError, match="no credentials were found"):
        pull(f"s3://{name}/a", tmp_path / "here", shown=False)
    import fsspec

    monkeypatch.setitem(fsspec.config.conf, "s3", {"anon": True})
    pull(f"s3://{name}/a", tmp_path / "here", shown=False)
    assert verify_cache(tmp_path / "here") == []


def test_a_backend_without_atomic_writes_gets_temporary_names(made, tmp_path):
    import fsspec

    push(made.path, "memory://there", shown=False)
    names = fsspec.filesystem("memory").find("/there")
    assert not any(".part" in name for name in names)
    pull("memory://there", tmp_path / "here", shown=False)
    assert verify_cache(tmp_path / "here") == []
