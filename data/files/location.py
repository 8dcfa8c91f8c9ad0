"""Where a cache lies: a folder of this machine, or a URL."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import unquote

from ..errors import LagerError
from ..safe_text import scrubbed

# Two letters or more: C:/data is a folder. `Path("s3://bucket")` has one slash left, and means the URL all the same.
_URL = re.compile(r"(?P<scheme>[A-Za-z][A-Za-z0-9+.-]+):/+(?P<rest>.*)", re.DOTALL)


def as_url(location: str | Path) -> str | None:
    """Return the URL that `location` is, or None for a folder of this machine; ``file://`` is such a folder."""
    match = _URL.fullmatch(str(location))
    if match is None or match["scheme"].lower() == "file":
        return None
    return f"{match['scheme'].lower()}://{match['rest']}"


def as_folder(location: str | Path) -> Path:
    """Return the folder of this machine that a path or a ``file://`` URL names."""
    text = str(location)
    if text.lower().startswith("file:/"):
        return Path("/" + unquote(text[len("file:") :].lstrip("/")))
    return Path(location)


def only_folder(location: str | Path) -> Path:
    """Return the folder of this machine, for what works on none but such."""
    if (url := as_url(location)) is not None:
        raise LagerError(f"{scrubbed(url)} is a URL, expected a folder here: fetch it with `lager cache pull`")
    return as_folder(location)
