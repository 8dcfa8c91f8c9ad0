"""The alternative annotator test: is a judge as near to the other raters as each rater is."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from ...data.errors import LagerError
from ..decisions.cluster_t import ClusterT, cluster_t
from .alignment import check_alignment
from .false_discovery import benjamini_yekutieli
from .rater_table import FEWEST_ITEMS, RaterTable

DEFAULT_Q = 0.05
_TIE = 1e-9  # alignments this near to each other are one: rounding decides nothing
_HALF = 0.5


@dataclass(frozen=True)
class RaterTest:
    """The judge against one rater, both held to the others.

    Parameters
    ----------
    rater : str
    n, n_clusters : int
        Items of this rater, and the clusters that they are in; as many where items count by themselves.
    judge_wins, rater_wins : float
        Shares of items where the judge, or the rater, is at least as near to the others; ties count for both.
    p : float
        Of the rater's share not exceeding the judge's by less than epsilon, one-sided.
    p_by : float
        The same after Benjamini's and Yekutieli's correction over the raters.
    won : bool
        Whether the judge is held to be as good as this rater: `p_by` at most q.
    """

    rater: str
    n: int
    n_clusters: int
    judge_wins: float
    rater_wins: float
    p: float
    p_by: float
    won: bool

    def as_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        return dict(self.__dict__)


@dataclass(frozen=True)
class AltTest:
    """What the alternative annotator test says of one judge.

    Parameters
    ----------
    alignment : str
    epsilon, q : float
    raters : tuple of RaterTest
    omega : float
        Winning rate: the share of raters against whom the judge won.
    rho : float
        Advantage: the mean over raters of `RaterTest.judge_wins`.
    clustered : bool
        Whether items of a cluster count as alike (CR2); else each by itself, as published.
    left_out : tuple of str
        Raters with fewer items, or clusters, than are needed; they still are among the others.
    """

    alignment: str
    epsilon: float
    q: float
    raters: tuple[RaterTest, ...]
    omega: float
    rho: float
    clustered: bool
    left_out: tuple[str, ...] = ()

    @property
    def may_replace(self) -> bool:
        """Whether the winning rate is one half or more."""
        return self.omega >= _HALF

    def as_json(self) -> dict[str, Any]:
        """Return a JSON object."""
        out = {name: value for name, value in self.__dict__.items() if name not in ("raters", "left_out")}
        return out | {
            "may_replace": self.may_replace,
            "raters": [one.as_json() for one in self.raters],
            "left_out": list(self.left_out),
        }


def alt_test(
    judge: ArrayLike,
    raters: ArrayLike,
    *,
    epsilon: float,
    alignment: str = "neg-rmse",
    cluster: ArrayLike | None = None,
    q: float = DEFAULT_Q,
    names: Sequence[str] | None = None,
    fewest_items: int = FEWEST_ITEMS,
) -> AltTest:
    """Test whether a judge may replace a rater (Calderon, Reichart & Dror 2025, arXiv 2501.10970).

    Rater j and the judge are both aligned with the other raters of each item that both scored. With ``d = 1`` where the
    rater alone is nearer, ``-1`` where the judge alone is and 0 at a tie, the judge wins against j where the mean of d
    is below epsilon, by a one-sided t and Benjamini's and Yekutieli's correction over raters. It may replace a rater
    where it wins against half of them or more.

    Parameters
    ----------
    judge : array-like of shape (n_items,)
        NaN where it has no score.
    raters : array-like of shape (n_items, n_raters)
        A column a rater, NaN where there is no score. An item with fewer than two is left out.
    epsilon : float
        How much more often the rater may be nearer; the gain that a judge's price and speed are worth. The paper takes
        0.2 for experts, 0.15 for trained raters, 0.1 for a crowd; there is no default.
    alignment : {"neg-rmse", "accuracy"}
        Minus the root mean squared distance, or the share of others who gave the very score.
    cluster : array-like of shape (n_items,), optional
        What items share; one whose label is None is a cluster by itself. The t is then that of
        `lager.evaluate.decisions.cluster_t`; when None it is the published one of single items.
    q : float
        The false discovery rate.
    names : sequence of str, optional
        The raters', for the result.
    fewest_items : int
        Raters with fewer items are not tested.

    Returns
    -------
    AltTest

    Raises
    ------
    LagerError
        When fewer than three raters have items enough, or an argument is not as it must be.

    Examples
    --------
    >>> import numpy as np
    >>> rng = np.random.default_rng(0)
    >>> truth = rng.integers(1, 6, size=(90, 1))
    >>> raters = np.clip(truth + rng.integers(-1, 2, size=(90, 3)), 1, 5)
    >>> alt_test(truth[:, 0], raters, epsilon=0.1).may_replace
    True
    """
    return against_raters(
        judge, raters, alignment=alignment, cluster=cluster, names=names, fewest_items=fewest_items
    ).at(epsilon, q=q)


@dataclass(frozen=True)
class AgainstRaters:
    """A judge beside each rater before epsilon is chosen.

    Parameters
    ----------
    table : RaterTable
    tested : list of int
        The raters with items enough.
    alignment : str
    judge_wins : ndarray of shape (n_tested,)
        Shares of items where the judge is at least as near to the others.
    found : ClusterT
        The mean of d for each of them.
    """

    table: RaterTable
    tested: list[int]
    alignment: str
    judge_wins: NDArray[np.float64]
    found: ClusterT

    def at(self, epsilon: float, *, q: float = DEFAULT_Q) -> AltTest:
        """Return the test at an epsilon."""
        if not 0 <= epsilon < 1:
            raise LagerError(f"epsilon {epsilon:g}: expected 0 or more and less than 1, such as 0.1")
        if not 0 < q < 1:
            raise LagerError(f"q {q:g}: expected a share between 0 and 1, such as 0.05")
        p = self.found.p(epsilon, alternative="less")
        corrected = benjamini_yekutieli(p)
        rater_wins = self.judge_wins + self.found.mean
        tests = tuple(
            RaterTest(
                self.table.names[rater], int(self.found.n_items[place]), int(self.found.n_clusters[place]),
                float(self.judge_wins[place]), float(rater_wins[place]), float(p[place]), float(corrected[place]),
                bool(corrected[place] <= q),
            )
            for place, rater in enumerate(self.tested)
        )  # fmt: skip
        omega, rho = float(np.mean([one.won for one in tests])), float(self.judge_wins.mean())
        left_out = tuple(name for place, name in enumerate(self.table.names) if place not in self.tested)
        clustered = self.table.cluster is not None
        return AltTest(self.alignment, epsilon, q, tests, omega, rho, clustered, left_out)


def against_raters(
    judge: ArrayLike,
    raters: ArrayLike,
    *,
    alignment: str,
    cluster: ArrayLike | None = None,
    names: Sequence[str] | None = None,
    fewest_items: int = FEWEST_ITEMS,
) -> AgainstRaters:
    """Compare a judge with each rater; the parameters are those of `alt_test`."""
    align = check_alignment(alignment)
    table = RaterTable.check(judge, raters, names=names, cluster=cluster)
    tested = table.tested(fewest_items)
    difference = np.full((len(table.judge), len(tested)), np.nan)
    wins = np.empty(len(tested))
    for column, rater in enumerate(tested):
        rows = np.flatnonzero(~np.isnan(table.raters[:, rater]))
        others = table.raters[rows]
        others[:, rater] = np.nan
        of_judge, of_rater = align(table.judge[rows], others), align(table.raters[rows, rater], others)
        tie = np.abs(of_judge - of_rater) <= _TIE * np.maximum(1.0, np.abs(of_rater))
        difference[rows, column] = np.where(tie, 0.0, np.sign(of_rater - of_judge))
        wins[column] = np.mean(tie | (of_judge > of_rater))
    return AgainstRaters(table, tested, alignment, wins, cluster_t(difference, table.cluster))
