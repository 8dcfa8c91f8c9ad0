"""A cache from elsewhere: fetched in pieces, and believed when all of it is right."""

import json
import multiprocessing
import os
import shutil
import signal
import subprocess
import sys
import threading
import time
import urllib.request

import pytest
from lager.cli import main
from lager.data.errors import LagerError
from lager.data.files.canonical import seal
from lager.data.remote import http, transfer
from lager.data.remote.pull import pull
from lager.data.remote.redirects import SafeRedirects
from lager.data.remote.remote import MissingError, UnreachableError
from lager.data.tools.verify import verify_cache
from support import web_server as web_server_module
from support.caches import make_cache
from support.schemas import check_output
from support.web_server import web_server


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    folder = tmp_path_factory.mktemp("made") / "cache"
    make_cache(folder)
    (folder / "run.json").unlink()
    return folder


@pytest.fixture
def server(made, tmp_path, monkeypatch):
    monkeypatch.setattr(transfer, "_FIRST_PAUSE_SECONDS", 0.001)
    with web_server(shutil.copytree(made, tmp_path / "served")) as running:
        yield running


def change_manifest(folder, **changes):
    path = folder / "manifest.json"
    path.write_text(json.dumps(seal({**json.loads(path.read_text()), **changes})))


def test_a_cache_is_pulled_from_a_web_server(server, made, tmp_path):
    pull(server.url, tmp_path / "here", shown=False)
    assert verify_cache(tmp_path / "here") == []
    for path in made.rglob("*.*"):
        assert (tmp_path / "here" / path.relative_to(made)).read_bytes() == path.read_bytes()
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_a_transfer_that_is_cut_off_goes_on_in_mid_file_by_itself(server, tmp_path):
    server.cuts += [5000, 3000]
    pull(server.url, tmp_path / "here", jobs=1, shown=False)
    assert verify_cache(tmp_path / "here") == []
    assert {"bytes=5000-", "bytes=8000-"} <= {wanted for _, wanted, _ in server.requests}
    total = sum(path.stat().st_size for path in server.folder.rglob("*") if path.is_file())
    assert server.sent == total  # no byte twice


def test_a_pull_that_failed_goes_on_where_it_stopped(server, tmp_path):
    server.cuts += [4000] + [0] * 10
    with pytest.raises(UnreachableError, match="cut off after 4000 of"):
        pull(server.url, tmp_path / "here", jobs=1, shown=False)
    assert not (tmp_path / "here").exists()
    server.cuts.clear()
    server.requests.clear()
    pull(server.url, tmp_path / "here", jobs=1, shown=False)
    assert [(path, wanted) for path, wanted, _ in server.requests if wanted] == [("/shards/00000.h5", "bytes=4000-")]
    assert verify_cache(tmp_path / "here") == []


def test_a_server_without_ranges_is_asked_from_the_start(server, tmp_path):
    server.knows_ranges = False
    server.cuts += [5000]
    pull(server.url, tmp_path / "here", jobs=1, shown=False)
    assert verify_cache(tmp_path / "here") == []


def test_a_part_that_was_damaged_meanwhile_is_fetched_anew(server, tmp_path):
    entry = json.loads((server.folder / "manifest.json").read_text())["shards"][0]
    shards = tmp_path / ".here.pulling" / "shards"
    shards.mkdir(parents=True)
    (shards / f".00000.h5.{entry['sha256'][:16]}.part").write_bytes(b"x" * 100)
    (shards / "left.over").write_bytes(b"x")
    pull(server.url, tmp_path / "here", shown=False)
    assert verify_cache(tmp_path / "here") == []
    assert sorted(path.name for path in (tmp_path / "here" / "shards").iterdir()) == [
        "00000.h5",
        "00001.h5",
        "00002.h5",
    ]


