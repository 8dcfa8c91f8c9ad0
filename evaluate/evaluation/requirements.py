"""What an evaluation has to reach: ``ridge:mae<=0.8`` as a line of a gate."""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Mapping, Sequence
from types import MappingProxyType
from typing import Any, NamedTuple

from ...data.errors import LagerError
from ...data.items.score_files import nearest
from ..agreement.result import Agreement
from ..metrics.metrics import METRICS

_SIGNS: Mapping[str, Callable[[float, float], bool]] = MappingProxyType(
    {">=": operator.ge, "<=": operator.le, ">": operator.gt, "<": operator.lt}
)
_OWN, _DIFFERENCE = ("estimate", "low", "high"), ("difference", "difference.low", "difference.high")
PARTS = (*_OWN, *_DIFFERENCE)
_FORM = re.compile(
    r"(?P<strategy>.+):(?P<metric>\w+)(?:\.(?P<part>[\w.]+))?\s*(?P<sign>[<>]=?)\s*(?P<bound>[^\s<>=]+)\s*"
)


class Requirement(NamedTuple):
    """A figure and what it must be.

    Attributes
    ----------
    text : str
        As it was given.
    strategy, metric : str
    part : str
        One of `PARTS`.
    sign : str
        ``>=``, ``<=``, ``>`` or ``<``.
    bound : float
    """

    text: str
    strategy: str
    metric: str
    part: str
    sign: str
    bound: float


class Checked(NamedTuple):
    """A requirement with what was found; a figure that is undefined fails, with the reason."""

    requirement: Requirement
    value: float | None
    reason: str | None = None

    @property
    def met(self) -> bool:
        """Whether the figure is defined and what it must be."""
        one = self.requirement
        return self.value is not None and _SIGNS[one.sign](self.value, one.bound)

    def as_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        out = {"requirement": self.requirement.text, "met": self.met, "value": self.value}
        return out if self.reason is None else out | {"reason": self.reason}

    def line(self) -> str:
        """Return one line that says whether it is met, and by which figure."""
        found = f"undefined, {self.reason}" if self.value is None else f"{self.value:.4g}"
        return f"requirement {'met' if self.met else 'NOT MET'}: {self.requirement.text} (it is {found})"


def parse_requirement(text: str) -> Requirement:
    """Read ``STRATEGY:METRIC>=NUMBER`` or ``STRATEGY:METRIC.PART<=NUMBER``."""
    found = _FORM.fullmatch(text.strip())
    if found is None:
        raise LagerError(f"--require {text!r}: expected STRATEGY:METRIC>=NUMBER, such as ridge:spearman.low>=0.4")
    metric, part = found["metric"], found["part"] or "estimate"
    if metric not in METRICS:
        raise LagerError(f"--require {text!r}: no metric {metric!r}: {nearest(metric, list(METRICS))}")
    if part not in PARTS:
        raise LagerError(f"--require {text!r}: no part {part!r} of a figure: {nearest(part, PARTS)}")
    try:
        bound = float(found["bound"])
    except ValueError:
        bound = float("nan")
    if not abs(bound) < float("inf"):
        raise LagerError(f"--require {text!r}: {found['bound']!r} is no finite number")
    return Requirement(text.strip(), found["strategy"].strip(), metric, part, found["sign"], bound)


def check_requirements(
    agreement: Agreement, skipped: Mapping[str, str], requirements: Sequence[Requirement]
) -> tuple[Checked, ...]:
    """Return what was found for each requirement; `LagerError` for a strategy that was not asked for."""
    known = [*(one.strategy for one in agreement.strategies), *skipped]
    for one in requirements:
        if one.strategy not in known:
            raise LagerError(f"--require {one.text!r}: no strategy {one.strategy!r}: {nearest(one.strategy, known)}")
        if one.part in _DIFFERENCE and agreement.comparison is None:
            raise LagerError(f"--require {one.text!r}: a difference is to a baseline: give --baseline STRATEGY too")
    return tuple(_check(agreement, skipped, one) for one in requirements)


def _check(agreement: Agreement, skipped: Mapping[str, str], one: Requirement) -> Checked:
    """Return what was found for one requirement."""
    if one.strategy in skipped:
        return Checked(one, None, f"the strategy was skipped: {skipped[one.strategy]}")
    if one.part in _OWN:
        figure: Any = agreement[one.strategy].metrics[one.metric]
    elif agreement.comparison is None or one.strategy == agreement.comparison.baseline:
        return Checked(one, None, "it is the baseline itself")
    else:
        figure = agreement.comparison.differences[one.strategy][one.metric]
    value = getattr(figure, one.part.removeprefix("difference."))
    return Checked(one, value, None if value is not None else figure.reason or "there is no such figure")
