"""Of several workers one looks through a large item file, and the others take what it found in that very file."""

import os
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest
from lager.data import open_items as opening
from lager.data.cache.feature_cache import FeatureCache
from lager.data.errors import LagerError
from lager.data.items.items import RowForm
from lager.data.items.large_files import open_rows
from lager.data.run.worker_records import STALE_SECONDS, WORKERS
from lager.extract.workers import presence, shared_survey
from lager.extract.workers.shared_survey import CLAIM, SURVEY, survey_once
from support.extraction import run, write_items
from support.tiny_models import save_judge


def silent(line):
    pass


@pytest.fixture(autouse=True)
def look_often(monkeypatch):
    monkeypatch.setattr(shared_survey, "POLL_SECONDS", 0.01)
    monkeypatch.setattr(presence, "POLL_SECONDS", 0.05)


@pytest.fixture
def looks(monkeypatch):
    """The files that were looked through, each for a moment."""
    seen, original = [], shared_survey.survey_items

    def look(file, form, **options):
        seen.append(file.path)
        time.sleep(0.2)
        return original(file, form, **options)

    monkeypatch.setattr(shared_survey, "survey_items", look)
    return seen


@pytest.fixture
def items(tmp_path):
    return write_items(tmp_path / "items.jsonl", 41)


def look(path, cache, *, group=(), say=silent):
    file = open_rows(path)
    return survey_once(file, RowForm.of(file.columns, group, None, path=path), cache=cache, say=say)


def test_workers_that_start_at_once_look_through_the_items_once(items, tmp_path, looks):
    said = []
    with ThreadPoolExecutor(5) as pool:
        found = list(pool.map(lambda _: look(items, tmp_path / "cache", say=said.append), range(5)))
    assert len(looks) == 1
    assert len(set(found)) == 1
    assert found[0].ids.n == 41
    assert (found[0].lowest, found[0].highest) == (1, 5)
    assert said.count("another worker looks through the items") == 4
    assert sorted(path.name for path in (tmp_path / "cache" / WORKERS).iterdir()) == [SURVEY]


def test_items_without_scores_are_shared_too(tmp_path, looks):
    path = tmp_path / "items.jsonl"
    path.write_text('{"prompt": "a"}\n{"prompt": "b"}\n')
    first, second = look(path, tmp_path / "cache"), look(path, tmp_path / "cache")
    assert first == second
    assert first.lowest > first.highest
    assert len(looks) == 1


def test_another_file_and_another_way_to_read_it_are_looked_through_anew(items, tmp_path, looks):
    cache = tmp_path / "cache"
    look(items, cache)
    look(items, cache, group=("cluster",))
    os.utime(items, (1, 1))
    look(items, cache)
    assert len(looks) == 3


def test_while_another_file_is_looked_through_nobody_waits(items, tmp_path, looks):
    cache = tmp_path / "cache"
    (cache / WORKERS).mkdir(parents=True)
    (cache / WORKERS / CLAIM).write_text("another file")
    assert look(items, cache).ids.n == 41


def test_a_worker_that_died_while_it_looked_is_made_up_for(items, tmp_path, looks):
    cache = tmp_path / "cache"
    (cache / WORKERS).mkdir(parents=True)
    claim = cache / WORKERS / CLAIM
    claim.write_text("")  # it died before it wrote what it looks at
    waiting = threading.Thread(target=look, args=(items, cache))
    waiting.start()
    time.sleep(0.1)
    assert not looks
    old = time.time() - STALE_SECONDS - 1
    os.utime(claim, (old, old))
    waiting.join(timeout=20)
    assert len(looks) == 1
    assert not claim.exists()


@pytest.mark.parametrize("damage", ["{", "[]", '{"key": 3}', '{"key": "x", "ids": ["a"], "scores": null}'])
def test_a_damaged_record_is_made_again(items, tmp_path, looks, damage):
    cache = tmp_path / "cache"
    expected = look(items, cache)
    (cache / WORKERS / SURVEY).write_text(damage)
    assert look(items, cache) == expected
    assert len(looks) == 2


def test_faults_are_told_and_leave_no_claim(tmp_path):
    path = tmp_path / "items.jsonl"
    path.write_text('{"prompt": ""}\n')
    with pytest.raises(LagerError, match="row 1: prompt is empty, expected text"):
        look(path, tmp_path / "cache")
    assert not (tmp_path / "cache" / WORKERS / CLAIM).exists()


@pytest.mark.slow
def test_a_complete_cache_is_not_written_to(items, tmp_path, looks, monkeypatch):
    folder = save_judge(tmp_path / "judge")
    cache = run(folder, items, tmp_path / "cache", device="cpu").path
    look(items, cache)
    assert not (cache / WORKERS).exists()


def test_workers_of_a_run_share_it_and_leave_no_traces(items, tmp_path, looks, monkeypatch):
    monkeypatch.setattr(opening, "EAGER_BYTES", 0)
    folder = save_judge(tmp_path / "judge")
    alone = run(folder, items, tmp_path / "alone", device="cpu")
    assert not looks  # nobody to share with
    path = tmp_path / "cache"
    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(run, folder, items, path, rank=0, world_size=2, device="cpu")
        while not (path / "run.json").exists():
            time.sleep(0.01)
        run(folder, items, path, rank=1, world_size=2, device="cpu")
        first.result()
    assert len(looks) == 1
    assert FeatureCache.open(path).content_hash == alone.content_hash
    assert not (path / WORKERS).exists()
