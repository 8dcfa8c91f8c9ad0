"""JSON from others, read within bounds."""

from __future__ import annotations

import json
from functools import cache
from typing import Any, NamedTuple

MAX_DEPTH = 64
_MAX_VALUES = 64 << 20


class Limits(NamedTuple):
    """How large JSON may be.

    Attributes
    ----------
    size : int
        Bytes or characters.
    containers : int
        Lists and objects: a byte of JSON can become hundreds in memory, so they are bounded by themselves.
    """

    size: int
    containers: int


#: What a program wrote about itself, and one line of a data file.
RECORD = Limits(64 << 20, 1 << 20)
#: A whole data file.
DOCUMENT = Limits(4 << 30, 16 << 20)


def parse_json(data: bytes | str, *, limits: Limits = RECORD, exact: bool = False, unique: bool = False) -> Any:
    """Parse JSON that is no longer, deeper or larger than any file of its kind.

    Raises `ValueError` when it is not JSON, is too long, too deep or too large, or holds half of a surrogate pair,
    which is no text.
    """
    if len(data) > limits.size:
        raise ValueError(f"longer than {limits.size} bytes")
    text = data.decode("utf-8") if isinstance(data, bytes) else data
    opened = text.count("[") + text.count("{")
    if opened > limits.containers or text.count(",") > _MAX_VALUES:
        raise ValueError("more lists, objects or values than any such file needs")
    try:
        value = _decoder(exact, unique).decode(text)
    except RecursionError:
        raise ValueError(f"nested deeper than {MAX_DEPTH}") from None
    if opened > MAX_DEPTH:  # what opens no more cannot be deeper; looking costs as much as reading
        _check_depth(value)
    if "\\u" in text:
        try:
            json.dumps(value, ensure_ascii=False).encode()
        except UnicodeEncodeError:
            raise ValueError("half of a surrogate pair, which is no text") from None
    return value


@cache
def _decoder(exact: bool, unique: bool) -> json.JSONDecoder:
    """Return what reads JSON by these rules; making one takes longer than reading a short line."""
    return json.JSONDecoder(
        parse_float=_exact_float if exact else None,
        parse_constant=_no_number if exact else None,
        object_pairs_hook=_unique_names if unique else None,
    )


def _unique_names(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"{next(name for name in found if names.count(name) > 1)[:40]!r} is there more than once")
    return found


def _check_depth(value: Any) -> None:
    level, depth = [value], 0
    while level := [one for one in level if isinstance(one, dict | list)]:
        depth += 1
        if depth > MAX_DEPTH:
            raise ValueError(f"nested deeper than {MAX_DEPTH}")
        level = [child for one in level for child in (one.values() if isinstance(one, dict) else one)]


def _no_number(text: str) -> float:
    raise ValueError(f"{text} is no number")


def _exact_float(text: str) -> float:
    value = float(text)
    if repr(value) != text:
        raise ValueError(f"the number {text[:40]} is not written as it would be")
    return value
