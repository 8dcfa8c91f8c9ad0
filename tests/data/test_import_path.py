"""Files of the working folder that have the names of libraries reach neither lager nor any process that it starts."""

import os
import subprocess
import sys

import pytest
from lager.data.import_path import import_path
from lager.data.tools.verify import verify_cache
from support.caches import make_cache

SHADOWS = ("json", "random", "threading", "runpy", "jinja2", "polars", "numpy", "joblib", "torch", "submitit", "ray")


@pytest.fixture
def here(tmp_path):
    """A folder full of modules that end whoever imports them."""
    folder = tmp_path / "here"
    folder.mkdir()
    for name in SHADOWS:
        (folder / f"{name}.py").write_text(f"raise SystemExit('the working folder was imported from: {name}')\n")
    return folder


@pytest.fixture
def lager(here, tmp_path):
    """A function that runs the command in that folder, as the installed script does."""
    script = tmp_path / "bin" / "lager"
    script.parent.mkdir()
    script.write_text("from lager.cli import main\nif __name__ == '__main__':\n    main()\n")

    def run(*arguments):
        command = [sys.executable, script, *map(str, arguments)]
        done = subprocess.run(command, cwd=here, capture_output=True, text=True, check=False, timeout=200)
        assert done.returncode == 0, done.stdout + done.stderr
        assert "imported from" not in done.stdout + done.stderr
        return done

    return run


def items(folder):
    path = folder / "items.csv"
    path.write_text("id,instruction,response,score\n" + "".join(f"i{n},Say it,it {n},{1 + n % 5}\n" for n in range(6)))
    return path


def demo_judge(repository):
    return repository / "data" / "demo" / "judge"


def test_workers_and_the_children_of_templates(lager, repository, tmp_path):
    own = tmp_path / "own.jinja"
    own.write_text("{{ instruction }} {{ response }} Score:")
    lager("extract", demo_judge(repository), items(tmp_path), "--cache", tmp_path / "c", "--workers", 2,
          "--device", "cpu", "--template", own)  # fmt: skip
    assert verify_cache(tmp_path / "c") == []


@pytest.mark.slow
def test_jobs_of_submitit(lager, repository, tmp_path):
    pytest.importorskip("submitit")
    lager("extract", demo_judge(repository), items(tmp_path), "--cache", tmp_path / "c", "--engine", "submitit",
          "--workers", 1, "--device", "cpu", "--slurm", '{"cluster": "local"}')  # fmt: skip
    assert verify_cache(tmp_path / "c") == []


def test_the_child_that_measures_a_parquet_file_of_strangers(lager, tmp_path, monkeypatch):
    make_cache(tmp_path / "c", 20)
    monkeypatch.setenv("LAGER_HOME", str(tmp_path / "home"))  # where nothing is known
    assert "20" in lager("cache", "info", tmp_path / "c").stdout


def test_processes_of_a_sweep(lager, tmp_path):
    make_cache(tmp_path / "train", 40, seed=2)
    make_cache(tmp_path / "test", 30, seed=1)
    lager("sweep", tmp_path / "train", tmp_path / "test", "--strategy", "ridge", "--sizes", "20", "--seeds", 2,
          "--folds", 0, "--out", tmp_path / "s", "--jobs", 2)  # fmt: skip


@pytest.mark.slow
@pytest.mark.parametrize("engine", ["ray", "dask"])
def test_a_cluster_that_a_sweep_starts(lager, tmp_path, engine):
    pytest.importorskip({"dask": "distributed"}.get(engine, engine))
    make_cache(tmp_path / "train", 40, seed=2)
    make_cache(tmp_path / "test", 30, seed=1)
    lager("sweep", tmp_path / "train", tmp_path / "test", "--strategy", "ridge", "--sizes", "20", "--seeds", 2,
          "--folds", 0, "--out", tmp_path / "s", "--engine", engine, "local")  # fmt: skip


@pytest.mark.slow
def test_workers_on_a_cluster_of_ray(lager, repository, tmp_path):
    pytest.importorskip("ray")
    lager("extract", demo_judge(repository), items(tmp_path), "--cache", tmp_path / "c", "--engine", "ray",
          "--workers", 1, "--device", "cpu")  # fmt: skip
    assert verify_cache(tmp_path / "c") == []


def test_children_look_where_this_process_does_but_in_the_working_folder(here, tmp_path, monkeypatch):
    other = str(tmp_path / "other")
    monkeypatch.chdir(here)
    monkeypatch.setattr(sys, "path", ["", ".", str(here), other, f"{here}/../here", *sys.path])
    assert import_path()[0] == other
    assert str(here) not in import_path()
    gone = tmp_path / "gone"
    gone.mkdir()
    monkeypatch.chdir(gone)
    gone.rmdir()
    assert import_path()[:2] == [str(here), other]


def test_a_working_folder_that_holds_the_libraries_stays(monkeypatch):
    libraries = os.path.dirname(os.__file__)
    monkeypatch.chdir(libraries)
    assert libraries in import_path()


def test_children_that_open_files_of_strangers_get_no_environment(tmp_path, monkeypatch):
    from lager.data.files.child_process import ChildProcess

    monkeypatch.setenv("HF_TOKEN", "hf_secret")
    monkeypatch.setenv("HOME", str(tmp_path))
    script = tmp_path / "script.py"
    script.write_text("import json, os\ninput()\nprint(json.dumps(dict(os.environ)), flush=True)\n")
    child = ChildProcess(script, OWN="1")
    answer = child.ask({}, seconds=30)
    child.close()
    allowed = {"PYTHONHOME", "LD_LIBRARY_PATH", "TMPDIR", "TEMP", "LC_CTYPE", "OWN"}  # the locale is Python's own doing
    assert set(answer) <= allowed
    assert answer["OWN"] == "1"
