"""Aggregator files, format versions 2 and 3: one JSON object, nothing in it is ever executed.

A file says which read-outs the aggregator was fitted on (`readout_id`), how their prompts were read (`fingerprint`),
and, by the first 8 bytes of each prompt's sha256, which prompts it has seen, so that evaluating on a subset, or on the
same items in another order, is still recognised as in-sample. Those keys are sorted, distinct and stored together in
base64: 11 bytes per training item. Version 1 had a list of their 16 hexadecimal digits; it is still read. Version 3 is
of files with what a reader of version 2 would pass over, and score without: intercepts of groups, models of folds.
"""

from __future__ import annotations

import base64
import re
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data.errors import LagerError
from ...data.files.canonical import seal, sha256_json
from ...data.files.json_text import Limits
from ...data.files.writing import read_json, refuse_existing, write_json
from ...data.scale import Scale
from ...data.version import VERSION
from ..aggregator.aggregator import Aggregator
from ..aggregator.conformal import Calibration
from ..aggregator.cross_conformal import CrossCalibration
from ..aggregator.group_intercepts import GROUP_INTERCEPTS
from ..aggregator.triage_rule import TriageRule
from ..strategies.registry import lookup
from .prompt_settings import PromptSettings

FORMAT = "lager-aggregator"
FORMAT_VERSION = 3

_KEY = np.dtype(">u8")
_HEX_KEY = re.compile("[0-9a-f]{16}")
_LARGEST = 1e100
_LIMITS = Limits(256 << 20, 1 << 20)  # ten million training rows


@dataclass(frozen=True)
class AggregatorRecord:
    """An aggregator and where it comes from.

    Parameters
    ----------
    aggregator : Aggregator
    readout_id, fingerprint, items_hash : str or None
        Of the cache it was fitted on; None when it was fitted on plain arrays.
    training_rows : bytes
        Keys of the prompts it was fitted on, see `packed_keys`.
    private : bool
        Whether these keys are of a private cache: the same items are not recognised anywhere else.
    library_version : str
        What wrote the file.
    readout_inputs : dict or None
        What `readout_id` is the hash of; None in files of earlier versions.
    reading : PromptSettings or None
        How the cache's prompts were read.
    calibration : Calibration, CrossCalibration or None
        How far its scores are from human ones; see `calibration_for`.
    triage : TriageRule or None
        Which items it may decide alone; see `triage_for`.
    """

    aggregator: Aggregator
    readout_id: str | None = None
    fingerprint: str | None = None
    items_hash: str | None = None
    training_rows: bytes = b""
    private: bool = False
    library_version: str = ""
    readout_inputs: dict[str, Any] | None = None
    reading: PromptSettings | None = None
    calibration: Calibration | CrossCalibration | None = None
    triage: TriageRule | None = None

    @cached_property
    def training_keys(self) -> NDArray[np.uint64]:
        """The keys of the training prompts as ascending numbers, shape (n_keys,)."""
        return np.frombuffer(self.training_rows, dtype=_KEY).astype(np.uint64)

    def calibration_for(self, scale: Scale) -> Calibration | CrossCalibration | None:
        """Return the calibration where it was made on this scale, None for any other."""
        return self.calibration if self.calibration is not None and self.calibration.scale == scale else None

    def triage_for(self, scale: Scale) -> TriageRule | None:
        """Return the rule where it was made on this scale, None for any other."""
        return self.triage if self.triage is not None and self.triage.scale == scale else None


def packed_keys(keys: NDArray[np.uint64]) -> bytes:
    """Return prompt keys (`FeatureCache.prompt_keys`) sorted and without repeats, 8 bytes each, big-endian."""
    return np.unique(keys).astype(_KEY).tobytes()


def save_aggregator(path: str | Path, record: AggregatorRecord | Aggregator) -> None:
    """Write an aggregator file, whole or not at all.

    Parameters
    ----------
    path : str or Path
        Must not exist.
    record : AggregatorRecord or Aggregator
        A bare aggregator is stored without the identity of its training data.

    Raises
    ------
    LagerError
        When the file exists or cannot be written.
    """
    path = Path(path)
    refuse_existing(path, what="aggregator file")
    if isinstance(record, Aggregator):
        record = AggregatorRecord(record)
    aggregator = record.aggregator
    content = {
        "format": FORMAT,
        "format_version": _version_for(aggregator),
        **aggregator.as_json(),
        "readout_id": record.readout_id,
        "readout_inputs": record.readout_inputs,
        "fingerprint": record.fingerprint,
        "items_hash": record.items_hash,
        "n": aggregator.training.get("n", 0),
        "training_rows": base64.b64encode(record.training_rows).decode(),
        "reading": None if record.reading is None else record.reading.as_json(),
        "library_version": VERSION,
    }
    if record.private:
        content["private"] = True
    if record.calibration is not None:
        content["calibration"] = record.calibration.as_json()
    if record.triage is not None:
        content["triage"] = record.triage.as_json()
    write_json(path, seal(content), indent=1)


