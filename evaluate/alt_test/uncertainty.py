"""Agreement by human uncertainty: items split by how far their own raters lie apart."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ..agreement.fold_scores import FoldScores
from .one_more_rater import OneMoreRater, beside_raters
from .rater_table import FEWEST_ITEMS, RaterTable

_DIGITS = 12  # of a standard deviation: rounding parts no items


@dataclass(frozen=True)
class Stratum:
    """Items whose raters lie about as far apart.

    Parameters
    ----------
    least, most : float
        Standard deviations of the raters' scores of an item (n - 1), from the smallest to the largest here.
    n : int
    figures : OneMoreRater
        The judge and one more rater on these items, without a verdict.
    """

    least: float
    most: float
    n: int
    figures: OneMoreRater

    def as_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        figures = self.figures.as_json()
        shown = {name: figures[name] for name in ("metric", "level", "judge", "rater", "difference")}
        return {"least": self.least, "most": self.most, "n": self.n, **shown}


def agreement_by_uncertainty(
    judge: ArrayLike,
    raters: ArrayLike,
    *,
    metric: str = "spearman",
    group: ArrayLike | None = None,
    cluster: ArrayLike | None = None,
    level: str | None = None,
    names: Sequence[str] | None = None,
    folded: FoldScores | None = None,
    resamples: int = 1000,
    seed: int = 42,
) -> tuple[Stratum, ...]:
    """Compare a judge with one more rater in thirds of the items by the raters' own spread.

    Items are cut at the terciles of the standard deviation of their raters' scores. Items of equal spread stay
    together, so that there may be fewer strata than three, and unequal ones. The split is made by the very scores that
    the rater's figure is of: where raters agree it is high for this reason, and 1 where they agree wholly. Scores
    may also span less of the scale in a stratum, which lowers a correlation.

    Parameters
    ----------
    judge, raters, metric, group, cluster, level, names, folded, resamples, seed
        As of `lager.one_more_rater`; the raters are those with items enough among all items.

    Returns
    -------
    tuple of Stratum
        From the smallest spread to the largest.

    Raises
    ------
    LagerError
        As `lager.alt_test`.
    """
    table = RaterTable.check(judge, raters, names=names, cluster=cluster)
    tested = table.tested(FEWEST_ITEMS)
    spread = _spread(table.raters)
    stratum = np.searchsorted(np.unique(np.quantile(spread, [1 / 3, 2 / 3], method="inverted_cdf")), spread)
    out = []
    for place in np.unique(stratum):
        here = stratum == place
        part = table.take(here)
        with_items = [rater for rater in tested if np.count_nonzero(~np.isnan(part.raters[:, rater])) >= 2]
        figures = beside_raters(
            part, with_items, metric=metric, group=group, cluster=cluster, level=level, folded=folded,
            resamples=resamples, seed=seed,
        )  # fmt: skip
        out.append(Stratum(float(spread[here].min()), float(spread[here].max()), int(here.sum()), figures))
    return tuple(out)


def _spread(raters: NDArray[np.float64]) -> NDArray[np.float64]:
    """Return the standard deviation (n - 1) of each item's scores, two or more."""
    return np.round(np.nanstd(raters, axis=1, ddof=1), _DIGITS)
