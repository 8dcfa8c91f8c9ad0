"""Margins of an agreement: what is at or above the largest difference there can be holds whatever is found."""

from __future__ import annotations

from ...data.errors import LagerError
from ..metrics.metrics import METRICS

_LARGEST = {"correlation": 2.0, "share": 1.0}


def largest_difference(metric: str, span: float) -> float:
    """Return how far two figures of a metric can lie apart; of errors, the range of scores."""
    return _LARGEST.get(METRICS[metric].space, span)


def check_agreement_margin(what: str, margin: float, metric: str) -> None:
    """Refuse a margin that is not above 0, or that no difference can reach."""
    largest = largest_difference(metric, float("inf"))
    if not 0 < margin < largest:
        raise LagerError(
            f"{what} {margin:g}: expected a number above 0"
            + (
                f" and below {largest:g}, which two figures of {METRICS[metric].title} never lie apart"
                if largest < float("inf")
                else ""
            )
            + ", such as 0.05"
        )
