"""The presets: this library's way to fit, the paper's, and that of the authors' released code."""

from __future__ import annotations

from typing import Literal, get_args

from ...data.errors import LagerError

Preset = Literal["converged", "paper", "release"]
PRESETS: tuple[str, ...] = get_args(Preset)


def check_preset(preset: str) -> None:
    """Raise `LagerError` for a name that is no preset."""
    if preset not in PRESETS:
        raise LagerError(f"unknown preset {preset!r}: choose one of {', '.join(PRESETS)}")
