"""The lowest versions of the libraries that pyproject.toml allows are enough, for the core and for each extra."""

import os
import re
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

# Each stage without torch: files, caches, fitting, figures, the commands.
CORE = (
    "data/items", "data/cache/test_plain_hdf5.py", "data/files/test_writing.py", "data/templates",
    "train/aggregator", "train/solvers", "train/strategies/test_strategies.py", "train/test_train_command.py",
    "evaluate/test_evaluate_command.py", "evaluate/metrics", "evaluate/tables",
)  # fmt: skip
# Of pandas, torch and krippendorff.
NEED_MORE = (
    "data/items/test_values.py",
    "train/solvers/test_adam.py",
    "evaluate/metrics/test_metrics_against_scipy.py",
)


def lowest(requirements: list[str]) -> list[str]:
    """Return each requirement at its lower bound."""
    found = [re.fullmatch(r"([\w\[\]-]+)>=([\d.]+)", one) for one in requirements]
    assert all(found), requirements
    return [f"{one[1]}=={one[2]}" for one in found]


# What the tests of an extra are, and which of them: None for all.
EXTRAS = {
    "plots": (CORE, None),
    "remote": (("data/remote",), None),
    "dask": (("evaluate/sweep/test_sweep.py",), "dask"),
    "ray": (("evaluate/sweep/test_sweep.py",), "ray"),
    "extract": (("extract/test_extract_command.py", "extract/readout", "extract/model/test_tail.py"), None),
    "submitit": (("extract/engines/test_submitit.py",), None),
}
#: What an extra's tests need besides, at its lower bounds, too.
BESIDES = {"remote": ["s3test"], "submitit": ["extract"]}


@pytest.mark.slow
@pytest.mark.parametrize("extra", EXTRAS)
def test_each_extra_passes_with_the_lowest_versions(extra: str, repository: Path, tmp_path: Path) -> None:
    project = tomllib.loads((repository / "pyproject.toml").read_text())["project"]
    optional = project["optional-dependencies"]
    wanted = [one for name in (extra, *BESIDES.get(extra, ())) for one in optional[name] if not one.startswith("lager")]
    pinned = lowest(project["dependencies"] + wanted)
    dev = [one for one in optional["dev"] if one.startswith(("pytest", "hypothesis", "jsonschema"))]
    subprocess.run([sys.executable, "-m", "venv", tmp_path / "venv"], check=True)
    python = tmp_path / "venv" / "bin" / "python"
    subprocess.run([python, "-m", "pip", "install", "--quiet", *pinned, *lowest(dev)], check=True)
    (tmp_path / "packages").mkdir()
    (tmp_path / "packages" / "lager").symlink_to(repository)
    tests, chosen = EXTRAS[extra]
    options = [f"--ignore=tests/{name}" for name in NEED_MORE] + ([] if chosen is None else ["-k", chosen])
    # What newer ones of their own dependencies say about old libraries is no fault of ours.
    done = subprocess.run(
        [python, "-m", "pytest", "-q", "-W", "default", "-p", "no:cacheprovider", "-m", "slow or not slow", *options,
         *(f"tests/{name}" for name in tests)],
        cwd=repository, capture_output=True, text=True, check=False,
        env={**os.environ, "PYTHONPATH": str(tmp_path / "packages")},
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-5000:] + done.stderr[-2000:]
    assert " passed" in done.stdout
