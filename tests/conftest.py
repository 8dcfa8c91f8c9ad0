"""Fixtures of the whole suite."""

from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent
_LONG = ("test_readme.py", "test_fuzz.py", "test_docs_run.py", "test_notebook.py", "test_lowest_versions.py")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Put files that take minutes first, so that no core waits for them at the end."""
    items.sort(key=lambda item: item.path.name not in _LONG)


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
