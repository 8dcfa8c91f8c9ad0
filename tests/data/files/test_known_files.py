"""An item table is measured once for a user, and not at all when a program of this user wrote it."""

import shutil

import polars as pl
import pytest
from lager.data.cache.feature_cache import FeatureCache
from lager.data.errors import LagerError
from lager.data.files import parquet
from lager.data.files.known_files import is_known, known_folder
from lager.data.remote.store_cleaning import clean_store
from support.caches import make_cache


@pytest.fixture
def home(tmp_path, monkeypatch):
    monkeypatch.setenv("LAGER_HOME", str(tmp_path / "home"))
    return tmp_path / "home"


@pytest.fixture
def cannot_measure(tmp_path, monkeypatch):
    """Every file that would have to be measured is refused."""
    (tmp_path / "child.py").write_text("raise SystemExit")
    return lambda: monkeypatch.setattr(parquet, "_CHILD", tmp_path / "child.py")


def test_what_was_written_here_is_opened_without_measuring(home, cannot_measure, tmp_path):
    cannot_measure()
    make_cache(tmp_path / "cache")
    shutil.copytree(tmp_path / "cache", tmp_path / "copy")
    assert len(FeatureCache.open(tmp_path / "copy")) == 40
    assert FeatureCache.open(tmp_path / "copy", verify=False).n_items == 40


def test_a_table_of_others_is_measured_the_first_time(home, cannot_measure, tmp_path):
    make_cache(tmp_path / "cache")
    shutil.rmtree(home)
    FeatureCache.open(tmp_path / "cache")
    assert len([*known_folder().iterdir()]) == 1
    cannot_measure()
    assert len(FeatureCache.open(tmp_path / "cache")) == 40
    shutil.rmtree(home)
    with pytest.raises(LagerError, match=r"items\.parquet: reading it takes more than"):
        FeatureCache.open(tmp_path / "cache")


def test_a_changed_table_is_not_the_known_one(home, cannot_measure, tmp_path):
    make_cache(tmp_path / "cache")
    path = tmp_path / "cache" / "items.parquet"
    pl.read_parquet(path).with_columns(group=pl.lit("other")).write_parquet(path)
    cannot_measure()
    with pytest.raises(LagerError, match="reading it takes more than"):
        FeatureCache.open(tmp_path / "cache", verify=False)


def test_a_home_that_cannot_be_written_costs_time_and_nothing_else(tmp_path, monkeypatch):
    (tmp_path / "home").write_text("a file")
    monkeypatch.setenv("LAGER_HOME", str(tmp_path / "home"))
    make_cache(tmp_path / "cache")
    assert len(FeatureCache.open(tmp_path / "cache")) == 40
    assert not is_known("0" * 64)


def test_cleaning_the_store_by_age_forgets_old_files(home, tmp_path):
    make_cache(tmp_path / "cache")
    clean_store(older_than=3600)
    assert len([*known_folder().iterdir()]) == 1
    clean_store(older_than=-1)
    assert not [*known_folder().iterdir()]
