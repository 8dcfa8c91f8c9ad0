"""Fixtures of the whole suite."""

from collections.abc import Iterator
from pathlib import Path

import pytest

REPOSITORY = Path(__file__).resolve().parent.parent


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
