"""Text files of others: UTF-8, or what the byte-order mark at their beginning says."""

from __future__ import annotations

import codecs
from pathlib import Path
from typing import TextIO

# The mark of UTF-32 begins with that of UTF-16, so it is looked for first. These codecs take the mark away.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8-sig"),
    (codecs.BOM_UTF32_LE, "utf-32"),
    (codecs.BOM_UTF32_BE, "utf-32"),
    (codecs.BOM_UTF16_LE, "utf-16"),
    (codecs.BOM_UTF16_BE, "utf-16"),
)


def encoding_of(head: bytes) -> str:
    """Return the codec for a text that begins with these bytes, four of them or more."""
    return next((codec for mark, codec in _MARKS if head.startswith(mark)), "utf-8")


def open_text(path: Path, *, newline: str | None = None) -> TextIO:
    """Open a text file in its encoding; `newline` is that of `open`."""
    with path.open("rb") as file:
        head = file.read(4)
    return path.open(encoding=encoding_of(head), newline=newline)


def read_text(path: Path) -> str:
    """Return the content of a text file, with line feeds for all ends of lines."""
    with open_text(path) as file:
        return file.read()


def decode_text(content: bytes) -> str:
    """Return the text that the content of a file is; `UnicodeDecodeError` where it is none."""
    return content.decode(encoding_of(content[:4]))


def bad_line(path: Path) -> int | None:
    """Return the number of the first line that is no UTF-8, None where all are or the file has another encoding."""
    with path.open("rb") as file:
        if encoding_of(file.read(4)) not in {"utf-8", "utf-8-sig"}:
            return None
        file.seek(0)
        for number, line in enumerate(file, start=1):
            try:
                line.decode("utf-8")
            except UnicodeDecodeError:
                return number
    return None
