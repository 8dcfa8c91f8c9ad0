"""Equivalence: a change is told to be small by its interval, and not by a test that could not tell it from none."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

Verdict = Literal["PASS", "FAIL", "INCONCLUSIVE", "NOT CHECKED"]


@dataclass(frozen=True)
class Equivalence:
    """One change against its margin.

    Parameters
    ----------
    what : str
        What changed, in words.
    change : float or None
        New less baseline; None where it is undefined.
    low, high : float or None
        Interval of the change.
    margin : float or None
        Changes below it, in either direction, count as none; None where none was stated.
    reason : str or None
        Why nothing was checked.
    """

    what: str
    change: float | None
    low: float | None
    high: float | None
    margin: float | None
    reason: str | None = None

    @property
    def verdict(self) -> Verdict:
        """PASS where the whole interval lies within the margin, FAIL where it all lies beyond, else INCONCLUSIVE."""
        if self.low is None or self.high is None or self.margin is None:
            return "NOT CHECKED"
        if -self.margin < self.low and self.high < self.margin:
            return "PASS"
        return "FAIL" if self.low >= self.margin or self.high <= -self.margin else "INCONCLUSIVE"

    def as_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        return {**vars(self), "verdict": self.verdict}


def not_checked(what: str, reason: str, *, change: float | None = None, margin: float | None = None) -> Equivalence:
    """Return a change that was not tested, and why."""
    return Equivalence(what, change, None, None, margin, reason)
