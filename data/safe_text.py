"""Text from others made safe to show: without control characters, marks of direction, and credentials."""

from __future__ import annotations

import json
import os
import re
import unicodedata
from collections.abc import Mapping
from typing import Any

_SHORT = {"\x7f": "\\u007f"}  # JSON does not escape it
_JOINERS = "\u200c\u200d"  # emoji and several scripts need them


def printable(text: object, *, keep: str = "") -> str:
    r"""Return text with control characters, line breaks and marks of direction written as escapes like ``\u001b``.

    The escapes are those of JSON, so JSON text keeps its meaning.
    """
    text = str(text)
    if text.isprintable():
        return text
    return "".join(char if char in keep or _is_plain(char) else _escape(char) for char in text)


def _is_plain(char: str) -> bool:
    return char.isprintable() or char in _JOINERS or unicodedata.category(char) == "Zs"


def _escape(char: str) -> str:
    return _SHORT.get(char) or json.dumps(char)[1:-1]


# A `Path` made from a URL has one slash after the scheme instead of two; it is recognised too.
_URL = re.compile(r"(?P<scheme>\b[A-Za-z][A-Za-z0-9+.-]+:/{1,3})(?P<rest>[^\s'\"<>`]*)")
_AUTHORITY = re.compile(r"[^/?#]*")
_PORT = re.compile(r"\d*\Z")
_SECRETS = (
    re.compile(r"\bhf_[A-Za-z0-9]{16,}"),  # Hugging Face
    re.compile(r"\b(?:AKIA|ASIA)[A-Z0-9]{12,}"),  # AWS
    re.compile(r"\bya29\.[\w.-]+"),  # Google
    re.compile(r"(?i)(?<=\bbearer )[\w.~+/=-]+"),
    re.compile(r"(?i)(?<=\bbasic )[A-Za-z0-9+/=]{8,}"),
)

# Variables in which tools keep secrets of any form; their values are never shown.
_VARIABLES = (
    "HF_TOKEN", "HUGGING_FACE_HUB_TOKEN", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN", "AZURE_STORAGE_KEY",
)  # fmt: skip
_SHORTEST = 8  # characters; replacing a shorter value could hit ordinary words


def scrubbed(text: str) -> str:
    """Return `text` without the user information and queries of its URLs, known tokens and the environment's secrets.

    Signed links and access tokens are in queries, so all of a query is replaced by ``?...``.
    """
    text = _URL.sub(_scrub_url, text)
    for value in filter(None, map(os.environ.get, _VARIABLES)):
        text = text.replace(value, "***") if len(value) >= _SHORTEST else text
    for secret in _SECRETS:
        text = secret.sub("***", text)
    return text


def scrubbed_json(value: Any) -> Any:
    """Return a JSON value with all its text `scrubbed`."""
    if isinstance(value, str):
        return scrubbed(value)
    if isinstance(value, Mapping):
        return {key: scrubbed_json(one) for key, one in value.items()}
    return [scrubbed_json(one) for one in value] if isinstance(value, list | tuple) else value


def _scrub_url(match: re.Match[str]) -> str:
    rest = match["rest"]
    authority = _AUTHORITY.match(rest)[0]  # type: ignore[index]  # the pattern matches the empty text too
    user, _, password = authority.partition(":")
    if "@" in authority:
        rest = rest[authority.rindex("@") + 1 :]
    elif user and not _PORT.match(password) and "@" in rest:  # a password with a slash in it
        rest = rest[rest.rindex("@") + 1 :]
    cut = re.search(r"[?#]", rest)
    return match["scheme"] + (rest if cut is None else f"{rest[: cut.start()]}?...")
