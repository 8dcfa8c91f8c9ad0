"""Correlation of the systems' true means: what infinitely many texts would give; from one set of texts for all."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from .intervals import NO_RESAMPLES, Interval
from .jackknife import SPACES, jackknife_interval, jackknife_p

METRIC = "pearson"
NOT_KNOWN = "between systems only Pearson's r has an interval, that of their true means"
INCOMPLETE = "intervals between systems need the same texts (clusters) for every system"
NOISE = "the systems' means differ by no more than their noise: more texts are needed"
_WHOLE = 0.95


class TrueMeans(NamedTuple):
    """Pearson's r of the systems' true means, whole and without each text.

    Parameters
    ----------
    raw : ndarray of shape (n_scores, n_segments)
        r of the observed means, which their noise draws towards 0.
    correlations : ndarray of shape (n_scores, n_segments)
        r without that noise; beyond 1 where the noise hides how far below 1 it is, NaN where there is only noise.
    left_out : ndarray of shape (n_scores, n_segments, n_texts)
        The same without each text.
    effective : int
        The fewer of systems and texts: so many tell how far the figures are off.
    reason : str or None
        Why there is none of this.
    """

    raw: NDArray[np.float64]
    correlations: NDArray[np.float64]
    left_out: NDArray[np.float64]
    effective: int
    reason: str | None = None

    def interval(self, score: int, segment: int | None = None) -> Interval:
        """Return the interval of a figure, of the mean over segments where none is named."""
        return self._interval(score, None, slice(None) if segment is None else slice(segment, segment + 1))

    def difference(self, score: int, baseline: int) -> tuple[Interval, float | None]:
        """Return the interval of a difference of means over segments, and its p-value."""
        interval = self._interval(score, baseline, slice(None))
        if interval.low is None:
            return interval, None
        point, left_out = self._figures(score, baseline, slice(None))
        return interval, jackknife_p(point, left_out, self.effective)

    def _figures(self, score: int, baseline: int | None, segments: slice) -> tuple[float, NDArray[np.float64]]:
        points, left_out = self.correlations[score, segments], self.left_out[score, segments]
        if baseline is not None:
            points = points - self.correlations[baseline, segments]
            left_out = left_out - self.left_out[baseline, segments]
        return float(points.mean()), left_out.mean(axis=0)

    def _interval(self, score: int, baseline: int | None, segments: slice) -> Interval:
        if self.reason is not None:
            return Interval(None, None, 0, self.reason)
        point, left_out = self._figures(score, baseline, segments)
        if np.isnan(point) or np.isnan(left_out).any():
            return Interval(None, None, 0, NOISE)
        raw = self.raw[score, segments] - (0.0 if baseline is None else self.raw[baseline, segments])
        space = SPACES["correlation" if baseline is None else "difference"]
        found = jackknife_interval(point, left_out, self.effective, space)
        if found.low is None or found.high is None:
            return found
        if baseline is None and found.low < -_WHOLE and found.high > _WHOLE:
            return Interval(None, None, 0, NOISE)
        return found._replace(low=min(found.low, float(raw.mean())), high=max(found.high, float(raw.mean())))


def no_true_means(reason: str) -> TrueMeans:
    """Return an empty result."""
    nothing = np.empty((0, 0))
    return TrueMeans(nothing, nothing, np.empty((0, 0, 0)), 0, reason)


def true_means(
    columns: Sequence[NDArray[np.float64]],
    *,
    segment: NDArray[np.intp],
    n_segments: int,
    system: NDArray[np.intp],
    text: NDArray[np.intp] | None,
    wanted: bool = True,
) -> TrueMeans:
    """Estimate the correlations of true means; only where every system has every text of a segment.

    Parameters
    ----------
    columns : sequence of ndarray of shape (n_items,)
        Human scores, then those of every judge.
    segment, system : ndarray of shape (n_items,)
    n_segments : int
    text : ndarray of shape (n_items,), or None
        Each item's cluster; None where none are declared.
    wanted : bool
        Whether intervals are asked for.
    """
    if not wanted:
        return no_true_means(NO_RESAMPLES)
    if text is None:
        return no_true_means(INCOMPLETE)
    texts = np.unique(text)
    shape = (len(columns) - 1, n_segments)
    raw, whole, left_out = np.empty(shape), np.empty(shape), np.empty((*shape, len(texts)))
    for index in range(n_segments):
        rows = np.flatnonzero(segment == index)
        tables = _tables([column[rows] for column in columns], np.searchsorted(texts, text[rows]), system[rows])
        if tables is None:
            return no_true_means(INCOMPLETE)
        present, values = tables
        for s in range(shape[0]):
            pair = values[[0, s + 1]]
            raw[s, index], whole[s, index] = _correlations(pair)
            left_out[s, index] = whole[s, index]
            for place, name in enumerate(present):
                left_out[s, index, name] = _correlations(np.delete(pair, place, axis=1))[1]
    return TrueMeans(raw, whole, left_out, min(len(texts), len(np.unique(system))))


def _tables(
    columns: Sequence[NDArray[np.float64]], text: NDArray[np.intp], system: NDArray[np.intp]
) -> tuple[NDArray[np.intp], NDArray[np.float64]] | None:
    """Return the texts, and scores as (n_columns, n_texts, n_systems); None unless every cell has an item."""
    texts, row = np.unique(text, return_inverse=True)
    systems, column = np.unique(system, return_inverse=True)
    cell, n_cells = row * len(systems) + column, len(texts) * len(systems)
    counts = np.bincount(cell, minlength=n_cells)
    if len(texts) < 3 or len(systems) < 3 or not counts.all():
        return None
    sums = [np.bincount(cell, weights=values, minlength=n_cells) / counts for values in columns]
    return texts, np.array(sums).reshape(len(columns), len(texts), len(systems))


def _correlations(pair: NDArray[np.float64]) -> tuple[float, float]:
    """Return r of the observed means of two sides, shape (2, n_texts, n_systems), and that of the true ones.

    With S systems, D texts and residuals e of each side less its means of texts and of systems, the noise in the
    systems' means has the covariances ``C = sum(e e') / ((S - 1) (D - 1) D)``; those of the means less C are those of
    the true means (Spearman 1904's correction for attenuation, with the noise of a two-way layout).
    """
    _, n_texts, n_systems = pair.shape
    means = pair.mean(axis=1)
    centred = means - means.mean(axis=1, keepdims=True)
    residuals = pair - pair.mean(axis=2, keepdims=True) - centred[:, None]
    observed = centred @ centred.T / (n_systems - 1)
    noise = np.einsum("ads,bds->ab", residuals, residuals) / ((n_systems - 1) * (n_texts - 1) * n_texts)
    return _ratio(observed), _ratio(observed - noise)


def _ratio(covariances: NDArray[np.float64]) -> float:
    """Return the correlation, NaN where a side does not vary."""
    product = covariances[0, 0] * covariances[1, 1]
    varies = covariances[0, 0] > 0 and covariances[1, 1] > 0
    return float(covariances[0, 1] / np.sqrt(product)) if varies else float("nan")
