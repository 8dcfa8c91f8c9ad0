"""Text from others, as it may be shown: nothing in it moves the cursor, turns writing round or hides."""

from __future__ import annotations

import json
import unicodedata

_SHORT = {"\x7f": "\\u007f"}  # which JSON leaves as it is
_JOINERS = "\u200c\u200d"  # emoji and several scripts need them


def printable(text: object, *, keep: str = "") -> str:
    r"""Return text with control characters, line breaks and marks of direction written as escapes like ``\u001b``.

    They are those of JSON, so that JSON text stays JSON and keeps its meaning.

    Parameters
    ----------
    text : object
        Anything; `str` of it.
    keep : str
        Characters that stay, such as line breaks.
    """
    text = str(text)
    if text.isprintable():
        return text
    return "".join(char if char in keep or _is_plain(char) else _escape(char) for char in text)


def _is_plain(char: str) -> bool:
    return char.isprintable() or char in _JOINERS or unicodedata.category(char) == "Zs"


def _escape(char: str) -> str:
    return _SHORT.get(char) or json.dumps(char)[1:-1]
