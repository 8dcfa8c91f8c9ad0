"""What is installed: the packages, the wheel, and what importing them costs."""

import subprocess
import sys
import tomllib
import zipfile

import lager
import pytest

NOT_PACKAGES = {"tests", "benchmarks", "docs", "build", "dist"}


def tracked_modules(repository):
    """Every module of the package, as a path in the wheel."""
    modules = [
        path.relative_to(repository)
        for path in repository.rglob("*.py")
        if not _is_outside(path.relative_to(repository).parts)
    ]
    return {f"lager/{path.as_posix()}" for path in modules}


def _is_outside(parts):
    return parts[0] in NOT_PACKAGES or any(part.startswith(".") for part in parts)


def assets(repository):
    folders = [repository / "data" / "templates", repository / "data" / "demo"]
    found = [p for folder in folders for p in folder.rglob("*") if p.is_file() and p.suffix not in {".py", ".pyc"}]
    found += (repository / "evaluate" / "report").glob("*.jinja")
    return {f"lager/{path.relative_to(repository).as_posix()}" for path in found}


def test_every_folder_with_modules_is_a_listed_package(repository):
    listed = tomllib.loads((repository / "pyproject.toml").read_text())["tool"]["setuptools"]["packages"]
    folders = {path.rpartition("/")[0].replace("/", ".") for path in tracked_modules(repository)}
    assert sorted(listed) == sorted(folders)


def test_the_root_holds_no_modules_but_three(repository):
    assert sorted(path.name for path in repository.glob("*.py")) == ["__init__.py", "__main__.py", "cli.py"]


def test_no_public_name_equals_a_subpackage():
    assert not set(lager.__all__) & {"data", "extract", "train", "evaluate"}
    assert all(getattr(lager, name) is not None for name in lager.__all__)


def test_the_version_is_told_in_one_way(repository):
    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    assert project["version"] == lager.__version__


def test_importing_lager_and_its_command_needs_neither_torch_nor_the_heavy_rest():
    code = (
        "import sys, lager, lager.cli\n"
        "print([m for m in ('torch', 'transformers', 'sklearn', 'matplotlib') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"


@pytest.fixture(scope="module")
def wheel(repository, tmp_path_factory):
    out = tmp_path_factory.mktemp("wheel")
    source = tmp_path_factory.mktemp("source") / "lager-copy.2"
    names = subprocess.run(
        ["git", "-C", repository, "ls-files", "--cached", "--others", "--exclude-standard"],
        capture_output=True, text=True, check=False,
    ).stdout.split("\n")  # fmt: skip
    files = [repository / name for name in names if name] or [p for p in repository.rglob("*") if p.is_file()]
    for path in files:
        if path.is_file() and "__pycache__" not in path.parts:
            target = source / path.relative_to(repository)
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_bytes(path.read_bytes())
    command = [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, source]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return next(out.glob("*.whl"))


def test_the_wheel_holds_all_modules_and_assets_and_nothing_else(repository, wheel):
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    assert names == tracked_modules(repository) | assets(repository) | {"lager/py.typed"}


def test_the_wheel_works_outside_the_checkout(wheel, tmp_path):
    site = tmp_path / "site"
    with zipfile.ZipFile(wheel) as archive:
        archive.extractall(site)
    code = (
        f"import sys; sys.path.insert(0, {str(site)!r})\n"
        "import lager; from lager.cli import main\n"
        f"assert lager.__file__.startswith({str(site)!r}), lager.__file__\n"
        "main(['cache', 'info', 'nowhere'])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False, cwd=tmp_path)
    assert (done.returncode, done.stderr.count("\n")) == (1, 1), done.stderr
    assert done.stderr.startswith("error: nowhere is not a feature cache")