def test_a_file_that_is_not_what_the_manifest_lists_is_named_and_nothing_appears(server, tmp_path):
    path = server.folder / "shards" / "00001.h5"
    path.write_bytes(path.read_bytes()[:-1] + b"x")
    with pytest.raises(LagerError, match=r"shards/00001\.h5 is not the file that its manifest lists"):
        pull(server.url, tmp_path / "here", shown=False)
    assert not (tmp_path / "here").exists()


def test_an_endless_file_is_read_up_to_the_listed_size(server, tmp_path):
    path = server.folder / "shards" / "00001.h5"
    size = path.stat().st_size
    path.write_bytes(b"x" * (size + (64 << 20)))
    with pytest.raises(LagerError, match="is not the file"):
        pull(server.url, tmp_path / "here", shown=False)
    assert sum(path.stat().st_size for path in tmp_path.rglob("*.part")) <= size


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda m: {"shards": [{**m["shards"][0], "file": "../../evil.h5"}, *m["shards"][1:]]},
            "not one inside the cache",
        ),
        (lambda m: {"shards": [{**m["shards"][0], "sha256": "../../evil"}, *m["shards"][1:]]}, "size or the sha256"),
        (lambda m: {"items": {k: v for k, v in m["items"].items() if k != "bytes"}}, "size or the sha256"),
        (lambda m: {"items": {**m["items"], "bytes": 1 << 60}}, "GiB are free"),
        (lambda m: {"items": {**m["items"], "bytes": -1}}, "malformed"),
        (lambda _: {"content_hash": "0" * 64}, "holds no sound cache.*content_hash"),
        (lambda _: {"n_entries": 3}, "holds no sound cache"),
        (lambda _: {"format_version": 99}, "install a newer lager"),
    ],
)
def test_a_manifest_that_lies_is_refused_and_leaves_no_cache(server, tmp_path, change, message):
    change_manifest(server.folder, **change(json.loads((server.folder / "manifest.json").read_text())))
    with pytest.raises(LagerError, match=message) as error:
        pull(server.url, tmp_path / "here", shown=False)
    assert "\n" not in str(error.value)
    assert not (tmp_path / "here").exists()
    assert not list(tmp_path.glob("**/evil*"))


def test_an_edited_manifest_is_refused(server, tmp_path):
    path = server.folder / "manifest.json"
    path.write_bytes(path.read_bytes().replace(b'"tiny"', b'"huge"'))
    with pytest.raises(LagerError, match=f"{server.url}/manifest.json: its content does not match"):
        pull(server.url, tmp_path / "here", shown=False)


def test_a_place_without_a_cache_one_that_refuses_and_one_that_is_down_are_told_apart(server, tmp_path):
    with pytest.raises(MissingError, match="holds no complete cache"):
        pull(f"{server.url}/shards", tmp_path / "here", shown=False)
    server.status = 403
    with pytest.raises(LagerError, match=r"refuses it \(403\)"):
        pull(server.url, tmp_path / "here", shown=False)
    server.status = 503
    with pytest.raises(UnreachableError, match="says 503"):
        pull(server.url, tmp_path / "here", shown=False)
    with pytest.raises(UnreachableError, match="cannot reach"):
        pull("http://127.0.0.1:9", tmp_path / "here", shown=False)


def test_passwords_and_tokens_are_sent_and_never_shown(server, tmp_path, capsys):
    with_password = server.url.replace("//", "//me:secret@")
    pull(f"{with_password}?token=secret", tmp_path / "here")
    assert {(path.partition("?")[2], known) for path, _, known in server.requests} == {
        ("token=secret", "Basic bWU6c2VjcmV0")
    }
    server.status = 401
    with pytest.raises(LagerError) as error:
        pull(f"{with_password}?token=secret", tmp_path / "again")
    assert "secret" not in str(error.value) + capsys.readouterr().err


