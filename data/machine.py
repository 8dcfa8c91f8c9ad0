"""The machine: its cores, how much memory may be used, where lager keeps things, whether a cluster answers."""

from __future__ import annotations

import os
import re
import socket
import sys
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

from .errors import LagerError
from .import_path import safe_path

_SECONDS = 30


def silent_port(address: str | None) -> str | None:
    """Return why nothing answers at ``[SCHEME://]HOST:PORT``; None where something does, or there is no port in it."""
    if address is None:
        return None
    host, colon, port = address.rsplit("://", maxsplit=1)[-1].rpartition(":")
    if not (colon and port.isdigit()):
        return None
    try:
        socket.create_connection((host.strip("[]"), int(port)), timeout=_SECONDS).close()
    except (OSError, OverflowError) as error:
        return str(error)
    return None


# Starting processes takes as long as reading some hundred shards of the usual size.
_MANY = 256
_WATCH, _WATCH_SECONDS = "lager-parent", 0.5
T = TypeVar("T")


def for_each(function: Callable[..., T], arguments: Sequence[tuple[Any, ...]], *, jobs: int | None) -> Iterator[T]:
    """Yield a function's results in order, computed in `jobs` processes."""
    if jobs is None:
        jobs = 1 if len(arguments) < _MANY else n_cores()
    if jobs == 1:
        for one in arguments:
            yield function(*one)
        return
    from joblib import Parallel, delayed

    with safe_path():
        yield from Parallel(n_jobs=jobs, return_as="generator")(
            delayed(run_with_parent)(function, *one, parent=os.getpid()) for one in arguments
        )


def run_with_parent(function: Callable[..., T], *arguments: Any, parent: int) -> T:
    """Return a function's result; a process that `parent` started for such calls ends soon after it.

    joblib's processes go on otherwise when the one that started them is ended by a signal.
    """
    if os.getppid() == parent and not any(thread.name == _WATCH for thread in threading.enumerate()):
        threading.Thread(target=_end_after, args=(parent,), name=_WATCH, daemon=True).start()
    return function(*arguments)


def _end_after(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_WATCH_SECONDS)
    os._exit(1)


def n_cores() -> int:
    """Return how many processor cores this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


MEMORY_VARIABLE, HOME_VARIABLE = "LAGER_MEMORY", "LAGER_HOME"
_UNKNOWN = 8_000_000_000
_SIZE = re.compile(r"(\d+(?:\.\d+)?)\s*([KMGT]?)(i?)B?", re.IGNORECASE)


def parse_size(text: str, *, what: str = "size") -> int:
    """Return bytes from text such as 50GB or 1.5 GiB."""
    match = _SIZE.fullmatch(text.strip())
    if match is None:
        raise LagerError(f"{what} {text!r}: expected a number and a unit, such as 500MB or 50GB")
    power = " KMGT".index(match[2].upper() or " ")
    return int(float(match[1]) * (1024 if match[3] else 1000) ** power)


def memory_allowed() -> int:
    """Return how many bytes a step may take that needs every read-out at once.

    What the environment variable LAGER_MEMORY says (``8GB``), else half of the machine's memory, 8 GB where unknown.
    """
    given = os.environ.get(MEMORY_VARIABLE)
    if given is not None:
        return parse_size(given, what=MEMORY_VARIABLE)
    try:
        return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") // 2
    except (AttributeError, ValueError, OSError):  # systems that do not say
        return _UNKNOWN


def home() -> Path:
    """Return the store's folder: ``LAGER_HOME``, else ``lager`` in the user's cache folder."""
    if given := os.environ.get(HOME_VARIABLE):
        return Path(given).expanduser()
    if sys.platform == "win32":
        return Path(os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local") / "lager" / "cache"
    if sys.platform == "darwin":
        return Path.home() / "Library" / "Caches" / "lager"
    return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "lager"
