"""Fixtures of the whole suite."""

from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
_LONG = ("test_readme.py", "test_fuzz.py", "test_docs_run.py", "test_notebook.py", "test_lowest_versions.py")


# Of tests over every family of models or strategy these cases run by default; all of them run with the slow tests.
_FAMILIES = frozenset({"llama", "gemma2", "gpt2", "mamba", "qwen3_moe"})
_SLOW_STRATEGIES = ("lager-scaled", "lager-early", "lager-shrunk", "lager-rank", "probe:logistic")
_ALL_STRATEGIES = frozenset({
    "test_invariances.py", "test_check_estimator.py", "test_aggregator_file.py", "test_strategy_options.py",
    "test_group_intercepts.py",
})  # fmt: skip


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put files that take minutes first, so that no core waits for them at the end, and mark what is slow in number."""
    items.sort(key=lambda item: item.path.name not in _LONG)
    for item in items:
        if _is_one_of_many(item):
            item.add_marker(pytest.mark.slow)


def _is_one_of_many(item: pytest.Item) -> bool:
    """Return whether a test is the case of a family or strategy that others stand for."""
    case = getattr(item, "callspec", None)
    if case is None:
        return False
    family, name = case.params.get("family", "llama"), str(case.params.get("name", ""))
    every = item.path.name in _ALL_STRATEGIES
    return family not in _FAMILIES or (every and name.startswith(_SLOW_STRATEGIES))


@pytest.fixture(scope="session")
def repository() -> Path:
    """The checkout."""
    return REPOSITORY


@pytest.fixture(scope="session", autouse=True)
def _home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Programs under test keep nothing in the user's own cache folder."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("LAGER_HOME", str(tmp_path_factory.mktemp("home")))
        yield


@pytest.fixture(scope="session")
def shared(repository: Path) -> Path:
    """The folder of real data and models beside the checkout."""
    folder = repository.parent / "shared"
    if not (folder / "data").is_dir():
        pytest.skip("no ../shared beside the checkout")
    return folder
