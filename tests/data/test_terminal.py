"""Nothing that data brings along steers the terminal, whatever prints it."""

import io
import json
import sys

import pytest
from lager.cli import main
from lager.data.cache.feature_cache import FeatureCache
from lager.data.run.cache_writer import CacheWriter
from lager.data.streams import SafeStream
from support.caches import identity, make_cache, make_items, make_shard

EVIL = "\x1b[2J\x1b]0;owned\x07[red]\u202e:smile:\x9b31m"


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def cache(tmp_path):
    items = make_items(12)
    evil = items.table.with_columns(group=items.table["group"] + EVIL, system=items.table["system"] + EVIL)
    about = {**identity(), "recorded": {"model": EVIL}}
    writer = CacheWriter.start(tmp_path / "cache", identity=about, item_id=items.item_id)
    shard = make_shard(items, invalid=frozenset({3}))
    shard.reason[3] = EVIL
    writer.write(0, shard, items=evil)
    writer.finalize()
    return tmp_path / "cache"


def shown(monkeypatch, *arguments):
    out, err = Terminal(), Terminal()
    monkeypatch.setattr(sys, "stdout", out)
    monkeypatch.setattr(sys, "stderr", err)
    with pytest.raises(SystemExit):
        main(list(arguments))
    return out.getvalue() + err.getvalue()


def is_harmless(text):
    rest = text.replace("\x1b[2K", "").replace("\x1b[1A", "").replace("\x1b[?25l", "").replace("\x1b[?25h", "")
    return not any(bad in rest for bad in ("\x1b[2J", "\x1b]0", "\x07", "\u202e", "\x9b"))


def test_commands_show_names_from_a_cache_as_text(monkeypatch, cache, tmp_path):
    make_cache(tmp_path / "other", n=12)
    for arguments in (
        ["cache", "info", str(cache)],
        ["cache", "info", str(cache), str(tmp_path / "other")],
        ["cache", "info", str(cache), "--json"],
        ["cache", "finalize", str(cache)],
        ["evaluate", str(cache), "--strategy", "e-score", "--resamples", "0", "--by", "system"],
        ["evaluate", str(cache), "--strategy", "e-score", "--resamples", "0", "--json"],
        ["evaluate", str(cache), "--by", EVIL],
        ["train", str(cache), "--out", str(tmp_path / "aggregator.json")],
    ):
        text = shown(monkeypatch, *arguments)
        assert len(text) > 20, arguments
        assert is_harmless(text), (arguments, text)


def written(folder):
    return [path.read_text() for path in folder.rglob("*") if path.suffix in {".md", ".tex", ".html", ".svg"}]


def test_results_and_reports_hold_no_control_characters(cache, tmp_path, monkeypatch):
    from lager.evaluate.evaluation.cache_evaluation import evaluate_cache
    from lager.evaluate.report.outputs import write_outputs

    evaluation = evaluate_cache(FeatureCache.open(cache), ["e-score"], resamples=0, by=["group"])
    write_outputs(evaluation, tmp_path / "results")
    content = json.loads((tmp_path / "results" / "results.json").read_text())
    content["about"]["benchmark"] = f"[/x]{EVIL}"
    (tmp_path / "results" / "results.json").write_text(json.dumps(content))
    texts = written(tmp_path / "results")
    texts.append(shown(monkeypatch, "compare", str(tmp_path / "results"), "--out", str(tmp_path / "compared")))
    texts += written(tmp_path / "compared")
    assert len(texts) > 6
    assert all(is_harmless(text) for text in texts)
    assert "[/x]" in "".join(texts)


def test_json_stays_json_and_means_the_same():
    value = {EVIL: [EVIL, "\x7f\u2028\U000e0041ä", 1.5]}
    for indent in (None, 2):
        out = io.StringIO()
        SafeStream(out).write(json.dumps(value, ensure_ascii=False, indent=indent))
        assert json.loads(out.getvalue()) == value


def test_a_terminal_gets_the_colours_and_a_file_none():
    coloured = "\x1b[1;31mred\x1b[0m\r\x1b[2K\x1b[5;5Hthere"
    terminal, file = Terminal(), io.StringIO()
    SafeStream(terminal).write(coloured)
    SafeStream(file).write(coloured)
    assert terminal.getvalue() == "\x1b[1;31mred\x1b[0m\r\x1b[2K\\u001b[5;5Hthere"
    assert "\x1b" not in file.getvalue()
