"""Score scales: the ordered labels a judge may answer with, and what each is worth."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .errors import LagerError

_RANGE = re.compile(r"\s*(-?\d+)\s*-\s*(-?\d+)\s*\Z")
_GRAMMAR = "a scale is LOW-HIGH (1-5) or LABEL=VALUE pairs (A=4,B=3,C=2)"
_MAX_LABELS = 256


@dataclass(frozen=True)
class Scale:
    """The score labels in the order of the read-out's last axis, and their values.

    Parameters
    ----------
    labels : tuple of str
        What the judge writes, one single token each (checked when a tokenizer is at hand).
    values : tuple of float
        The number each label stands for; finite, and not all equal.
    """

    labels: tuple[str, ...]
    values: tuple[float, ...]

    def __post_init__(self) -> None:
        """Refuse scales on which no expectation can be taken."""
        if len(self.labels) != len(self.values):
            raise LagerError(f"the scale has {len(self.labels)} labels and {len(self.values)} values: give one each")
        if not 2 <= len(self.labels) <= _MAX_LABELS:
            raise LagerError(f"the scale has {len(self.labels)} labels, expected 2 to {_MAX_LABELS}: {_GRAMMAR}")
        if len(set(self.labels)) != len(self.labels) or "" in self.labels:
            raise LagerError(f"scale labels must be distinct and not empty, got {', '.join(map(repr, self.labels))}")
        if not all(math.isfinite(v) for v in self.values) or min(self.values) == max(self.values):
            raise LagerError(f"scale values must be finite and not all equal, got {list(self.values)}")

    @classmethod
    def parse(cls, text: str) -> Scale:
        """Read ``1-5``, ``A=4,B=3,C=2`` or ``yes=1,no=0``.

        Raises
        ------
        LagerError
            When the text is neither.
        """
        if match := _RANGE.match(text):
            low, high = int(match[1]), int(match[2])
            if not 1 <= high - low < _MAX_LABELS:
                raise LagerError(f"scale {text!r}: expected LOW below HIGH, at most {_MAX_LABELS} labels; {_GRAMMAR}")
            return cls(tuple(str(i) for i in range(low, high + 1)), tuple(float(i) for i in range(low, high + 1)))
        labels, values = [], []
        for part in text.split(","):
            label, equals, value = part.rpartition("=")
            try:
                values.append(float(value))
            except ValueError:
                equals = ""
            if not equals:
                raise LagerError(f"scale {text!r}: cannot read {part.strip()!r}; {_GRAMMAR}")
            labels.append(label.strip())
        return cls(tuple(labels), tuple(values))

    @property
    def array(self) -> NDArray[np.float64]:
        """The values as an ndarray of shape (n_labels,)."""
        return np.array(self.values, dtype=np.float64)

    @property
    def low(self) -> float:
        """The smallest value."""
        return min(self.values)

    @property
    def high(self) -> float:
        """The largest value."""
        return max(self.values)

    def __len__(self) -> int:
        """Return the number of labels, K."""
        return len(self.labels)

    def __str__(self) -> str:
        """Return the scale in the grammar that `parse` reads."""
        steps = np.diff(self.values)
        numbers = all(label == f"{value:g}" for label, value in zip(self.labels, self.values, strict=True))
        if numbers and (steps == 1).all():
            return f"{self.labels[0]}-{self.labels[-1]}"
        return ",".join(f"{label}={value:g}" for label, value in zip(self.labels, self.values, strict=True))

    def as_json(self) -> dict[str, list[str] | list[float]]:
        """Return the scale as the cache and aggregator files keep it."""
        return {"labels": list(self.labels), "values": list(self.values)}

    @classmethod
    def from_json(cls, raw: object) -> Scale:
        """Read what `as_json` wrote; anything else is a `LagerError`."""
        match raw:
            case {"labels": list(labels), "values": list(values)} if all(isinstance(x, str) for x in labels) and all(
                isinstance(x, int | float) and not isinstance(x, bool) for x in values
            ):
                return cls(tuple(labels), tuple(float(v) for v in values))
        raise LagerError("the scale is malformed: expected an object with lists `labels` and `values`")
