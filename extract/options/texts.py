"""Option values that are written as text on the command line."""

from __future__ import annotations

from typing import Any

from ...data.errors import LagerError
from ...data.files.json_text import parse_json


def parse_names(text: str) -> list[str]:
    """Return names written with commas between."""
    return [name.strip() for name in text.split(",")] if text else []


def parse_chat_args(text: str) -> dict[str, Any]:
    """Return the arguments of the chat template."""
    return _parse_object(text, name="--chat-args", example='{"enable_thinking": true}')


def parse_slurm(text: str) -> dict[str, Any]:
    """Return what Slurm jobs ask for."""
    return _parse_object(text, name="--slurm", example='{"partition": "gpu", "mem_gb": 64}')


def _parse_object(text: str, *, name: str, example: str) -> dict[str, Any]:
    """Return a JSON object, or say what one looks like."""
    try:
        value = parse_json(text)
    except ValueError:
        value = None
    if not isinstance(value, dict):
        raise LagerError(f"{name} {text!r}: expected a JSON object such as '{example}'")
    return value


def parse_range(text: str) -> tuple[float, float]:
    """Return the ends of ``LO-HI``; either may be negative or have a fraction."""
    # The dash between the two is the first one that is not a sign.
    at = text.find("-", 1)
    try:
        return float(text[:at]), float(text[at + 1 :])
    except ValueError:
        raise LagerError(f"--human-range {text!r}: expected LO-HI, such as 0-100") from None
