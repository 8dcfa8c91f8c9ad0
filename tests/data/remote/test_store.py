"""Caches opened by URL: pulled once, kept, listed, removed when nobody uses them."""

import json
import os
import pickle
import shutil
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from lager.cli import main
from lager.data.cache.feature_cache import FeatureCache
from lager.data.errors import LagerError
from lager.data.files.canonical import seal
from lager.data.files.location import as_folder, as_url
from lager.data.machine import parse_size
from lager.data.remote.store import home
from lager.data.remote.store_cleaning import clean_store, parse_age, stored_caches
from support.caches import make_cache
from support.schemas import check_output
from support.web_server import web_server


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made")
    for seed in (0, 1):
        make_cache(folder / f"c{seed}", seed=seed)
        (folder / f"c{seed}" / "run.json").unlink()
    return folder


@pytest.fixture
def store(tmp_path, monkeypatch):
    monkeypatch.setenv("LAGER_HOME", str(tmp_path / "store"))
    return tmp_path / "store"


@pytest.fixture
def server(made, store):
    with web_server(made) as running:
        yield running


def shards_asked(server):
    return [path for path, _, _ in server.requests if path.endswith(".h5")]


def test_a_cache_opened_by_url_is_pulled_once(server, store, made):
    cache = FeatureCache.open(f"{server.url}/c0")
    np.testing.assert_array_equal(cache.logits, FeatureCache.open(made / "c0").logits)
    assert cache.path.is_relative_to(store)
    assert cache.path.name.startswith(cache.fingerprint[:16] + "-" + cache.content_hash[:16])
    n = len(shards_asked(server))
    assert FeatureCache.open(f"{server.url}/c0/").path == cache.path
    assert len(shards_asked(server)) == n


def test_a_path_made_of_a_url_is_the_url_again(server, store):
    assert as_url(Path("s3://bucket/a")) == as_url("s3://bucket/a") == "s3://bucket/a"
    assert as_url("C:/data") is as_url("file:///a") is as_url("cache/a") is as_url("/a:b/c") is None
    assert as_folder(Path("file:///a/b c")) == as_folder("file:///a/b%20c") == Path("/a/b c")
    assert len(FeatureCache.open(Path(f"{server.url}/c0"))) == 40


def test_a_changed_cache_is_pulled_anew_and_an_equal_one_elsewhere_is_not(server, store, tmp_path, made):
    first = FeatureCache.open(f"{server.url}/c0")
    with web_server(made) as twin:
        assert FeatureCache.open(f"{twin.url}/c0").path == first.path
        assert shards_asked(twin) == []
    server.folder = tmp_path
    shutil.copytree(made / "c1", tmp_path / "c0")
    assert FeatureCache.open(f"{server.url}/c0").content_hash != first.content_hash


def test_other_scores_under_the_same_hashes_are_another_cache(server, store, tmp_path, made):
    """A stranger may copy the fingerprint and content hash of a cache, and change what they do not cover."""
    shutil.copytree(made / "c0", tmp_path / "evil")
    manifest = tmp_path / "evil" / "manifest.json"
    manifest.write_text(json.dumps(seal({**json.loads(manifest.read_text()), "recorded": {"model": "evil"}})))
    with web_server(tmp_path) as stranger:
        evil = FeatureCache.open(f"{stranger.url}/evil")
    good = FeatureCache.open(f"{server.url}/c0")
    assert evil.content_hash == good.content_hash
    assert good.manifest["recorded"] == {"model": "tiny"}


def test_without_a_connection_the_stored_copy_is_used_and_stderr_says_so(server, store, capsys):
    url = f"{server.url}/c0"
    path = FeatureCache.open(url.replace("//", "//me:secret@")).path
    server.status = 503
    assert FeatureCache.open(url).path == path
    said = capsys.readouterr().err
    assert "says 503; using the copy that was last checked on" in said
    assert "secret" not in said + "".join(file.read_text() for file in (store / "sources").iterdir())
    with pytest.raises(LagerError, match="says 503"):
        FeatureCache.open(f"{server.url}/c1")
    server.status = 404  # it was reached, and says that there is none
    with pytest.raises(LagerError, match="holds no complete cache"):
        FeatureCache.open(url)


def test_many_processes_that_open_one_url_pull_it_once(server, store):
    code = f"from lager import FeatureCache; print(len(FeatureCache.open({server.url + '/c0'!r}).logits))"
    running = [
        subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
        for _ in range(4)
    ]
    assert [process.communicate()[0] for process in running] == ["40\n"] * 4
    assert len(shards_asked(server)) == len(set(shards_asked(server))) == 3


