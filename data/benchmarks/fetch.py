"""Published files from the network, through the cache of Hugging Face `datasets`."""

from __future__ import annotations

from pathlib import Path

from ..errors import LagerError
from .source import SourceFile


def fetch(url: str, *, name: str, benchmark: str) -> SourceFile:
    """Return a published file, downloaded on the first call and from the cache of `datasets` after it.

    Parameters
    ----------
    url : str
        Where it is.
    name : str
        What it is called there.
    benchmark : str
        For messages.

    Raises
    ------
    LagerError
        When `datasets` is not installed, or the file cannot be fetched.
    """
    instead = f"or get the file yourself and give benchmark:{benchmark}=PATH"
    try:
        from datasets import DownloadConfig, DownloadManager
    except ImportError:
        raise LagerError(
            f"benchmark {benchmark} without a path is fetched, which needs datasets: pip install 'lager[benchmarks]', "
            f"{instead}"
        ) from None
    manager = DownloadManager(download_config=DownloadConfig(disable_tqdm=True, max_retries=3))
    try:
        return SourceFile(Path(manager.download(url)), name)
    except (OSError, ValueError) as error:
        # Its messages may run over many lines; the kind says enough beside the address.
        raise LagerError(f"cannot fetch {url} ({type(error).__name__}): check the network, {instead}") from None
