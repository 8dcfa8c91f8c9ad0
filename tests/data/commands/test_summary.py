"""`lager cache info`: of a cache here, and of one elsewhere by its manifest alone."""

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
