"""Are two caches of the same items, and read in the same way: what differs, with both values."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np
from numpy.typing import NDArray

from ...data.cache.feature_cache import FeatureCache
from ...data.cache.manifest import differing
from ...data.errors import LagerError

_LONGEST = 30  # of a value that a line shows
_CLOSE = 1e-6  # human scores that went through another scale and back


def reading_differences(one: FeatureCache, other: FeatureCache) -> list[str]:
    """Return in what two caches were read otherwise, a part each, with both values where they are short."""
    mine, theirs = one.manifest["fingerprint_inputs"], other.manifest["fingerprint_inputs"]
    parts = [_described(name, _at(mine, name), _at(theirs, name)) for name in differing(mine, theirs)]
    if one.scale != other.scale and not any(part.startswith("scale") for part in parts):
        parts.append(_described("scale", str(one.scale), str(other.scale)))
    return parts


def _at(inputs: Mapping[str, Any], name: str) -> Any:
    """Return the value under a dotted name; file names may hold dots themselves."""
    found: Any = inputs
    while name and isinstance(found, Mapping):
        key = max((key for key in found if name == key or name.startswith(f"{key}.")), key=len, default=None)
        if key is None:
            return None
        found, name = found[key], name[len(key) + 1 :]
    return found


def _described(name: str, mine: Any, theirs: Any) -> str:
    shown = [_shown(value) for value in (mine, theirs)]
    return name if None in shown else f"{name} ({shown[0]}; {shown[1]})"


def _shown(value: Any) -> str | None:
    """Return a value as it stands in a line, hashes cut; None for one that is too long for it."""
    text = "none" if value is None else str(value)
    if len(text) == 64 and not text.strip("0123456789abcdef"):
        return text[:12]
    return text if len(text) <= _LONGEST and "\n" not in text else None


def check_same_items(
    one: tuple[str, FeatureCache, NDArray[np.intp]], other: tuple[str, FeatureCache, NDArray[np.intp]]
) -> bool:
    """Check that rows of two caches, which have the same ids, are of the same items.

    Ids may be row numbers of other files. Prompt hashes tell where both were read in the same way; else human scores,
    groups, clusters and systems do where both caches have them.
    """
    compared = False
    for what, mine, theirs, differs in _comparable(one, other):
        compared = True
        if len(rows := np.flatnonzero(differs)):
            item = str(one[1].item_id[one[2][rows[0]]])
            raise LagerError(
                f"{one[0]} and {other[0]} are not of the same items: {len(rows)} of {len(differs)} common ids have "
                f"another {what}, first {item!r} ({_value(mine[rows[0]])}; {_value(theirs[rows[0]])}); give caches of "
                "the same items, or items with ids of their own"
            )
    return compared


def _comparable(
    one: tuple[str, FeatureCache, NDArray[np.intp]], other: tuple[str, FeatureCache, NDArray[np.intp]]
) -> Iterator[tuple[str, NDArray[Any], NDArray[Any], NDArray[np.bool_]]]:
    """Yield what both caches know of the items: its name, both columns, and where they differ."""
    (_, first, rows), (_, second, places) = one, other
    if first.fingerprint == second.fingerprint and not (first.private or second.private):
        hashes = first.prompt_sha256[rows], second.prompt_sha256[places]
        yield "prompt", *hashes, (hashes[0] != hashes[1]).any(axis=1)
    human = first.mean_scores[rows], second.mean_scores[places]
    if (np.isfinite(human[0]) & np.isfinite(human[1])).any():
        shares = _share(human[0], first), _share(human[1], second)
        yield "human score", *human, _apart(*human) & _apart(*shares)
    for name in ("group", "cluster", "system"):
        columns = first.column(name), second.column(name)
        if columns[0] is not None and columns[1] is not None:
            labels = columns[0][rows], columns[1][places]
            yield name, *labels, np.array([a != b for a, b in zip(*labels, strict=True)], dtype=np.bool_)


def _share(human: NDArray[np.float64], cache: FeatureCache) -> NDArray[np.float64]:
    return np.asarray((human - cache.scale.low) / (cache.scale.high - cache.scale.low))


def _apart(mine: NDArray[np.float64], theirs: NDArray[np.float64]) -> NDArray[np.bool_]:
    """Return where two numbers are known and not the same."""
    return np.abs(np.nan_to_num(mine - theirs)) > _CLOSE


def _value(value: Any) -> str:
    return (
        bytes(value).hex()[:12]
        if isinstance(value, np.ndarray)
        else f"{value:g}"
        if isinstance(value, float)
        else str(value)
    )
