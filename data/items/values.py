"""What a value may be on its way to a prompt, a label, a group, a cluster or an id: text, a finite number, or missing.

Everything from a table or a caller goes through here, so that no placeholder becomes a text such as "nan" or "None".
"""

from __future__ import annotations

import datetime
import math
from collections.abc import Iterable, Mapping
from decimal import Decimal
from typing import Any

from ..errors import LagerError

_MISSING_KINDS = ("NAType", "NaTType")  # of pandas, which is not imported for them
_EXACT = 2**53  # whole numbers below it are themselves as floats
_WRITTEN_AS_TEXT = (datetime.date, datetime.time, datetime.timedelta, Decimal)


def plain_value(value: Any, *, what: str) -> Any:
    """Return a value as text, a finite number, lists and mappings of these, or None where it is missing (NaN too)."""
    if value is None or isinstance(value, str | bool | int):
        return str(value) if type(value) not in (str, bool, int) and isinstance(value, str) else value
    if isinstance(value, float):
        if math.isinf(value):
            raise LagerError(f"{what} is {value}, expected text or a finite number; leave it empty where there is none")
        return None if math.isnan(value) else float(value)
    if type(value).__name__ in _MISSING_KINDS:
        return None
    if isinstance(value, Mapping):
        return {str(name): plain_value(one, what=what) for name, one in value.items()}
    if isinstance(value, list | tuple):
        return [plain_value(one, what=what) for one in value]
    if isinstance(value, _WRITTEN_AS_TEXT):
        return str(value)
    if getattr(value, "shape", None) == () and hasattr(value, "item"):  # a number of NumPy or torch
        return plain_value(value.item(), what=what)
    raise LagerError(f"{what} is a {type(value).__name__}, expected text or a finite number")


def label_text(value: Any, *, what: str) -> str | None:
    """Return the name of a group, cluster or system as text, None where it is missing; `LagerError` for a list.

    1.0 is called 1: JSON lines that others wrote may have both in one column.
    """
    value = plain_value(value, what=what)
    if isinstance(value, list | dict):
        raise LagerError(f"{what} is a {type(value).__name__}, expected text or a number")
    if isinstance(value, float) and value.is_integer() and abs(value) < _EXACT:
        value = int(value)
    return None if value is None else str(value)


def prompt_text(value: Any, *, what: str) -> str:
    """Return a prompt that is given as text; `LagerError` for anything else, and where it is empty."""
    value = plain_value(value, what=what)
    if not isinstance(value, str):
        raise LagerError(f"{what} is {type(value).__name__}, expected text")
    if not value:
        raise LagerError(f"{what} is empty, expected text")
    return value


def plain_messages(value: Any, *, what: str) -> list[dict[str, Any]]:
    """Return a conversation whose contents are texts; parts of the type text are put together."""
    value = plain_value(value, what=what)
    if not isinstance(value, list) or not value:
        raise LagerError(f"{what} must be a list of objects with role and content, as text")
    return [_message(one, f"{what}, message {number}") for number, one in enumerate(value, start=1)]


def _message(message: Any, what: str) -> dict[str, Any]:
    """Return one message with its content as text."""
    if not isinstance(message, dict) or not isinstance(message.get("role"), str) or "content" not in message:
        raise LagerError(f"{what}: expected an object with role and content, as text")
    content = message["content"]
    if isinstance(content, list):
        content = "".join(_part(part, what) for part in content)
    if not isinstance(content, str):
        raise LagerError(f"{what}: its content is {_kind(content)}, expected text, or a list of parts of the type text")
    return {**message, "content": content}


def _part(part: Any, what: str) -> str:
    """Return the text of a part of a content."""
    if isinstance(part, str):
        return part
    if isinstance(part, dict) and part.get("type") == "text" and isinstance(part.get("text"), str):
        return str(part["text"])
    kind = part.get("type") if isinstance(part, dict) else type(part).__name__
    raise LagerError(
        f"{what}: a part of its content is {kind}, expected parts of the type text: a judge reads text only"
    )


def _kind(value: Any) -> str:
    return "missing" if value is None else type(value).__name__


def each_value(value: Any, *, what: str) -> list[Any] | None:
    """Return the values of several items as a list (from a list, array, series, column, generator); None for one."""
    if value is None or isinstance(value, str | bytes | Mapping) or not isinstance(value, Iterable):
        return None
    shape = getattr(value, "shape", None)
    if shape == ():
        return None
    if isinstance(value, set | frozenset) or (shape is not None and len(shape) != 1):
        raise LagerError(f"{what} is a {type(value).__name__}: expected one value, or a list with one for each item")
    return list(value)
