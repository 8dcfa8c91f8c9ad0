"""The versions of the libraries that a judge is read with, and whether a run goes on under others."""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping
from typing import Any

from ...data.version import VERSION
from ..model.judge import Judge

_LIBRARIES = ("transformers", "tokenizers", "numpy")


def library_versions(judge: Judge) -> dict[str, str]:
    """Return the versions of what a judge is read with."""
    import torch

    stored = judge.stored
    names = _LIBRARIES if stored is None else (*_LIBRARIES, stored["method"])
    return {
        "lager": VERSION,
        "torch": str(torch.__version__),  # with the build, such as +cu130, which metadata may leave out
        **{name: importlib.metadata.version(name) for name in names},
    }


def other_versions(begun: Any, now: Mapping[str, str]) -> str:
    """Return what was begun under other versions than those of now, for one line; empty where that is not so."""
    begun = begun if isinstance(begun, Mapping) else {}
    names = [name for name, version in now.items() if begun.get(name, version) != version]
    before, after = (", ".join(f"{name} {of[name]}" for name in names) for of in (begun, now))
    return f"was begun under {before} and goes on under {after}: numbers may differ in low bits" if names else ""