def test_every_command_takes_a_url_and_none_repeats_its_secrets(server, store, tmp_path, capsys):
    url = server.url.replace("//", "//me:hushhush@")
    one, two = f"{url}/c0?token=hushhush", f"{url}/c1?token=hushhush"
    aggregator, out = str(tmp_path / "a.json"), str(tmp_path / "out")
    for arguments in (
        ["train", one, "--out", aggregator],
        ["evaluate", two, "--train", one, "--aggregator", aggregator, "--out", out, "--strategy", "e-score"],
        ["score", two, "--aggregator", aggregator, "--out", str(tmp_path / "scores.jsonl")],
        ["cache", "info", one, two],
        ["cache", "push", one, str(tmp_path / "there")],
    ):
        with pytest.raises(SystemExit) as end:
            main(arguments)
        printed = capsys.readouterr()
        assert end.value.code == 0, printed.err
        assert "hushhush" not in printed.out + printed.err
    with pytest.raises(SystemExit):
        main(["cache", "repair", one])
    assert "127.0.0.1" in (said := capsys.readouterr().err)
    assert "lager cache pull" in said
    assert "hushhush" not in said
    written = [path for path in tmp_path.rglob("*") if path.is_file()]
    assert written
    assert not [path for path in written if b"hushhush" in path.read_bytes()]


def age(cache, seconds):
    then = time.time() - seconds
    os.utime(cache.path.with_name(cache.path.name + ".lock"), (then, then))


def test_cleaning_goes_by_last_use_then_by_size_and_spares_what_is_open(server, store):
    old, new = FeatureCache.open(f"{server.url}/c0"), FeatureCache.open(f"{server.url}/c1")
    age(old, 40 * 86400)
    month = parse_age("30d")
    assert [one.path for one in clean_store(older_than=month).in_use] == [old.path]
    path = old.path
    del old
    assert [one.path for one in clean_store(older_than=month, dry_run=True).removed] == [path]
    assert path.exists()
    done = clean_store(older_than=month)
    assert ([one.path for one in done.removed], path.exists(), new.path.exists()) == ([path], False, True)
    assert clean_store(max_size=parse_size("1GB")).removed == []
    new_path = new.path
    del new
    assert [one.path for one in clean_store(max_size=0).removed] == [new_path]
    assert stored_caches() == []
    assert [path for path in store.rglob("*") if path.is_file()] == []


def test_a_cache_that_another_process_has_open_stays(server, store):
    code = (
        f"from lager import FeatureCache; c = FeatureCache.open({server.url + '/c0'!r}); print('open', flush=True); "
        "input(); print(len(c.logits))"
    )
    reader = subprocess.Popen(
        [sys.executable, "-c", code],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    assert reader.stdout.readline() == "open\n"
    assert [one.removed for one in [clean_store(max_size=0)]] == [[]]
    assert reader.communicate("\n")[0] == "40\n"
    assert len(clean_store(max_size=0).removed) == 1


def test_a_copy_in_another_process_holds_the_cache_too(server, store):
    cache = FeatureCache.open(f"{server.url}/c0")
    copy = pickle.loads(pickle.dumps(cache))
    del cache
    assert clean_store(max_size=0).removed == []
    assert len(copy.logits) == 40


def test_the_commands_ls_and_gc(server, store, capsys):
    def run(*arguments):
        with pytest.raises(SystemExit) as end:
            main(["cache", *arguments])
        return end.value.code, capsys.readouterr()

    assert "is empty" in run("ls")[1].out
    FeatureCache.open(f"{server.url}/c0")
    code, printed = run("ls", "--json")
    (one,) = check_output("cache-ls", printed.out)["caches"]
    assert (code, one["urls"], one["about"]["items"]) == (0, [f"{server.url}/c0"], 40)
    assert "tiny" in run("ls")[1].out
    assert run("gc")[0] == 1
    assert "would remove" in run("gc", "--max-size", "0", "--dry-run")[1].out
    removed = check_output("cache-gc", run("gc", "--max-size", "0", "--json")[1].out)["removed"]
    assert len(removed) == 1
    assert run("gc", "--older-than", "soon")[1].err.startswith("error: age 'soon': expected")


def test_a_damaged_entry_is_listed_and_fetched_again(server, store):
    path = FeatureCache.open(f"{server.url}/c0").path
    (path / "manifest.json").write_text("{}")
    assert "damaged" in stored_caches()[0].about
    assert FeatureCache.open(f"{server.url}/c0").path == path
    assert len(FeatureCache.open(path)) == 40


@pytest.mark.parametrize(
    ("text", "value"), [("50GB", 50_000_000_000), ("1.5 GiB", 1_610_612_736), ("7", 7), ("2k", 2000)]
)
def test_sizes_are_read(text, value):
    assert parse_size(text) == value


@pytest.mark.parametrize("text", ["", "much", "-1GB", "5 days"])
def test_sizes_that_are_none_are_refused(text):
    with pytest.raises(LagerError, match="expected a number"):
        parse_size(text)


def test_the_store_lies_in_the_users_cache_folder(monkeypatch):
    monkeypatch.delenv("LAGER_HOME", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", "/somewhere")
    if sys.platform == "linux":
        assert home() == Path("/somewhere/lager")
