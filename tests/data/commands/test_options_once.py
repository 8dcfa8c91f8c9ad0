"""An option that has one value is given once; lists and plain switches may be repeated."""

import pytest
from lager.cli import main


def run(*arguments):
    with pytest.raises(SystemExit) as left:
        main([*map(str, arguments)])
    return left.value.code


@pytest.mark.parametrize(
    ("arguments", "option"),
    [
        (["evaluate", "c", "--seed", "1", "--seed", "2"], "--seed"),
        (["sweep", "a", "b", "--out", "x", "--sizes", "50", "--sizes=100"], "--sizes"),
        (["train", "c", "--out", "a.json", "--out", "b.json"], "--out"),
        (["cache", "merge", "c", "d", "--out", "a", "--out", "b"], "--out"),
        (["extract", "m", "i.jsonl", "--cache", "c", "--template", "direct", "--template", "mine"], "--template"),
    ],
)
def test_a_second_value_is_refused_by_name(arguments, option, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run(*arguments) == 2
    said = capsys.readouterr().err
    assert option in said
    assert "it is given 2 times" in said


def test_lists_and_switches_may_be_repeated(capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert run("evaluate", "c", "--strategy", "lager", "--strategy", "ridge", "--json", "--json") == 1
    assert "is not a feature cache" in capsys.readouterr().err
