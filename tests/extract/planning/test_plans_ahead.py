"""Items of any number: what is settled on the first ones holds for all, and the next shards are planned meanwhile."""

import json
import threading
import time

import pytest
from lager.data import open_items as opening
from lager.data.errors import LagerError
from lager.data.items.lazy_items import LazyItems
from lager.data.open_items import open_items
from lager.extract.dry_run import dry_run
from lager.extract.model.judge import load_judge
from lager.extract.options.groups import ExtractOptions, LoadOptions
from lager.extract.options.option import make
from lager.extract.planning import planner as planner_module
from lager.extract.planning.plans_ahead import AHEAD, PlansAhead
from support.extraction import run, write_items
from support.tiny_models import CHAT_TEMPLATE, save_judge, tiny_tokenizer

N = 27


@pytest.fixture(scope="module")
def judge(tmp_path_factory):
    folder = save_judge(tmp_path_factory.mktemp("judge"), tokenizer=tiny_tokenizer(chat_template=CHAT_TEMPLATE))
    return load_judge(folder, LoadOptions(device="cpu"))


@pytest.fixture
def items(tmp_path):
    return write_items(tmp_path / "items.jsonl", N, long={3, 20})


@pytest.fixture
def short_settling(monkeypatch):
    """Settle on the first six items, which end in the middle of the second shard, and read any file lazily."""
    monkeypatch.setattr(planner_module, "SETTLED_ROWS", 6)
    monkeypatch.setattr(opening, "EAGER_BYTES", 0)


@pytest.mark.parametrize("options", [{}, {"condition": "generate", "max_invalid": 1.0}, {"limit": 20}])
def test_planned_shard_by_shard_the_cache_is_the_same(judge, items, tmp_path, request, options):
    whole = run(judge, items, tmp_path / "whole", **options)
    request.getfixturevalue("short_settling")
    assert isinstance(open_items(items), LazyItems)
    lazy = run(judge, items, tmp_path / "lazy", **options)
    assert (lazy.content_hash, lazy.items_hash) == (whole.content_hash, whole.items_hash)
    assert (lazy.fingerprint, lazy.manifest["items"]["sha256"]) == (
        whole.fingerprint,
        whole.manifest["items"]["sha256"],
    )


def test_very_long_prompts_settle_on_fewer(judge, items, tmp_path, monkeypatch, capsys):
    whole = run(judge, items, tmp_path / "whole")
    monkeypatch.setattr(planner_module, "_PART", 5)
    monkeypatch.setattr(planner_module, "SETTLED_CHARACTERS", 300)
    lazy = run(judge, items, tmp_path / "lazy", quiet=False)
    assert "1 of the first 5 prompts" in capsys.readouterr().err
    assert lazy.content_hash == whole.content_hash


def test_a_dry_run_counts_the_same(judge, items, tmp_path, request):
    options = make(ExtractOptions, {"shard_size": 4})
    whole = dry_run(judge, items, cache=tmp_path / "c", options=options, quiet=True)
    request.getfixturevalue("short_settling")
    assert dry_run(judge, items, cache=tmp_path / "c", options=options, quiet=True)[:7] == whole[:7]


def test_long_prompts_are_counted_as_far_as_they_are_known(judge, items, tmp_path, capsys, short_settling):
    run(judge, items, tmp_path / "cache", quiet=False)
    err = capsys.readouterr().err
    assert "1 of the first 6 prompts are longer than the model's 128 tokens" in err
    assert "not valid: 2, the prompt is longer" in err


def test_a_faulty_item_in_a_late_shard_stops_there_and_keeps_what_was_read(judge, tmp_path, short_settling):
    path = write_items(tmp_path / "items.jsonl", 12)
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    rows = [{"id": row["id"], "response": row["prompt"], "criterion": "x", "rubric": "y"} for row in rows]
    del rows[9]["response"]
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    with pytest.raises(LagerError, match=r"item 'q9': .*response"):
        run(judge, path, tmp_path / "cache")
    assert len(list((tmp_path / "cache" / "shards").iterdir())) == 2
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("lager-plan")]
    rows[9]["response"] = "y"
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    assert run(judge, path, tmp_path / "cache").n_items == 12


class Recorder:
    """Plans nothing, and counts."""

    def __init__(self, fail=()):
        self.planned, self.fail = [], fail

    def plan_rows(self, items, rows):
        if rows.start in self.fail:
            raise LagerError(f"item {rows.start}")
        self.planned.append(rows.start)
        return items, rows


def started(planner, expected):
    return PlansAhead(planner, None, lambda k: range(k, k + 1), expected)


def settled(planner, n):
    """Wait until `n` shards are planned and no more come."""
    deadline = time.monotonic() + 5
    while len(planner.planned) < n and time.monotonic() < deadline:
        time.sleep(0.001)
    time.sleep(0.02)
    return planner.planned


def test_no_more_than_a_few_shards_are_planned_ahead():
    planner = Recorder()
    with started(planner, range(50)) as ahead:
        for k in range(3):
            assert ahead.get(k).plan == range(k, k + 1)
        assert settled(planner, 3 + AHEAD) == list(range(3 + AHEAD))


def test_shards_that_are_passed_over_and_others_than_expected_are_planned_when_asked_for():
    planner = Recorder()
    with started(planner, [4, 2, 9, 1, 7]) as ahead:
        for k in (4, 1, 33, 7):
            assert ahead.get(k).plan == range(k, k + 1)
    assert {1, 4, 7, 33} <= set(planner.planned) <= {1, 2, 4, 7, 9, 33}
    assert len(planner.planned) == len(set(planner.planned))


def test_an_error_is_raised_when_its_shard_is_asked_for_and_not_before():
    with started(Recorder(fail={1}), range(3)) as ahead:
        ahead.get(0)
        with pytest.raises(LagerError, match="item 1"):
            ahead.get(1)
        assert ahead.get(2).plan == range(2, 3)