def _version_for(aggregator: Aggregator) -> int:
    """Return the lowest version whose readers score by all that the file holds."""
    later = GROUP_INTERCEPTS in aggregator.parameters or aggregator.definition.members(aggregator)
    return FORMAT_VERSION if later else 2


def load_aggregator(path: str | Path) -> AggregatorRecord:
    """Read an aggregator file.

    Raises
    ------
    LagerError
        When the file is missing, damaged, edited, of a newer format, or holds values that cannot score.
    """
    path = Path(path)
    raw = read_json(path, what="aggregator file", limits=_LIMITS)
    if raw.get("format") != FORMAT:
        raise LagerError(f"{path} is no aggregator file: its `format` is not {FORMAT!r}; give what lager train wrote")
    found = raw.get("format_version")
    if type(found) is not int or not 1 <= found <= FORMAT_VERSION:
        raise LagerError(
            f"aggregator file {path} has format version {str(found)[:20]}, this lager reads up to {FORMAT_VERSION}: "
            "install a newer lager"
        )
    try:
        if seal(raw)["self_sha256"] != raw.get("self_sha256"):
            raise LagerError("its content does not match its own checksum, so it was damaged or edited; train it again")
        return _parse(raw)
    except LagerError as error:
        raise LagerError(f"aggregator file {path}: {error}") from None
    except (ValueError, OverflowError, RecursionError):
        raise LagerError(
            f"aggregator file {path} holds numbers or text that no aggregator has: train it again"
        ) from None


def in_sample(record: AggregatorRecord, keys: NDArray[np.uint64]) -> NDArray[np.bool_]:
    """Return for each prompt key of a cache whether it was among the training prompts'; shape (n_items,)."""
    seen = record.training_keys
    if not len(seen):
        return np.zeros(len(keys), dtype=np.bool_)
    place = np.searchsorted(seen, keys)
    return np.asarray(seen[np.minimum(place, len(seen) - 1)] == keys)


def _parse(raw: dict[str, Any]) -> AggregatorRecord:
    """Return the record, or raise `LagerError` naming the field that is wrong."""
    _check_sizes(raw)
    rows = _unpacked(raw.get("training_rows"), version=raw["format_version"])
    if type(n := raw.get("n")) is not int or n < 0:
        raise LagerError("`n` is not a count of items")
    aggregator = Aggregator.from_json(raw, lookup)
    identity = {key: _text_or_none(raw, key) for key in ("readout_id", "fingerprint", "items_hash")}
    inputs = raw.get("readout_inputs")
    if inputs is not None and (not isinstance(inputs, dict) or sha256_json(inputs) != identity["readout_id"]):
        raise LagerError("`readout_id` is not the hash of `readout_inputs`")
    return AggregatorRecord(
        aggregator,
        **identity,
        training_rows=rows,
        private=raw.get("private", False) is True,
        library_version=_text(raw, "library_version"),
        readout_inputs=inputs,
        reading=PromptSettings.from_json(raw.get("reading")),
        calibration=_calibration(raw.get("calibration"), aggregator),
        triage=TriageRule.from_json(raw.get("triage")),
    )


def _calibration(raw: object, aggregator: Aggregator) -> Calibration | CrossCalibration | None:
    """Return the calibration; `LagerError` unless errors of models are of as many models as there are."""
    if not (isinstance(raw, dict) and "errors" in raw):
        return Calibration.from_json(raw)
    found = CrossCalibration.from_json(raw)
    if (n := len(aggregator.definition.members(aggregator))) != len(found.errors):
        raise LagerError(f"`calibration` holds errors of {len(found.errors)} models, and there are {n}")
    return found


def _check_sizes(value: Any) -> None:
    """Refuse numbers that overflow where they are multiplied by a read-out: no fit has them."""
    if isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            _check_sizes(one)
    elif isinstance(value, int | float) and abs(value) > _LARGEST:
        raise LagerError(f"it holds the number {float(value):g}, larger than any that is fitted: train it again")


def _unpacked(rows: Any, *, version: int) -> bytes:
    """Return the keys of either version, sorted; of version 1, as 16 digits each."""
    if version == 1:
        if not isinstance(rows, list) or not all(isinstance(key, str) and _HEX_KEY.fullmatch(key) for key in rows):
            raise LagerError("`training_rows` is not a list of 16 hexadecimal digits each")
        return b"".join(sorted({bytes.fromhex(key) for key in rows}))
    try:
        packed = base64.b64decode(rows, validate=True) if isinstance(rows, str) else b"none"
    except ValueError:
        packed = b"none"
    if len(packed) % _KEY.itemsize:
        raise LagerError("`training_rows` is not base64 of 8 bytes an item")
    keys = np.frombuffer(packed, dtype=_KEY)
    if (keys[1:] <= keys[:-1]).any():
        raise LagerError("`training_rows` is not in ascending order")
    return packed


def _text(raw: dict[str, Any], key: str) -> str:
    if not isinstance(value := raw.get(key), str):
        raise LagerError(f"`{key}` is not text")
    return value


def _text_or_none(raw: dict[str, Any], key: str) -> str | None:
    return None if raw.get(key) is None else _text(raw, key)