def test_a_password_does_not_follow_a_redirect(server, tmp_path, made):
    with web_server(made) as elsewhere:
        server.redirect = elsewhere.url
        pull(server.url.replace("//", "//me:secret@"), tmp_path / "here", shown=False)
        assert {known for _, _, known in elsewhere.requests} == {None}
        assert verify_cache(tmp_path / "here") == []


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("https://93.184.216.34/a?token=hushhush", "http://93.184.216.34/a", "without encryption"),
        ("http://93.184.216.34/a", "ftp://93.184.216.34/a", "no web address"),
        ("http://93.184.216.34/a", "file:///etc/passwd", "no web address"),
        ("http://93.184.216.34/a", "http://169.254.169.254/latest/meta-data", "a link-local address"),
        ("http://10.0.0.1/a", "http://169.254.169.254/latest/meta-data", "a link-local address"),
        ("http://93.184.216.34/a", "http://[::ffff:169.254.169.254]/a", "a link-local address"),
        ("http://93.184.216.34/a", "http://[fe80::1]/a", "a link-local address"),
        ("http://93.184.216.34/a", "http://127.0.0.1:8080/a", "no public address"),
        ("http://93.184.216.34/a", "http://2130706433/a", "no public address"),
        ("http://93.184.216.34/a", "http://10.0.0.1/a", "no public address"),
        ("http://10.0.0.1/a", "http://localhost/a", "an address of this machine"),
    ],
)
def test_a_redirect_to_where_no_server_may_send_its_readers_is_refused(before, after, message):
    with pytest.raises(LagerError, match=f"{message}: refused") as error:
        SafeRedirects().redirect_request(urllib.request.Request(before), None, 302, "Found", {}, after)
    assert "hushhush" not in str(error.value)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("http://93.184.216.34/a", "https://1.1.1.1/a"),
        ("http://10.0.0.1/a", "http://10.0.0.2/a"),
        ("http://127.0.0.1:1/a", "http://127.0.0.1:2/a"),
        ("http://10.0.0.1/a", "http://93.184.216.34/a"),
    ],
)
def test_other_redirects_are_followed(before, after):
    request = urllib.request.Request(before)
    assert SafeRedirects().redirect_request(request, None, 302, "Found", {}, after).full_url == after


def test_a_redirect_out_of_the_web_is_one_line_of_the_command(server, tmp_path, capsys):
    server.redirect = "ftp://127.0.0.1"
    with pytest.raises(SystemExit):
        main(["cache", "pull", server.url, str(tmp_path / "here")])
    assert "which is no web address: refused" in capsys.readouterr().err


