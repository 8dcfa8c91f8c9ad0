"""Whether two sets of read-outs are alike to an aggregator: same weights, settings of the model, read-out and dtype."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..files.canonical import sha256_json
from .manifest import differing

# Read-outs of earlier versions do not say these.
_SETTINGS = ("config", "code")
_SHOWN, _LONGEST = 6, 80


def differing_readouts(mine: Mapping[str, Any], theirs: Mapping[str, Any]) -> list[str]:
    """Return the names under which two `readout_inputs` differ; settings count where both say theirs."""
    if "config" not in mine or "config" not in theirs:
        mine, theirs = _without_settings(mine), _without_settings(theirs)
    # One name for all files of weights: a large model has hundreds.
    return list(dict.fromkeys("weights" if name.startswith("weights.") else name for name in differing(mine, theirs)))


def unlike(readout_id: object, known: object, inputs: Mapping[str, Any]) -> list[str]:
    """Return the names under which read-outs of this id differ from those of `inputs`.

    `known` are what the id is the hash of; without them (earlier versions kept the id alone) its own parts are compared
    together.
    """
    if readout_id == sha256_json(inputs):
        return []
    if isinstance(known, Mapping):
        return differing_readouts(known, inputs)
    return [] if readout_id == sha256_json(_without_settings(inputs)) else ["weights, read-out or dtype"]


def listed_names(names: list[str]) -> str:
    """Return the first names that differ, for one line; a stranger's may be of any length."""
    more = f" and {len(names) - _SHOWN} more" if len(names) > _SHOWN else ""
    return f"{', '.join(name[:_LONGEST] for name in names[:_SHOWN])}{more}"


def _without_settings(inputs: Mapping[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in inputs.items() if name not in _SETTINGS}
