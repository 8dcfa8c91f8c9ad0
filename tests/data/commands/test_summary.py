"""`lager cache info` and `ls`: what lies here, and elsewhere by its manifest alone."""

import json

from support.caches import make_cache
from support.commands import run_command
from support.web_server import web_server


def test_of_a_url_the_manifest_alone_is_read(tmp_path, capsys):
    cache = make_cache(tmp_path / "c", 30)
    (tmp_path / "c" / "run.json").unlink()
    here = json.loads(run_command(capsys, "cache", "info", cache.path, "--json")[1])
    with web_server(tmp_path) as server:
        code, out, _ = run_command(capsys, "cache", "info", f"{server.url}/c", "--json")
        assert [path for path, _, _ in server.requests] == ["/c/manifest.json"]
        there = json.loads(out)
        code, text, _ = run_command(capsys, "cache", "info", cache.path, f"{server.url}/c")
    assert code == 0
    assert "read in the same way" in text
    same = {name for name, value in there.items() if value == here[name]}
    assert {"items", "layers", "scale", "fingerprint", "content_hash", "template", "provenance"} <= same
    assert (here["valid"], there["valid"], there["cache"]) == (30, None, f"{server.url}/c")


def test_the_caches_of_a_folder_are_listed_by_name(tmp_path, capsys):
    make_cache(tmp_path / "a" / "one", 30)
    make_cache(tmp_path / "two", 20)
    make_cache(tmp_path / "begun", 20)
    (tmp_path / "begun" / "manifest.json").unlink()
    (tmp_path / "broken").mkdir()
    (tmp_path / "broken" / "manifest.json").write_text("{")
    listed = json.loads(run_command(capsys, "cache", "ls", tmp_path, "--json")[1])
    assert [(one["key"], one["about"].get("items")) for one in listed["caches"]] == [
        ("a/one", 30), ("broken", None), ("two", 20),
    ]  # fmt: skip
    assert "damaged" in listed["caches"][1]["about"]
    text = run_command(capsys, "cache", "ls", tmp_path)[1]
    assert "a/one" in text
    assert text.splitlines()[-1].startswith("3 caches, ")
    assert "no complete cache" in run_command(capsys, "cache", "ls", tmp_path / "begun" / "shards")[1]
    code, _, said = run_command(capsys, "cache", "ls", tmp_path / "nothing")
    assert (code, "is no folder" in said) == (1, True)