def test_a_link_where_files_arrive_is_not_followed(server, tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    (mine / "thesis.txt").write_text("years")
    for name in (".here.pulling", ".here.pulling.lock"):
        (tmp_path / name).symlink_to(mine if name.endswith("pulling") else mine / "thesis.txt")
        with pytest.raises(LagerError, match=r"is a link|cannot lock"):
            pull(server.url, tmp_path / "here", shown=False)
        assert {path.name: path.read_text() for path in mine.iterdir()} == {"thesis.txt": "years"}
        (tmp_path / name).unlink(missing_ok=True)


def test_links_among_the_files_of_an_earlier_pull_are_removed_and_not_followed(server, tmp_path):
    mine = tmp_path / "mine"
    mine.mkdir()
    staging = tmp_path / ".here.pulling"
    staging.mkdir()
    (staging / "shards").symlink_to(mine)
    (staging / "items.parquet").symlink_to(mine / "no-such-file")
    pull(server.url, tmp_path / "here", shown=False)
    assert list(mine.iterdir()) == []
    assert verify_cache(tmp_path / "here") == []


@pytest.mark.skipif(os.name != "posix" or os.geteuid() != 0, reason="gives a folder to another user")
def test_a_folder_of_another_user_where_files_arrive_is_refused(server, tmp_path):
    staging = tmp_path / ".here.pulling"
    staging.mkdir()
    os.chown(staging, 65534, 65534)
    with pytest.raises(LagerError, match="not a folder of yours"):
        pull(server.url, tmp_path / "here", shown=False)


def test_a_server_that_trickles_is_given_up(server, tmp_path, monkeypatch):
    monkeypatch.setattr(http, "_LEAST_SECONDS", 0.2)
    monkeypatch.setattr(web_server_module, "_SLOW_BLOCK", 1)
    server.pause = 0.02
    begun = time.monotonic()
    with pytest.raises(UnreachableError, match=r"bytes came in 0\.2 s"):
        pull(server.url, tmp_path / "here", shown=False)
    assert time.monotonic() - begun < 20


def test_an_interrupt_ends_a_pull_from_a_server_that_trickles(server, tmp_path, monkeypatch):
    command = [sys.executable, "-c", "from lager.cli import main; main()", "cache", "pull", server.url]
    monkeypatch.setattr(web_server_module, "_SLOW_BLOCK", 1 << 10)
    server.pause = 0.4  # a few seconds for the manifest, a minute for a shard
    running = subprocess.Popen([*command, str(tmp_path / "here")], stderr=subprocess.PIPE, text=True)
    while not list(tmp_path.rglob("*.part")):
        assert running.poll() is None
        time.sleep(0.01)
    monkeypatch.setattr(web_server_module, "_SLOW_BLOCK", 1)
    running.send_signal(signal.SIGINT)
    running.communicate(timeout=45)
    assert running.returncode != 0


def test_a_folder_that_holds_something_is_left_alone_and_the_same_cache_is_welcome(server, tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("mine")
    with pytest.raises(LagerError, match="holds something else"):
        pull(server.url, tmp_path / "mine", shown=False)
    (tmp_path / "empty").mkdir()
    assert pull(server.url, tmp_path / "empty", shown=False) == pull(server.url, tmp_path / "empty", shown=False)


def test_two_processes_that_pull_into_one_folder_fetch_each_file_once(server, tmp_path):
    context = multiprocessing.get_context("spawn")  # a fork of threads that hold locks never ends
    workers = [
        context.Process(target=pull, args=(server.url, tmp_path / "here"), kwargs={"shown": False}) for _ in range(3)
    ]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    assert [worker.exitcode for worker in workers] == [0, 0, 0]
    assert verify_cache(tmp_path / "here") == []
    asked = [path for path, _, _ in server.requests if path.endswith((".h5", ".parquet"))]
    assert len(asked) == len(set(asked)) == 4
    assert [path.name for path in tmp_path.iterdir() if path.name.startswith(".")] == []


def test_an_interrupt_says_what_is_kept_and_the_same_command_goes_on(server, tmp_path):
    server.hold = threading.Event()
    command = [sys.executable, "-c", "from lager.cli import main; main()", "cache", "pull", server.url]
    command += [str(tmp_path / "here"), "--jobs", "1"]
    running = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    while not list(tmp_path.rglob(".00000.h5.*.part")):
        assert running.poll() is None
        time.sleep(0.01)
    running.send_signal(signal.SIGINT)
    time.sleep(0.2)
    server.hold.set()
    _, said = running.communicate()
    assert running.returncode != 0
    assert f"what came is kept in {tmp_path}/.here.pulling; the same command goes on there" in said
    assert "Traceback" not in said
    assert not (tmp_path / "here").exists()
    server.requests.clear()
    pull(server.url, tmp_path / "here", shown=False)
    assert verify_cache(tmp_path / "here") == []
    assert "/items.parquet" not in {path for path, _, _ in server.requests}


def test_the_commands_push_and_pull(made, tmp_path, capsys):
    main_ok(["cache", "push", str(made), str(tmp_path / "there"), "--json"])
    assert check_output("cache-push", capsys.readouterr().out)["sent"] == 4
    main_ok(["cache", "pull", str(tmp_path / "there"), str(tmp_path / "here")])
    assert "complete and sound" in capsys.readouterr().out
    with pytest.raises(SystemExit, match="1"):
        main(["cache", "push", str(made), str(tmp_path / "third"), "--include", "everything"])
    assert capsys.readouterr().err.startswith("error: --include everything: expected some of text, hidden, scores")


def main_ok(arguments):
    with pytest.raises(SystemExit) as end:
        main(arguments)
    assert end.value.code == 0
