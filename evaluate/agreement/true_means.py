"""Order of the systems' true means: what infinitely many texts would give, drawn from a two-way model of the scores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

from ...data.errors import LagerError
from .intervals import COVERAGE, NO_RESAMPLES, Interval

Systems = Literal["these", "alike"]

NOT_KNOWN = "between systems, figures of order alone have an interval, that of the true means"
INCOMPLETE = "intervals between systems need the same texts (clusters) for every system"
FEW = "intervals between systems need 5 systems and 3 texts (clusters) or more, and 6 systems for differences"
NOISE = "the systems' means differ by no more than their noise: more texts are needed"
EXACT = "the means or their noise lie on an exact line: nothing shows how far the figure is off"
_WHOLE = 0.95  # an interval from below -0.95 to above 0.95 says nothing
_DRAWS, _FEWEST, _ROUNDS = 2000, 800, 8
_KEPT = 64  # sets of draws, 0.6 MB each
ALL: tuple[Systems, ...] = ("these", "alike")
_LINE = 1e-10  # of the determinant of a correlation matrix

Array = NDArray[np.float64]


def _pearson(one: Array, other: Array) -> Array:
    one, other = (side - side.mean(axis=-1, keepdims=True) for side in (one, other))
    return np.asarray((one * other).sum(-1) / np.sqrt((one**2).sum(-1) * (other**2).sum(-1)))


def _ranks(values: Array) -> Array:
    return np.argsort(np.argsort(values, axis=-1), axis=-1).astype(np.float64)  # drawn means have no ties


def _kendall(one: Array, other: Array) -> Array:
    signs = [np.sign(side[..., :, None] - side[..., None, :]) for side in (one, other)]
    n = one.shape[-1]
    return np.asarray((signs[0] * signs[1]).sum(axis=(-1, -2)) / (n * (n - 1)))


class _Order(NamedTuple):
    """A figure of order: of means, shape (n_draws, n_systems) each, and of a normal population with correlation r."""

    of_means: Callable[[Array, Array], Array]
    of_population: Callable[[Array], Array]


#: Kendall (1948) has the figures of a normal population.
ORDER: Mapping[str, _Order] = {
    "pearson": _Order(_pearson, lambda r: r),
    "spearman": _Order(lambda one, other: _pearson(_ranks(one), _ranks(other)), lambda r: 6 / np.pi * np.arcsin(r / 2)),
    "kendall": _Order(_kendall, lambda r: 2 / np.pi * np.arcsin(r)),
    "pairwise_accuracy": _Order(
        lambda one, other: (1 + _kendall(one, other)) / 2, lambda r: 0.5 + np.arcsin(r) / np.pi
    ),
}


@dataclass(frozen=True)
class TrueMeans:
    """What intervals between systems rest on.

    Parameters
    ----------
    draws : callable
        From a segment and columns of scores, the human one first, to what the true means may be, or a reason.
    systems : {"these", "alike"}
        Whether a figure is meant of these systems, or of a population that they are drawn from.
    reason : str or None
        Why there is none of this.
    """

    draws: Callable[[int, tuple[int, ...]], _Draws | str]
    systems: Systems
    reason: str | None = None

    def interval(self, metric: str, score: int, observed: Array) -> Interval:
        """Return the interval of a figure, the mean over segments whose observed one is defined.

        It is made to hold the observed figure too, which is what tables show.

        Parameters
        ----------
        metric : str
        score : int
        observed : ndarray of shape (n_segments,)
            NaN where undefined, and where the segment is not meant.
        """
        drawn, reason = self._drawn(metric, [score], observed)
        if drawn is None:
            return Interval(None, None, 0, reason)
        found, point = _quantiles(drawn[0]), float(np.nanmean(observed))
        least = 0.0 if metric == "pairwise_accuracy" else -1.0
        width = (1.0 - least) * _WHOLE
        if found[1] - found[0] >= width:
            return Interval(None, None, 0, NOISE)
        return Interval(min(found[0], point), max(found[1], point), 0, None)

    def difference(self, metric: str, score: int, baseline: int, observed: Array) -> tuple[Interval, float | None]:
        """Return the interval of a difference to the baseline, and its p-value, twice the smaller share of signs."""
        drawn, reason = self._drawn(metric, [score, baseline], observed)
        if drawn is None:
            return Interval(None, None, 0, reason), None
        surplus, point = drawn[0] - drawn[1], float(np.nanmean(observed))
        low, high = _quantiles(surplus)
        tail = min(np.count_nonzero(surplus <= 0), np.count_nonzero(surplus >= 0))
        p = min(1.0, 2 * (tail + 1) / (len(surplus) + 1))
        return Interval(min(low, point), max(high, point), 0, None), p

    def _drawn(self, metric: str, scores: Sequence[int], observed: Array) -> tuple[Array | None, str | None]:
        """Return draws of the figure of each score, means over segments: the same random numbers for every segment.

        Criteria of the same texts move together by an unknown amount: figures drawn alike never understate it.
        """
        if self.reason is not None:
            return None, self.reason
        if metric not in ORDER:
            return None, NOT_KNOWN
        totals = np.zeros((len(scores), _DRAWS))
        meant = np.flatnonzero(~np.isnan(observed))
        for segment in meant:
            drawn = self.draws(int(segment), (0, *(score + 1 for score in scores)))
            if isinstance(drawn, str):
                return None, drawn
            for place in range(len(scores)):
                totals[place] += _figure(metric, drawn, place + 1, self.systems) / len(meant)
        return totals, None


def check_systems(systems: str, level: str) -> Systems:
    """Return what intervals between systems speak of, or raise `LagerError` for an unknown word or another level."""
    for known in ALL:
        if systems == known:
            if systems != "these" and level != "system":
                raise LagerError(f"--systems {systems} is for --level system, and this is level {level}")
            return known
    raise LagerError(f"unknown systems {systems!r}: choose from {', '.join(ALL)}")


def no_true_means(reason: str) -> TrueMeans:
    """Return an empty result."""
    return TrueMeans(lambda segment, columns: reason, "these", reason)


def true_means(
    columns: Sequence[Array],
    *,
    segment: NDArray[np.intp],
    n_segments: int,
    system: NDArray[np.intp],
    text: NDArray[np.intp] | None,
    seed: int,
    systems: Systems = "these",
    wanted: bool = True,
) -> TrueMeans:
    """Arrange scores as tables of texts and systems; only where every system has every text of a segment.

    Parameters
    ----------
    columns : sequence of ndarray of shape (n_items,)
        Human scores, then those of every judge.
    segment, system : ndarray of shape (n_items,)
    n_segments : int
    text : ndarray of shape (n_items,), or None
        Each item's cluster; None where none are declared.
    seed : int
    systems : {"these", "alike"}
    wanted : bool
        Whether intervals are asked for.
    """
    if not wanted:
        return no_true_means(NO_RESAMPLES)
    if text is None:
        return no_true_means(INCOMPLETE)
    tables = []
    for index in range(n_segments):
        rows = np.flatnonzero(segment == index)
        table = _table([column[rows] for column in columns], text[rows], system[rows])
        if table is None:
            return no_true_means(INCOMPLETE)
        tables.append(table)

    @lru_cache(maxsize=_KEPT)  # every metric and the mean over segments ask for the same
    def draws(segment: int, columns: tuple[int, ...]) -> _Draws | str:
        return _draw(tables[segment][list(columns)], np.random.default_rng(seed))

    return TrueMeans(draws, systems)


def _table(columns: Sequence[Array], text: NDArray[np.intp], system: NDArray[np.intp]) -> Array | None:
    """Return scores as (n_columns, n_texts, n_systems); None unless every cell has an item."""
    texts, row = np.unique(text, return_inverse=True)
    systems, column = np.unique(system, return_inverse=True)
    cell, n_cells = row * len(systems) + column, len(texts) * len(systems)
    counts = np.bincount(cell, minlength=n_cells)
    if not counts.all():
        return None
    sums = [np.bincount(cell, weights=values, minlength=n_cells) / counts for values in columns]
    return np.array(sums).reshape(len(columns), len(texts), len(systems))


class _Draws(NamedTuple):
    """True means of the systems, shape (n_draws, n_columns, n_systems), and their covariances in the population."""

    means: Array
    covariance: Array


def _draw(table: Array, rng: np.random.Generator) -> _Draws | str:
    """Draw what the systems' true means may be, or say why nothing can be drawn.

    Observed means are true ones plus noise: of S systems and D texts, with residuals e less the means of texts and of
    systems, the noise has S_e = ``sum(e e') / D`` on (S - 1)(D - 1) degrees of freedom, and the observed means their
    sums of squares on S - 1 (one less is taken: few systems). Both covariances are drawn from inverse Wishart
    distributions, those of the true means are their difference where it is positive, and the true means follow their
    normal distribution given the observed ones (Gelman et al., Bayesian Data Analysis, 3rd ed., 2013, chapter 5).
    """
    p, n_texts, n_systems = table.shape
    freedom = n_systems - 2
    if freedom < p + 1 or n_texts < 3:
        return FEW
    means = table.mean(axis=1)
    centred = means - means.mean(axis=1, keepdims=True)
    residuals = table - table.mean(axis=2, keepdims=True) - centred[:, None]
    observed = centred @ centred.T
    noise = np.einsum("ads,bds->ab", residuals, residuals) / n_texts
    if _on_a_line(observed) or _on_a_line(noise):
        return EXACT
    kept: list[_Draws] = []
    for done in range(_ROUNDS):
        total = _inverse_wishart(rng, observed, freedom, 2 * _DRAWS)
        covariance = total - _inverse_wishart(rng, noise, (n_systems - 1) * (n_texts - 1), 2 * _DRAWS)
        fits = np.linalg.eigvalsh(covariance)[:, 0] > 0
        gain = covariance @ np.linalg.inv(total)
        left = covariance - gain @ covariance
        roots, axes = np.linalg.eigh((left + left.transpose(0, 2, 1)) / 2)
        normal = axes * np.sqrt(np.clip(roots, 0, None))[:, None] @ rng.normal(size=(2 * _DRAWS, p, n_systems))
        kept.append(_Draws((gain @ centred + normal)[fits], covariance[fits]))
        so_far = sum(len(one.means) for one in kept)
        if so_far >= _DRAWS:
            return _Draws(*(np.concatenate(part)[:_DRAWS] for part in zip(*kept, strict=True)))
        if so_far < _FEWEST * (done + 1) / _ROUNDS:
            break
    return NOISE


def _figure(metric: str, drawn: _Draws, place: int, systems: Systems) -> Array:
    """Return a figure of each draw, shape (n_draws,)."""
    order = ORDER[metric]
    if systems == "these":
        return order.of_means(drawn.means[:, 0], drawn.means[:, place])
    both = drawn.covariance[:, [0, place]][:, :, [0, place]]
    return order.of_population(np.clip(both[:, 0, 1] / np.sqrt(both[:, 0, 0] * both[:, 1, 1]), -1, 1))


def _inverse_wishart(rng: np.random.Generator, sums: Array, freedom: int, n: int) -> Array:
    """Draw covariances given their sums of squares, by Bartlett's decomposition: shape (n, p, p)."""
    p = len(sums)
    lower = np.tril(rng.normal(size=(n, p, p)), -1)
    for place in range(p):
        lower[:, place, place] = np.sqrt(rng.chisquare(freedom - place, n))
    factor = np.linalg.cholesky(np.linalg.inv(sums)) @ lower
    return np.asarray(np.linalg.inv(factor @ factor.transpose(0, 2, 1)), dtype=np.float64)


def _on_a_line(sums: Array) -> bool:
    """Return whether one column is constant, or follows exactly from the others."""
    spread = np.sqrt(np.diag(sums))
    scale = np.outer(spread, spread)
    return bool((spread <= 0).any() or np.linalg.det(sums / scale) <= _LINE)


def _quantiles(drawn: Array) -> tuple[float, float]:
    low, high = np.quantile(drawn, [(1 - COVERAGE) / 2, (1 + COVERAGE) / 2])
    return float(low), float(high)
